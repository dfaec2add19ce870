#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A flood from wireload (a million clients' valid requests, as fast as it can, through AF_XDP) leaves the daemon healthy.

Meanwhile a well-behaved client asks on a second wire, an upstream server there is polled every second, and chronyc pages through
the client table. On kernel sockets the flood is more than the daemon can answer; how much is lost is told and not judged, nor is any
speed. WIRETIME_E2E_LONG=1 floods for 60 s, else 10 s, and as long as it takes until everybody had a turn.
"""
import json
import os
import re
import signal
import time
import unittest

import lab as labs
import peers
import tap
import world

SECONDS = 60 if os.environ.get("WIRETIME_E2E_LONG") == "1" else 10
CLIENTS, PREFIX = 1 << 20, "10.64.0.0/12"
SIDE_SERVER, SIDE_CLIENT = "10.97.0.1", "10.97.0.2"
CONFIG = (world.SERVE + world.ALLOW + f"allow 10.97.0.0/16\nallow {PREFIX}\n"
          f"server {SIDE_CLIENT} iburst minpoll 0 maxpoll 0\n")


class Flood:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        world.require("af_xdp", wireload=True, cpus=2)  # wireload keeps one busy

    def setUp(self):
        self.world = world.World(self.transport, CONFIG, start=False)
        self.addCleanup(self.world.close)
        self.side = self.world.lab.host("side")
        self.world.lab.wire(self.world.server, "srv1", self.side, "side0")
        self.world.server.address("srv1", f"{SIDE_SERVER}/16")
        self.side.address("side0", f"{SIDE_CLIENT}/16")
        self.world.server.must(["ip", "route", "add", PREFIX, "via", world.CLIENT_V4])
        if self.transport != "kernel":
            both = self.world.dataplane() + f"dataplane {self.transport} srv1\n"
            self.world.dataplane = lambda: both
        peers.chronyd(self.side, "upstream", f"bindaddress {SIDE_CLIENT}", "allow", "local stratum 1")
        self.world.start()
        self.assertTrue(self.world.daemon.wait_for("Selected source"), self.world.daemon.log)

    def flood(self):
        words = [os.environ["WIRELOAD"], "--port", "af_xdp cli0", "--to", world.V4, "--from", PREFIX, "--address", world.CLIENT_V4,
                 "--clients", CLIENTS, "--flood", "--time", "600s", "--clock-bound", "30s",
                 "--json", world.scratch(self.world, "flood.json")]
        return self.world.client.spawn(words, name="wireload")

    def ask_from_the_side(self, timeout=20):
        """The well-behaved client: how many of ten requests were answered, each answer valid."""
        answered = 0
        client, self.world.client = self.world.client, self.side
        for _ in range(10):
            began = time.time()
            reply = self.world.ask(SIDE_SERVER, timeout=timeout)
            if reply:
                answered += 1
                self.assertEqual((reply.mode, reply.leap, reply.stratum), (4, 0, 2))
                self.assertLess(began - 0.5, reply.seconds())
                self.assertLess(reply.seconds(), time.time() + 0.5)
        self.world.client = client
        return answered

    def polls(self):
        """Requests sent to the upstream server and valid answers of it, so far."""
        text = self.world.chronyc("ntpdata", SIDE_CLIENT).text
        return [int(re.search(rf"^Total {what} *: (\d+)", text, re.M).group(1)) for what in ("TX", "valid RX")]

    def page(self, *options):
        """chronyc printing a million clients, eight a page, for as long as it is let."""
        return self.world.server.spawn([peers.program("usr/bin/chronyc"), "-n", "clients", *options], peers.environment(), "paging")

    def test_flood(self):
        """the daemon stays healthy, answers are valid, chronyc pages through the clients, the upstream server is polled"""
        polls, before, flood = self.polls(), self.world.verdict("answered"), self.flood()
        self.assertTrue(flood.wait_for("answered"), flood.log)
        began = time.monotonic()
        paging = [self.page("-p", 1), self.page("-r")]
        answered = asked = 0
        slowest, served = 0.0, False
        while flood.running() and (time.monotonic() - began < SECONDS or not served) and time.monotonic() - began < SECONDS + 180:
            self.assertTrue(self.world.daemon.running(), self.world.daemon.log[-3000:])
            answered, asked = answered + self.ask_from_the_side(timeout=2), asked + 10
            started = time.monotonic()
            for command in ("tracking", "serverstats"):
                self.assertEqual(self.world.chronyc(command).code, 0, f"chronyc {command} failed under load")
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.2)
            sent, heard = (now - was for now, was in zip(self.polls(), polls))
            listed = [len(pager.log.splitlines()) for pager in paging]
            served = answered > 0 and sent >= SECONDS / 5 and heard >= SECONDS / 10 and min(listed) > 10
        lasted = time.monotonic() - began
        flood.signal(signal.SIGINT)
        self.assertEqual(flood.wait(), 0, flood.log[-3000:])
        self.check_step(json.loads(world.scratch(self.world, "flood.json").read_text())["steps"][0], before)
        for pager in paging:
            self.assertNotIn("501", pager.log[-200:])
            pager.stop()
        print(f"# side client {answered} of {asked}, slowest chronyc pair {slowest:.2f} s, listed {listed}, "
              f"{heard} of {sent} polls of the upstream server answered in {lasted:.1f} s")
        self.assertGreater(answered, 0, "a well-behaved client got no answer")
        self.assertGreaterEqual(sent, SECONDS / 5, "the upstream server is not polled on schedule")
        self.assertGreaterEqual(heard, SECONDS / 10, "the upstream server's answers do not come through")
        self.assertGreater(min(listed), 10, "chronyc does not get through the clients")
        self.after()

    def check_step(self, step, before):
        print(f"# {step['sent'] / step['seconds']:.0f} sent a second, {step['answered'] / step['seconds']:.0f} answered")
        self.assertGreater(step["answered"], 1000, "hardly anything was answered")
        labs.eventually(lambda: self.assertGreaterEqual(self.world.verdict("answered") - before, step["answered"]), pause=0.05)
        self.assertEqual((step["invalid"], step["invalid_reasons"]), (0, []))
        self.assertEqual(step["kiss"], 0)

    def after(self):
        """Calm again: everybody is served, the log is quiet, it stops cleanly."""
        for server in (world.V4, world.V6):
            self.assertTrue(any(self.world.ask(server, timeout=3) for _ in range(20)), f"no answer on {server} after the flood")
        self.assertEqual(self.ask_from_the_side(), 10)
        self.assertLess(len(self.world.daemon.log.splitlines()), 200, "the log grew with the flood")
        self.assertEqual(self.world.daemon.stop(), 0, self.world.daemon.log[-2000:])


class AfXdp(Flood, unittest.TestCase):
    transport = "af_xdp"


class KernelSockets(Flood, unittest.TestCase):
    transport = "kernel"


if __name__ == "__main__":
    tap.main()
