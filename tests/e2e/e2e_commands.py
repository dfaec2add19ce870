#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the stock chronyc can make the daemon do to its sources and its clock, and what a restart keeps. A stock chronyd beside it shows
what is right where the two can be compared."""
import re
import time
import unittest

import lab as labs
import peers
import tap
import world

UPSTREAM = ("10.95.0.1", "10.95.0.2")
SILENT = "10.95.0.77"
UNROUTED = "10.94.0.1"


class Commands(unittest.TestCase):
    def setUp(self):
        world.require()
        self.lab = labs.Lab()
        self.addCleanup(self.lab.close)
        self.upstream, self.host = self.lab.host("upstream"), self.lab.host("host")
        self.lab.wire(self.upstream, "up0", self.host, "down0")
        self.upstream.address("up0", *[f"{address}/24" for address in UPSTREAM])
        self.host.address("down0", "10.95.0.9/24")
        for number, address in enumerate(UPSTREAM):
            self.upstream.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "user root", f"pidfile /run/up{number}.pid",
                                 f"bindaddress {address}", "bindcmdaddress /", "cmdport 0", "local stratum 2", "allow"],
                                peers.environment(), f"chronyd{number}")
        self.dumps = self.lab.dir / "dumps"

    def stock(self, *lines, options=()):
        process = self.host.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", *options, "user root", "port 0", *lines],
                                  peers.environment(), "stock")
        # The socket is there before that, but not read until a moment later.
        self.assertTrue(process.wait_for("Running with root privileges"), process.log)
        labs.eventually(lambda: self.assertEqual(peers.chronyc(self.host, "activity").code, 0), pause=0.1)
        return process

    def ours(self, *lines, options=()):
        self.daemon = self.host.spawn([world.wiretimed(), "-d", "-x", *options, "user root", "port 0", *lines], name="daemon")
        self.assertTrue(self.daemon.wait_for("Accepting commands on"), self.daemon.log)
        return self.daemon

    def say(self, *command, expect="200 OK", code=0):
        output = peers.chronyc(self.host, *command)
        self.assertEqual(output.code, code, f"{output}\n--- log\n{self.daemon.log[-3000:]}")
        self.assertIn(expect, output.text, str(output))
        return output.text

    def rows(self, *command):
        output = self.host.run([peers.program("usr/bin/chronyc"), "-n", "-c", *command], env=peers.environment())
        self.assertEqual(output.code, 0, str(output))
        return [line.split(",") for line in output.text.splitlines()]

    def await_text(self, process, text):
        self.assertTrue(process.wait_for(text), f"no {text!r} in\n{process.log}")

    def await_samples(self, count):
        def enough():
            rows = self.rows("sourcestats")
            self.assertTrue(rows and all(int(row[1]) >= count for row in rows), rows)
        labs.eventually(enough, pause=0.3)

    LINES = [f"server {address} iburst minpoll 1 maxpoll 1" for address in UPSTREAM]

    def check_switch(self, first, second):
        """`first` writes the history of its sources, `second` begins with it."""
        lines = [f"dumpdir {self.dumps}", *self.LINES]
        before = first(*lines)
        self.daemon = before
        self.await_samples(4)
        self.assertEqual(before.stop(), 0, before.log)
        self.assertEqual({path.name for path in self.dumps.iterdir()}, {f"{address}.dat" for address in UPSTREAM})
        after = second(*lines, options=["-r"])
        for address in UPSTREAM:
            self.await_text(after, f"Loaded dump file for {address}")
        self.await_text(after, "Selected source")
        self.assertTrue(all(int(row[1]) >= 3 for row in self.rows("sourcestats")))
        self.assertEqual(list(self.dumps.iterdir()), [])

    def test_history(self):
        """dump files survive a restart of ours with -r"""
        self.check_switch(self.ours, self.ours)

    def test_history_from_stock(self):
        """a switch from the stock chronyd keeps the history of the sources"""
        self.dumps.mkdir()
        self.check_switch(self.stock, self.ours)

    def test_history_to_stock(self):
        """and so does the switch back"""
        self.check_switch(self.ours, self.stock)

    def test_dump(self):
        """chronyc dump writes the files, a start without -r removes them, and junk does no harm"""
        lines = [f"dumpdir {self.dumps}", *self.LINES]
        first = self.ours(*lines)
        self.await_samples(4)
        self.say("dump")
        text = (self.dumps / f"{UPSTREAM[0]}.dat").read_text()
        self.assertTrue(text.startswith(f"SRC0\n{UPSTREAM[0]}\n0 "), text)
        first.signal(9)
        first.wait()
        (self.dumps / f"{UPSTREAM[0]}.dat").write_text(text[:200])
        (self.dumps / "other.dat").write_text("not ours")
        second = self.ours(*lines, options=["-r"])
        self.await_text(second, f"Could not load dump file {UPSTREAM[0]}.dat: line ")
        self.await_text(second, f"Loaded dump file for {UPSTREAM[1]}")
        self.assertEqual([path.name for path in self.dumps.iterdir()], ["other.dat"])
        self.await_samples(4)
        self.say("dump")
        second.signal(9)
        second.wait()
        third = self.ours(*lines)
        self.assertEqual([path.name for path in self.dumps.iterdir()], ["other.dat"])
        self.assertNotIn("Loaded dump file", third.log)

    took = 0  # s, the longest settime

    def manual_session(self, process):
        """settime as an operator uses it; what chronyc printed, without the times."""
        self.daemon = process
        said = [self.say("manual", "list", expect="210 n_samples = 0")]
        began = time.time()
        # With the date: of a bare time chronyc takes today's, a day off when the next hour is tomorrow's.
        said.append(self.say("settime", *time.strftime("%b %d, %Y %H:%M:%S", time.gmtime(began + 3600)).split()))
        self.took = max(self.took, time.time() - began)
        time.sleep(0.1)
        said.append(self.say("settime", "12:00", expect="500 Failure", code=1))
        said.append(self.say("tracking", expect="Reference ID"))
        said.append(self.say("manual", "list", expect="210 n_samples = 1"))
        said.append(self.say("manual", "delete", "1", expect="516", code=1))
        said.append(self.say("manual", "delete", "0"))
        said.append(self.say("manual", "list", expect="210 n_samples = 0"))
        said.append(self.say("manual", "off"))
        said.append(self.say("settime", "12:00", expect="505 Facility not enabled", code=1))
        said.append(self.say("manual", "on"))
        said.append(self.say("manual", "reset"))
        process.stop()
        return said

    def test_manual(self):
        """settime, manual list, delete, off, on and reset say what they say with a stock chronyd"""
        sessions = [self.manual_session(start("manual", "local stratum 7")) for start in (self.stock, self.ours)]
        for theirs, ours in zip(*sessions):
            self.assertEqual(re.sub(r"\d+", "9", theirs).split()[:6], re.sub(r"\d+", "9", ours).split()[:6])
        for session in sessions:
            offset = float(re.search(r"Clock was (\S+) seconds fast", session[1]).group(1))
            self.assertAlmostEqual(offset, -3600, delta=1.5 + self.took)
            self.assertIn("Frequency change = 0.00ppm, new frequency = 0.00ppm", session[1])
            slow = float(re.search(r"System time +: (\S+) seconds slow", session[3]).group(1))
            self.assertAlmostEqual(slow, 3600, delta=1.5 + self.took)
            self.assertIn("Stratum         : 7", session[3])
            self.assertRegex(session[4], r" 0 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +-?0\.00 +-(3[56]\d\d)\.\d\d +-?0\.00")

    def test_initial_offset(self):
        """initstepslew measures before the sources start, with and without an answer"""
        daemon = self.ours(f"initstepslew 10 {UPSTREAM[0]}", f"server {UPSTREAM[1]} iburst minpoll 1")
        self.assertEqual([row[2] for row in self.rows("sources")], [UPSTREAM[0]])
        self.await_text(daemon, "System's initial offset : 0.00")
        self.assertEqual([row[2] for row in self.rows("sources")], [UPSTREAM[1]])
        self.await_text(daemon, f"Selected source {UPSTREAM[1]}")
        daemon.stop()
        daemon = self.ours(f"initstepslew 10 {SILENT}", f"server {UPSTREAM[1]} iburst", options=["-R"])
        self.assertEqual([row[2] for row in self.rows("sources")], [UPSTREAM[1]])
        daemon.stop()
        daemon = self.ours(f"initstepslew 10 {SILENT}", f"server {UPSTREAM[1]} iburst")
        self.await_text(daemon, "No suitable source for initstepslew")
        self.await_text(daemon, f"Selected source {UPSTREAM[1]}")

    def test_onoffline(self):
        """onoffline asks the routing table"""
        daemon = self.ours(f"server {UPSTREAM[0]}", f"server {UNROUTED}")
        self.say("onoffline")
        self.await_text(daemon, f"Source {UNROUTED} offline")
        self.assertEqual(self.rows("activity"), [["1", "1", "0", "0", "0"]])
        self.host.must(["ip", "route", "add", "10.94.0.0/24", "via", UPSTREAM[0]])
        self.say("onoffline")
        self.await_text(daemon, f"Source {UNROUTED} online")
        self.assertEqual(self.rows("activity"), [["2", "0", "0", "0", "0"]])

    def test_reload_sources(self):
        """reload sources adds, removes and changes lines and leaves the others alone; bad lines are named"""
        directory = self.lab.dir / "sources"
        directory.mkdir()
        (directory / "a.sources").write_text(f"server {UPSTREAM[0]} iburst minpoll 1 maxpoll 1\n")
        daemon = self.ours(f"sourcedir {directory}")
        self.await_samples(4)
        (directory / "b.sources").write_text(f"server {UPSTREAM[1]} iburst\nserver {SILENT} minpoll 3\nnonsense\n")
        self.say("reload", "sources")
        self.await_text(daemon, "b.sources:3: expected server, pool or peer")
        self.assertEqual([row[2] for row in self.rows("sources")], [UPSTREAM[0], UPSTREAM[1], SILENT])
        self.assertGreaterEqual(int(self.rows("sourcestats")[0][1]), 3)
        (directory / "b.sources").write_text(f"server {SILENT} minpoll 5\n")
        self.say("reload", "sources")
        rows = {row[2]: row for row in self.rows("sources")}
        self.assertEqual(set(rows), {UPSTREAM[0], SILENT})
        self.assertEqual(rows[SILENT][4], "5")
        self.assertGreaterEqual(int(self.rows("sourcestats")[0][1]), 3)
        (directory / "b.sources").unlink()
        self.say("reload", "sources")
        self.assertEqual([row[2] for row in self.rows("sources")], [UPSTREAM[0]])

    SAME = (["minpoll", UPSTREAM[0], "20"], ["maxpoll", UPSTREAM[0], "3"], ["minpoll", UPSTREAM[0], "25"], ["polltarget", UPSTREAM[0], "0"],
            ["minstratum", UPSTREAM[0], "5"], ["maxdelay", UPSTREAM[0], "0.1"], ["maxdelayratio", UPSTREAM[0], "2"],
            ["maxdelaydevratio", UPSTREAM[0], "5"], ["minpoll", SILENT, "3"], ["burst", "1/2"], ["burst", "0/0"], ["burst", "1/2", SILENT],
            ["offline", UPSTREAM[1]], ["offline", SILENT], ["online"], ["onoffline"], ["delete", SILENT], ["add", "server", UPSTREAM[0]],
            ["maxupdateskew", "100"], ["reselect"], ["reselectdist", "0.001"], ["makestep", "1", "3"], ["dfreq", "0.1"], ["doffset", "0.00001"],
            ["refresh"], ["reload", "sources"], ["reset", "sources"], ["dump"], ["cyclelogs"], ["delete", UPSTREAM[1]],
            ["manual", "delete", "0"], ["settime", "12:00"], ["writertc"], ["trimrtc"])

    def answers(self, process):
        self.daemon = process
        said = []
        for command in self.SAME:
            output = peers.chronyc(self.host, *command)
            said.append((command, output.code, output.text.strip()))
        # Not the stratum: whether an answer has come in since the source was reset is a matter of milliseconds.
        said.append(("sources", [row[:3] + row[4:5] for row in self.rows("sources")]))
        process.stop()
        return said

    def test_same_answers(self):
        """every command that changes something is answered as a stock chronyd answers it, and does the same to the poll intervals"""
        lines = [f"server {address} minpoll 4" for address in UPSTREAM]
        theirs, ours = (self.answers(start(*lines)) for start in (self.stock, self.ours))
        for expected, found in zip(theirs, ours):
            self.assertEqual(found, expected)


class DataPlanePeers(unittest.TestCase):
    def check(self, transport):
        """Two daemons that are each other's peer, ours behind a data plane; an ordinary client is still the workers'."""
        world.require(transport)
        config = f"{world.ALLOW}peer {world.CLIENT_V4} minpoll 0 maxpoll 0\n"
        with world.World(transport, config, start=False) as w:
            w.client.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "user root", "local stratum 3", "allow",
                            f"peer {world.V4} minpoll 0 maxpoll 0"], peers.environment(), "stock")
            w.start()
            self.assertTrue(w.daemon.wait_for(f"Selected source {world.CLIENT_V4}"), w.daemon.log)
            rows = [line.split(",") for line in w.chronyc("-c", "sources").text.splitlines()]
            self.assertEqual((rows[0][0], rows[0][1]), ("=", "*"))
            reply = w.ask(world.V4)
            self.assertIsNotNone(reply)
            if transport == "af_xdp":
                self.assertGreater(w.metric("wiretime_xdp_frames_total", reason="peer") or 0, 0, w.metrics_text())

    def test_af_xdp(self):
        """a peer is followed on an af_xdp interface"""
        self.check("af_xdp")

    def test_af_packet(self):
        """a peer is followed on an af_packet interface"""
        self.check("af_packet")


if __name__ == "__main__":
    tap.main()
