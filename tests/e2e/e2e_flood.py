#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A flood from testpmd (4,096 clients' valid requests, as fast as it can, through AF_XDP) leaves the daemon healthy.

A second wire carries a well-behaved client of the same worker. WIRETIME_E2E_LONG=1 floods for 60 s, else 10 s.
"""
import os
import re
import time
import unittest

import frames
import tap
import world

SECONDS = 60 if os.environ.get("WIRETIME_E2E_LONG") == "1" else 10
CLIENTS = 4096
SIDE_SERVER, SIDE_CLIENT = "10.97.0.1", "10.97.0.2"


class Flood:
    transport = None

    @classmethod
    def setUpClass(cls):
        reason = world.why_not(cls.transport) or world.why_not("af_xdp")
        if not reason and len(os.sched_getaffinity(0)) < 2:
            reason = "needs two CPUs: testpmd keeps one busy"
        if reason:
            raise unittest.SkipTest(reason)

    def setUp(self):
        self.world = world.World(self.transport, world.SERVE + world.ALLOW + "allow 10.97.0.0/16\n", start=False)
        self.addCleanup(self.world.close)
        self.world.lab.wire(self.world.server, "srv1", self.world.client, "cli1")
        self.world.server.address("srv1", f"{SIDE_SERVER}/16")
        self.world.client.address("cli1", f"{SIDE_CLIENT}/16")
        both = self.world.dataplane() + f"dataplane {self.transport} srv1\n"
        self.world.dataplane = lambda: both
        self.world.start()

    def requests(self):
        """A pcap with one valid request of each client, half of them over IPv6."""
        ours, theirs = self.world.client.mac("cli0"), self.world.server_mac()
        made = []
        for number in range(CLIENTS // 2):
            for source, server in ((f"10.99.{16 + number // 250}.{1 + number % 250}", world.V4), (f"fd99:0:2::{number + 1:x}", world.V6)):
                made.append(frames.ethernet(ours, theirs, frames.ip(source, server, frames.udp(source, server, frames.ntp(),
                                                                                              source_port=1024 + number))))
        path = world.scratch(self.world, "flood.pcap")
        frames.write_pcap(path, made)
        return path

    def check_bystander(self):
        """The well-behaved client on the other wire: how many of ten requests were answered, each answer valid."""
        answered = 0
        for _ in range(10):
            reply = self.world.ask(SIDE_SERVER, timeout=1)
            if reply:
                answered += 1
                self.assertEqual((reply.mode, reply.leap, reply.stratum), (4, 0, 10))
                self.assertLess(abs(reply.seconds() - time.time()), 2)
        return answered

    def test_flood(self):
        """the daemon stays healthy, answers are valid and chronyc is responsive throughout"""
        before = self.world.verdict("answered")
        pcap = self.requests()
        began = time.monotonic()
        flood = world.testpmd(self.world.client, f"net_pcap0,rx_pcap={pcap},infinite_rx=1", "net_af_xdp0,iface=cli0",
                              prefix="flood", extra=["--stats-period", "1"])
        answered = asked = rounds = 0
        slowest = 0.0
        while time.monotonic() - began < SECONDS:
            self.assertTrue(flood.running(), flood.log[-3000:])
            self.assertTrue(self.world.daemon.running(), self.world.daemon.log[-3000:])
            answered, asked, rounds = answered + self.check_bystander(), asked + 10, rounds + 1
            started = time.monotonic()
            for command in ("tracking", "serverstats"):
                self.assertEqual(self.world.chronyc(command).code, 0, f"chronyc {command} failed under load")
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.5)
        flood.stop()
        seconds = time.monotonic() - began
        returned = re.search(r"Forward statistics for port 1 +-+\s+RX-packets: (\d+)", flood.log)
        rate = (self.world.verdict("answered") - before) / seconds
        print(f"# {rate:.0f} answered a second for {seconds:.0f} s, bystander {answered} of {asked}, slowest chronyc pair {slowest:.2f} s")
        self.assertGreater(rate, 5000, f"hardly anything was answered\n{flood.log[-3000:]}")
        self.assertIsNotNone(returned, flood.log[-3000:])
        self.assertGreater(int(returned[1]), 1000 * SECONDS, f"answers do not come back to the flooder\n{flood.log[-3000:]}")
        self.assertGreater(answered, asked * 0.5, "a well-behaved client got too few answers")
        self.assertLess(slowest, 5)
        self.after()

    def after(self):
        """Calm again: everybody is served, the flooders are listed, the log is quiet, it stops cleanly."""
        for server in (world.V4, world.V6, SIDE_SERVER):
            self.assertTrue(any(self.world.ask(server, timeout=1) for _ in range(5)), f"no answer on {server} after the flood")
        listed = self.world.clients()
        flooders = [address for address in listed if address.startswith(("10.99.", "fd99:0:2:"))]
        self.assertGreater(len(flooders), CLIENTS // 4)
        self.assertTrue(all(len(counts) == 1 for counts in listed.values()), "a client is listed more than once")
        self.assertLess(len(self.world.daemon.log.splitlines()), 200, "the log grew with the flood")
        self.assertEqual(self.world.daemon.stop(), 0, self.world.daemon.log[-2000:])


class AfXdp(Flood, unittest.TestCase):
    transport = "af_xdp"


if __name__ == "__main__":
    tap.main()
