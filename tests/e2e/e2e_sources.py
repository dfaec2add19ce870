#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The daemon as a client: it follows stock servers, finds the liar among them, and says the same as a stock client."""
import pathlib
import re
import time
import unittest

import lab as labs
import peers
import tap
import world

GOOD = ("10.97.0.1", "10.97.0.2")
LIAR = "10.97.0.3"
SILENT = "10.97.0.77"
LIE = 1.0


class Sources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        reason = world.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.upstream, cls.host, cls.client = (cls.lab.host(name) for name in ("upstream", "host", "client"))
        cls.lab.wire(cls.upstream, "up0", cls.host, "down0")
        cls.lab.wire(cls.host, "srv0", cls.client, "cli0")
        cls.upstream.address("up0", *[f"{address}/24" for address in (*GOOD, LIAR)])
        cls.host.address("down0", "10.97.0.9/24")
        cls.host.address("srv0", "10.96.0.1/24")
        cls.client.address("cli0", "10.96.0.2/24")
        for number, address in enumerate(GOOD):
            cls.upstream.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "user root", f"pidfile /run/up{number}.pid",
                                f"bindaddress {address}", "bindcmdaddress /", "cmdport 0", "local stratum 2", "allow"],
                               peers.environment(), f"chronyd{number}")
        cls.upstream.spawn(["/usr/bin/python3", pathlib.Path(__file__).with_name("liar.py"), LIAR, LIE], name="liar")
        time.sleep(0.5)
        lines = [f"server {address} iburst minpoll 2 maxpoll 3" for address in (*GOOD, LIAR)]
        cls.daemon = cls.host.spawn([world.wiretimed(), "-d", "-x", "user root", "allow", *lines], name="daemon")
        cls.stock = cls.host.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "user root", "port 0", "cmdport 0",
                                    "bindcmdaddress /run/stock/sock", "pidfile /run/stock.pid", *lines], peers.environment(), "stock")
        if not cls.daemon.wait_for("Selected source", 20):
            raise AssertionError(f"no source selected\n{cls.daemon.log}")
        time.sleep(4)

    def ask(self, *command, stock=False):
        where = ["-h", "/run/stock/sock"] if stock else []
        output = self.host.run([peers.program("usr/bin/chronyc"), *where, "-n", "-c", *command], 15, peers.environment())
        self.assertEqual(output.code, 0, f"{output}\n{self.daemon.log}")
        return [line.split(",") for line in output.text.splitlines()]

    def test_liar(self):
        """the server that is wrong by a second is marked x, and the others are followed"""
        for stock in (False, True):
            states = {row[2]: row[1] for row in self.ask("sources", stock=stock)}
            self.assertEqual(states[LIAR], "x", f"stock: {stock}")
            self.assertIn("*", [states[address] for address in GOOD])
        self.assertIn(f"Detected falseticker {LIAR}", self.daemon.log)

    def test_signs(self):
        """offsets of sources, sourcestats, selectdata and ntpdata have the stock daemon's signs"""
        def seen(stock):
            source = {row[2]: row for row in self.ask("sources", stock=stock)}[LIAR]
            stats = {row[0]: row for row in self.ask("sourcestats", stock=stock)}[LIAR]
            select = {row[1]: row for row in self.ask("selectdata", stock=stock)}[LIAR]
            data = self.ask("ntpdata", LIAR, stock=stock)[0]
            return [float(source[7]), float(source[8]), float(stats[6]), float(select[-3]), float(select[-2]), float(data[18])]
        for name, ours, theirs in zip(("last sample", "measured", "estimate", "low", "high", "ntpdata"), seen(False), seen(True)):
            self.assertAlmostEqual(ours, theirs, delta=0.01, msg=name)
            self.assertAlmostEqual(abs(ours), LIE, delta=0.01, msg=name)

    def test_tracking(self):
        """tracking names a good source, one stratum below it, and the time is right"""
        row = self.ask("tracking")[0]
        self.assertIn(row[1], GOOD)
        self.assertEqual(row[2], "3")
        self.assertLess(abs(float(row[4])), 0.01)
        self.assertEqual(row[-1], "Normal")

    def test_activity(self):
        """three sources are online"""
        self.assertEqual(self.ask("activity")[0], ["3", "0", "0", "0", "0"])

    def test_served(self):
        """a stock client of ours sees the next stratum and takes the time"""
        answer = peers.chronyd_query(self.client, "10.96.0.1")
        self.assertTrue(answer.ok, str(answer))
        self.assertLess(abs(float(re.search(r"wrong by (\S+) seconds", str(answer)).group(1))), 0.01)

    def query(self, *arguments):
        began = time.monotonic()
        output = self.host.run([world.wiretimed(), "-Q", *arguments], 40)
        return output, time.monotonic() - began

    def test_once(self):
        """-Q prints what a stock chronyd -Q prints, within 10 s"""
        for server, wrong in ((GOOD[0], 0.0), (LIAR, LIE)):
            output, took = self.query(f"server {server} iburst")
            self.assertEqual(output.code, 0, str(output))
            self.assertLess(took, 10)
            stock = peers.chronyd_query(self.host, server)
            self.assertTrue(stock.ok, str(stock))
            ours, theirs = (float(re.search(r"System clock wrong by (\S+) seconds \(ignored\)", str(text)).group(1))
                            for text in (output, stock))
            self.assertAlmostEqual(ours, theirs, delta=0.01)
            self.assertAlmostEqual(abs(ours), wrong, delta=0.01)

    def test_unreachable(self):
        """-Q without an answer ends at the time limit, exit status 1, and says so"""
        output, took = self.query("-t", "3", f"server {SILENT} iburst")
        self.assertEqual(output.code, 1, str(output))
        self.assertIn("no time from the sources within 3 s", output.text)
        self.assertLess(took, 5)


if __name__ == "__main__":
    tap.main()
