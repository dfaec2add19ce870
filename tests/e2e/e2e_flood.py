#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A flood from wireload (a million clients' valid requests, as fast as it can, through AF_XDP) leaves the daemon healthy.

Meanwhile a well-behaved client asks on a second wire, an upstream server there is polled every second, and chronyc pages through
the client table. On kernel sockets the flood is more than the daemon can answer; how much is lost is told and not judged, nor is any
speed. WIRETIME_E2E_LONG=1 floods for 60 s, else 10 s.
"""
import json
import os
import re
import time
import unittest

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
        self.assertTrue(self.world.daemon.wait_for("Selected source", 20), self.world.daemon.log)

    def flood(self):
        words = [os.environ["WIRELOAD"], "--port", "af_xdp cli0", "--to", world.V4, "--from", PREFIX, "--address", world.CLIENT_V4,
                 "--clients", CLIENTS, "--flood", "--time", f"{SECONDS}s", "--clock-bound", "10s",
                 "--json", world.scratch(self.world, "flood.json")]
        return self.world.client.spawn(words, name="wireload")

    def ask_from_the_side(self):
        """The well-behaved client: how many of ten requests were answered, each answer valid."""
        answered = 0
        client, self.world.client = self.world.client, self.side
        for _ in range(10):
            reply = self.world.ask(SIDE_SERVER, timeout=1)
            if reply:
                answered += 1
                self.assertEqual((reply.mode, reply.leap, reply.stratum), (4, 0, 2))
                self.assertLess(abs(reply.seconds() - time.time()), 2)
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
        polls, flood = self.polls(), self.flood()
        self.assertTrue(flood.wait_for("answered", 20), flood.log)
        began = time.monotonic()
        paging = [self.page("-p", 1), self.page("-r")]
        answered = asked = 0
        slowest = 0.0
        while flood.running() and time.monotonic() - began < SECONDS + 30:
            self.assertTrue(self.world.daemon.running(), self.world.daemon.log[-3000:])
            answered, asked = answered + self.ask_from_the_side(), asked + 10
            started = time.monotonic()
            for command in ("tracking", "serverstats"):
                self.assertEqual(self.world.chronyc(command).code, 0, f"chronyc {command} failed under load")
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.2)
        self.assertEqual(flood.wait(10), 0, flood.log[-3000:])
        self.check_step(json.loads(world.scratch(self.world, "flood.json").read_text())["steps"][0])
        lasted = time.monotonic() - began
        listed = [len(pager.log.splitlines()) for pager in paging]
        for pager in paging:
            self.assertNotIn("501", pager.log[-200:])
            pager.stop()
        sent, heard = (now - was for now, was in zip(self.polls(), polls))
        print(f"# side client {answered} of {asked}, slowest chronyc pair {slowest:.2f} s, listed {listed}, "
              f"{heard} of {sent} polls of the upstream server answered in {lasted:.1f} s")
        self.assertGreater(answered, 0, "a well-behaved client got no answer")
        self.assertGreater(sent, lasted / 5, "the upstream server is not polled on schedule")
        self.assertGreater(heard, sent / 2, "the upstream server's answers do not come through")
        self.assertGreater(min(listed), 10, "chronyc does not get through the clients")
        self.after()

    def check_step(self, step):
        print(f"# {step['sent'] / step['seconds']:.0f} sent a second, {step['answered'] / step['seconds']:.0f} answered")
        self.assertGreater(step["answered"], 100 * step["seconds"], "hardly anything was answered")
        self.assertEqual((step["invalid"], step["invalid_reasons"]), (0, []))
        self.assertEqual(step["kiss"], 0)

    def after(self):
        """Calm again: everybody is served, the log is quiet, it stops cleanly."""
        for server in (world.V4, world.V6):
            self.assertTrue(any(self.world.ask(server, timeout=1) for _ in range(5)), f"no answer on {server} after the flood")
        self.assertEqual(self.ask_from_the_side(), 10)
        self.assertLess(len(self.world.daemon.log.splitlines()), 200, "the log grew with the flood")
        self.assertEqual(self.world.daemon.stop(), 0, self.world.daemon.log[-2000:])


class AfXdp(Flood, unittest.TestCase):
    transport = "af_xdp"


class KernelSockets(Flood, unittest.TestCase):
    transport = "kernel"


if __name__ == "__main__":
    tap.main()
