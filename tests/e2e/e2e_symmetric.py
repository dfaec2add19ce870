#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Symmetric associations (`peer`) with a stock chronyd, each side leading and each following, basic and interleaved, IPv4 and IPv6."""
import time
import unittest

import agree
import lab as labs
import peers
import tap
import world

OURS, STOCK = ("10.94.0.1", "fd94::1"), ("10.94.0.2", "fd94::2")
POLLS = "minpoll 1 maxpoll 1"
INTERLEAVED = list(agree.NTPDATA).index("interleaved")
LEADS = ("local stratum 3",)


class Symmetric(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require()

    def setUp(self):
        self.lab = labs.Lab()
        self.addCleanup(self.lab.close)
        self.here, self.there = self.lab.host("ours"), self.lab.host("stock")
        self.lab.wire(self.here, "peer0", self.there, "peer1")
        for host, interface, (four, six) in ((self.here, "peer0", OURS), (self.there, "peer1", STOCK)):
            host.address(interface, f"{four}/24", f"{six}/64")

    def begin(self, ours=(), stock=()):
        self.stock = peers.chronyd(self.there, "stock", "allow", *stock)
        self.daemon = self.here.spawn([world.wiretimed(), "-d", "-x", "user root", "allow", *ours], name="daemon")

    def follows(self, host, of, address, mode, interleaved=False, timeout=180):
        """Until that daemon follows its peer at `address`, whose packets have that mode."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                row, data = peers.ask(host, "sources", of=of)[0], peers.ask(host, "ntpdata", address, of=of)[0]
                self.assertEqual((row[0], row[1], row[2], row[3]), ("=", "*", address, "3"))
                self.assertGreater(int(row[5], 8), 1)
                self.assertLess(abs(float(row[7])), 5e-3)
                self.assertEqual((data[7], data[INTERLEAVED]), (mode, "Yes" if interleaved else "No"))
                tracking = peers.ask(host, "tracking", of=of)[0]
                self.assertEqual((tracking[1], tracking[2], tracking[-1]), (address, "4", "Normal"))
                return
            except AssertionError as wrong:
                if time.monotonic() > deadline:
                    self.fail(f"{wrong}\n--- ours\n{self.daemon.log}\n--- stock\n{self.stock.log}")
            time.sleep(0.5)

    def active(self, ours, stock, family, xleave=""):
        self.begin((f"peer {STOCK[family]} {POLLS} {xleave}", *ours), (f"peer {OURS[family]} {POLLS} {xleave}", *stock))

    def test_we_follow(self):
        """both active: we follow the stock peer"""
        self.active((), LEADS, 0)
        self.follows(self.here, None, STOCK[0], "Symmetric active")

    def test_we_lead(self):
        """both active: the stock peer follows us"""
        self.active(LEADS, (), 0)
        self.follows(self.there, "stock", OURS[0], "Symmetric active")

    def test_interleaved(self):
        """both active with xleave: we follow in interleaved mode, over IPv6"""
        self.active((), LEADS, 1, "xleave")
        self.follows(self.here, None, STOCK[1], "Symmetric active", interleaved=True)

    def test_interleaved_lead(self):
        """both active with xleave: the stock peer follows us in interleaved mode"""
        self.active(LEADS, (), 0, "xleave")
        self.follows(self.there, "stock", OURS[0], "Symmetric active", interleaved=True)

    def test_we_are_passive(self):
        """a stock peer that we do not know is answered in passive mode, and follows"""
        self.begin(LEADS, (f"peer {OURS[0]} {POLLS}",))
        self.follows(self.there, "stock", OURS[0], "Symmetric passive")

    def test_stock_is_passive(self):
        """a stock server that does not know us answers in passive mode, and we follow"""
        self.begin((f"peer {STOCK[1]} {POLLS}",), LEADS)
        self.follows(self.here, None, STOCK[1], "Symmetric passive")


if __name__ == "__main__":
    tap.main()
