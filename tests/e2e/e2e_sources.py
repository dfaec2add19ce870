#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The daemon as a client beside a stock one: both follow stock servers, find the liar among them, and say the same of them."""
import re
import time
import unittest

import agree
import lab as labs
import peers
import tap
import world

UP, HOST = "10.97.0.{}", "10.97.0.99"
UP6, HOST6 = "fd97::{}", "fd97::99"


class Beside(unittest.TestCase):
    """An upstream host with stock servers, and a host where the daemon under test and a stock chronyd follow them."""

    @classmethod
    def begin(cls, addresses, lines, heard):
        """Both follow `lines` until each has a full reachability register of every address in `heard`. `{dir}` in a line is the
        lab's directory."""
        world.require()
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.upstream, cls.host, cls.client = (cls.lab.host(name) for name in ("upstream", "host", "client"))
        cls.lab.wire(cls.upstream, "up0", cls.host, "down0")
        cls.lab.wire(cls.host, "srv0", cls.client, "cli0")
        cls.upstream.address("up0", *addresses)
        cls.host.address("down0", f"{HOST}/24", f"{HOST6}/64")
        cls.host.address("srv0", "10.96.0.1/24")
        cls.client.address("cli0", "10.96.0.2/24")
        cls.serve()
        lines = [line.format(dir=cls.lab.dir) for line in lines]
        cls.daemon = cls.host.spawn([world.wiretimed(), "-d", "-x", "user root", "allow", *lines], name="daemon")
        cls.stock = peers.chronyd(cls.host, "stock", "port 0", *lines)
        if not cls.daemon.wait_for("Selected source", 30):
            raise AssertionError(f"no source selected\n{cls.daemon.log}")
        cls.await_full_reach(heard)

    @classmethod
    def await_full_reach(cls, heard, timeout=90):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            full = [{row[2] for row in peers.ask(cls.host, "sources", of=of) if row[5] == "377"} for of in (None, "stock")]
            if all(heard <= some for some in full):
                return
            time.sleep(0.5)
        raise AssertionError(f"not heard eight times within {timeout} s: {[sorted(heard - some) for some in full]}\n{cls.daemon.log}")

    def both(self, *command):
        return [peers.ask(self.host, *command, of=of) for of in (None, "stock")]

    def agrees(self, rules, *command, key="address"):
        """What both say is compared until it agrees: the two poll at different moments, and a stamp may be late on a busy
        machine. What is wrong stays wrong."""
        for attempt in range(5):
            found = agree.disagreements(rules, *self.both(*command), key)
            if not found:
                return
            time.sleep(2)
        self.fail("\n".join([f"chronyc {' '.join(command)}", *found, "--- log", self.daemon.log]))

    def looks_alike(self, *command):
        """As printed for people: the same legend, header and layout, since the same chronyc prints it."""
        for attempt in range(5):
            ours, theirs = (peers.chronyc(self.host, *where, *command).text
                            for where in ((), ("-h", "/run/stock/sock")))
            if agree.shape(ours) == agree.shape(theirs):
                return
            time.sleep(2)
        self.fail(f"{ours}\n--- stock\n{theirs}")


def server(host, number, address, *directives, **how):
    return peers.chronyd(host, f"up{number}", f"bindaddress {address}", "allow", *directives, **how)


class Liar(Beside):
    """Three stock servers, one of them wrong by a second."""
    LIE = 1.0
    GOOD, NEXT, LIAR, SILENT = (UP.format(n) for n in (1, 2, 3, 77))

    @classmethod
    def serve(cls):
        server(cls.upstream, 1, cls.GOOD, "local stratum 1")
        server(cls.upstream, 2, cls.NEXT, "local stratum 2")
        server(cls.upstream, 3, cls.LIAR, "local stratum 1", fast_by=cls.LIE)

    @classmethod
    def setUpClass(cls):
        every = (cls.GOOD, cls.NEXT, cls.LIAR)
        cls.begin([f"{address}/24" for address in every], [f"server {address} iburst minpoll 2 maxpoll 2" for address in every],
                  set(every))

    def test_liar(self):
        """the server that is wrong by a second is marked x, by us and by a stock client, and the log says so"""
        for rows in self.both("sources"):
            self.assertEqual({row[2]: row[1] for row in rows}[self.LIAR], "x")
            self.assertEqual({row[2]: row[1] for row in rows}[self.GOOD], "*")
        for rows in self.both("selectdata"):
            self.assertEqual({row[1]: row[0] for row in rows}[self.LIAR], "x")
        self.assertIn(f"Detected falseticker {self.LIAR}", self.daemon.log)

    def test_clock(self):
        """the clock is right: all but the liar are on this machine's clock, so nothing is to be corrected"""
        row = peers.ask(self.host, "tracking")[0]
        self.assertEqual((row[1], row[2], row[-1]), (self.GOOD, "2", "Normal"))
        for name, value in (("system time", row[4]), ("last offset", row[5]), ("RMS offset", row[6])):
            self.assertLess(abs(float(value)), 1e-3, name)
        self.assertLess(abs(float(row[7])), agree.PPM)

    def test_lie(self):
        """the lie has its size and sign in every report"""
        for of in (None, "stock"):
            source = {row[2]: row for row in peers.ask(self.host, "sources", of=of)}[self.LIAR]
            stats = {row[0]: row for row in peers.ask(self.host, "sourcestats", of=of)}[self.LIAR]
            select = {row[1]: row for row in peers.ask(self.host, "selectdata", of=of)}[self.LIAR]
            data = peers.ask(self.host, "ntpdata", self.LIAR, of=of)[0]
            for name, value in (("last sample", source[7]), ("measured", source[8]), ("estimate", stats[6]), ("low", select[-3]),
                                ("high", select[-2])):
                self.assertAlmostEqual(float(value), -self.LIE, delta=2e-3, msg=f"{name} of {of or 'ours'}")
            self.assertAlmostEqual(float(data[18]), self.LIE, delta=2e-3)

    def test_sources(self):
        """chronyc sources agrees with a stock client, field by field"""
        self.agrees(agree.SOURCES, "sources")

    def test_sourcestats(self):
        """chronyc sourcestats agrees"""
        self.agrees(agree.SOURCESTATS, "sourcestats")

    def test_tracking(self):
        """chronyc tracking agrees"""
        self.agrees(agree.TRACKING, "tracking")

    def test_ntpdata(self):
        """chronyc ntpdata agrees, for every source"""
        self.agrees(agree.NTPDATA, "ntpdata", key="remote address")

    def test_selectdata(self):
        """chronyc selectdata agrees"""
        self.agrees(agree.SELECTDATA, "selectdata")

    def test_printed(self):
        """sources -v, sourcestats -v and selectdata -v look the same, legend included"""
        for command in ("sources", "sourcestats", "selectdata"):
            self.looks_alike(command, "-v")

    def test_activity(self):
        """activity, authdata and sourcename agree"""
        for command in (("activity",), ("authdata",), ("sourcename", self.GOOD)):
            ours, theirs = self.both(*command)
            self.assertEqual(ours, theirs)

    def test_served(self):
        """a stock client of ours takes the time, and it is this machine's"""
        answer = peers.chronyd_query(self.client, "10.96.0.1")
        self.assertTrue(answer.ok, str(answer))
        self.assertLess(abs(float(re.search(r"wrong by (\S+) seconds", str(answer)).group(1))), 1e-2)

    def query(self, *arguments):
        began = time.monotonic()
        output = self.host.run([world.wiretimed(), "-Q", *arguments], 40)
        return output, time.monotonic() - began

    def test_once(self):
        """-Q prints what a stock chronyd -Q prints, exits 0 and needs less than 10 s"""
        for server_address, wrong in ((self.GOOD, 0.0), (self.LIAR, self.LIE)):
            output, took = self.query(f"server {server_address} iburst")
            self.assertEqual(output.code, 0, str(output))
            self.assertLess(took, 10)
            stock = peers.chronyd_query(self.host, server_address)
            self.assertTrue(stock.ok, str(stock))
            ours, theirs = (float(re.search(r"System clock wrong by (\S+) seconds \(ignored\)", str(text)).group(1))
                            for text in (output, stock))
            self.assertAlmostEqual(ours, theirs, delta=0.01)
            self.assertAlmostEqual(ours, wrong, delta=0.01)

    def test_unreachable(self):
        """-Q without an answer exits 1 at the time limit and says so"""
        output, took = self.query("-t", "3", f"server {self.SILENT} iburst")
        self.assertEqual(output.code, 1, str(output))
        self.assertIn("no time from the sources within 3 s", output.text)
        self.assertLess(took, 10)


class Options(Beside):
    """Sources that differ in their options and their faults: states, reach, tests and options agree with a stock client's."""
    PREFERRED, UNSET, WATCHED, WRONG, OFFLINE, INTERLEAVED, RAISED, CORRECTED, SILENT = (UP.format(n) for n in (*range(1, 9), 77))
    V6 = UP6.format(1)
    CORRECTION = 0.25

    @classmethod
    def serve(cls):
        host = cls.upstream
        server(host, 1, cls.PREFERRED, "local stratum 2")
        server(host, 2, cls.UNSET)
        server(host, 3, cls.WATCHED, "local stratum 5")
        server(host, 4, cls.WRONG, "local stratum 1", fast_by=-5)
        server(host, 6, cls.INTERLEAVED, "local stratum 4")
        server(host, 7, cls.RAISED, "local stratum 3")
        server(host, 8, cls.CORRECTED, "local stratum 3", fast_by=cls.CORRECTION)
        server(host, 9, cls.V6, "local stratum 3")

    @classmethod
    def setUpClass(cls):
        polls = "iburst minpoll 2 maxpoll 2"
        lines = [f"server {cls.PREFERRED} {polls} prefer", f"server {cls.UNSET} {polls}", f"server {cls.WATCHED} {polls} noselect",
                 f"server {cls.WRONG} {polls}", f"server {cls.OFFLINE} {polls} offline", f"server {cls.V6} {polls} version 3",
                 f"server {cls.INTERLEAVED} {polls} xleave", f"server {cls.RAISED} {polls} minstratum 9 require",
                 f"server {cls.CORRECTED} {polls} offset {-cls.CORRECTION}", f"server {cls.SILENT} {polls}"]
        heard = {cls.PREFERRED, cls.WATCHED, cls.WRONG, cls.V6, cls.INTERLEAVED, cls.RAISED, cls.CORRECTED}
        cls.begin([f"{UP.format(n)}/24" for n in range(1, 9)] + [f"{cls.V6}/64"], lines, heard)

    def test_states(self):
        """each has the state its options or its fault make"""
        for rows in self.both("selectdata"):
            states = {row[1]: row[0] for row in rows}
            for address, state in ((self.PREFERRED, "*"), (self.UNSET, "sM"), (self.WATCHED, "N"), (self.WRONG, "x"), (self.OFFLINE, "sM"),
                                   (self.V6, "P"), (self.INTERLEAVED, "P"), (self.RAISED, "P"), (self.CORRECTED, "P"), (self.SILENT, "sM")):
                self.assertIn(states[address], state, address)

    def test_sources(self):
        """chronyc sources agrees with a stock client, field by field"""
        self.agrees(agree.SOURCES, "sources")

    def test_sourcestats(self):
        """chronyc sourcestats agrees, also of sources that never answered"""
        self.agrees(agree.SOURCESTATS, "sourcestats")

    def test_selectdata(self):
        """chronyc selectdata agrees"""
        self.agrees(agree.SELECTDATA, "selectdata")

    def test_ntpdata(self):
        """chronyc ntpdata agrees: interleaved, IPv6, version 3, unsynchronised, never heard"""
        self.agrees(agree.NTPDATA, "ntpdata", key="remote address")

    def test_printed(self):
        """the reports look the same"""
        for command in ("sources", "sourcestats", "selectdata"):
            self.looks_alike(command, "-v")

    def test_activity(self):
        """activity and authdata agree"""
        for command in ("activity", "authdata"):
            ours, theirs = self.both(command)
            self.assertEqual(ours, theirs)


if __name__ == "__main__":
    tap.main()
