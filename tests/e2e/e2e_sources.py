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
        if not cls.daemon.wait_for("Selected source"):
            raise AssertionError(f"no source selected\n{cls.daemon.log}")
        cls.await_full_reach(heard)

    @classmethod
    def await_full_reach(cls, heard, timeout=240):
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
        def agree_now():
            found = agree.disagreements(rules, *self.both(*command), key)
            self.assertFalse(found, "\n".join([f"chronyc {' '.join(command)}", *found, "--- log", self.daemon.log]))
        labs.eventually(agree_now, pause=2)

    def same(self, *command):
        """Both say the same, field by field, as soon as both are where they go."""
        labs.eventually(lambda: self.assertEqual(*self.both(*command)), pause=2)

    def looks_alike(self, *command):
        """As printed for people: the same legend, header and layout, since the same chronyc prints it."""
        def alike():
            ours, theirs = (peers.chronyc(self.host, *where, *command).text for where in ((), ("-h", "/run/stock/sock")))
            self.assertEqual(agree.shape(ours), agree.shape(theirs), f"{ours}\n--- stock\n{theirs}")
        labs.eventually(alike, pause=2)


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
        def marked():
            for rows in self.both("sources"):
                self.assertEqual({row[2]: row[1] for row in rows}[self.LIAR], "x")
                self.assertEqual({row[2]: row[1] for row in rows}[self.GOOD], "*")
            for rows in self.both("selectdata"):
                self.assertEqual({row[1]: row[0] for row in rows}[self.LIAR], "x")
        labs.eventually(marked, pause=2)
        self.assertIn(f"Detected falseticker {self.LIAR}", self.daemon.log)

    def test_clock(self):
        """the clock is right: all but the liar are on this machine's clock, so nothing is to be corrected"""
        def right():
            row = peers.ask(self.host, "tracking")[0]
            self.assertEqual((row[1], row[2], row[-1]), (self.GOOD, "2", "Normal"))
            for name, value in (("system time", row[4]), ("last offset", row[5]), ("RMS offset", row[6])):
                self.assertLess(abs(float(value)), 1e-3, name)
            self.assertLess(abs(float(row[7])), agree.PPM)
        labs.eventually(right, pause=2)

    def test_lie(self):
        """the lie has its size and sign in every report"""
        labs.eventually(self.lie_is_told, pause=2)

    def lie_is_told(self):
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
            self.same(*command)

    def test_served(self):
        """a stock client of ours takes the time, and it is this machine's"""
        def right():
            answer = peers.chronyd_query(self.client, "10.96.0.1")
            self.assertTrue(answer.ok, str(answer))
            self.assertLess(abs(float(re.search(r"wrong by (\S+) seconds", str(answer)).group(1))), 1e-2)
        labs.eventually(right)

    def query(self, *arguments):
        return self.host.run([world.wiretimed(), "-Q", *arguments])

    def once(self, server_address, wrong):
        began = time.monotonic()
        output = self.query(f"server {server_address} iburst")
        ours_took = time.monotonic() - began
        self.assertEqual(output.code, 0, str(output))
        stock = peers.chronyd_query(self.host, server_address)
        stock_took = time.monotonic() - began - ours_took
        self.assertTrue(stock.ok, str(stock))
        self.assertLess(ours_took, stock_took + 4)  # of the two seconds that are between two requests of a burst
        ours, theirs = (float(re.search(r"System clock wrong by (\S+) seconds \(ignored\)", str(text)).group(1))
                        for text in (output, stock))
        self.assertAlmostEqual(ours, theirs, delta=0.01)
        self.assertAlmostEqual(ours, wrong, delta=0.01)

    def test_once(self):
        """-Q prints what a stock chronyd -Q prints, exits 0 and needs about as long"""
        for server_address, wrong in ((self.GOOD, 0.0), (self.LIAR, self.LIE)):
            labs.eventually(lambda: self.once(server_address, wrong))

    def test_unreachable(self):
        """-Q without an answer exits 1 at the time limit and says so"""
        output = self.query("-t", "3", f"server {self.SILENT} iburst")
        self.assertEqual(output.code, 1, str(output))
        self.assertIn("no time from the sources within 3 s", output.text)


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
        labs.eventually(self.states_fit, pause=2)

    def states_fit(self):
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
            self.same(command)


if __name__ == "__main__":
    tap.main()
