#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A leap second at the end of 2026, for daemons whose clocks are shifted to that night: stepped, and smeared from noon to noon."""
import calendar
import os
import re
import socket
import struct
import time
import unittest

import lab as labs
import peers
import tap
import world

UPSTREAM, STEPS, SMEARS, SAYS = "10.97.0.1", "10.97.0.2", "10.97.0.3", "10.97.0.9"
MIDNIGHT = calendar.timegm((2027, 1, 1, 0, 0, 0))
ERA = 2208988800  # s, 1900 to 1970
LIST = "".join(f"{calendar.timegm((year, month, 1, 0, 0, 0)) + ERA} {offset}\n" for year, month, offset in (
    (2009, 1, 34), (2012, 7, 35), (2015, 7, 36), (2017, 1, 37), (2027, 1, 38)))
SMEARED_FOR = 6 * 3600  # s since noon
SMEARED = -SMEARED_FOR / 86401


class Leap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require()
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.upstream, cls.host = (cls.lab.host(name) for name in ("upstream", "host"))
        cls.lab.wire(cls.upstream, "up0", cls.host, "down0")
        cls.upstream.address("up0", f"{UPSTREAM}/24", f"{SAYS}/24")
        cls.host.address("down0", f"{STEPS}/24", f"{SMEARS}/24")
        (cls.lab.dir / "leap.list").write_text(LIST)
        # The shift puts midnight, or the middle of the smear, so many seconds from now.
        cls.to_midnight = MIDNIGHT - 45 - time.time()
        cls.to_smear = MIDNIGHT - 43200 + SMEARED_FOR - time.time()
        cls.steps = cls.follow("steps", STEPS, cls.to_midnight)
        cls.smears = cls.follow("smears", SMEARS, cls.to_smear, "smoothtime linear")
        for daemon in (cls.steps, cls.smears):
            if not daemon.wait_for("Selected source", 30):
                raise AssertionError(daemon.log)

    @classmethod
    def follow(cls, name, address, shift, *lines):
        """The daemon under test with a shifted clock, and a stock server for it whose clock is shifted alike and that knows of no
        leap second."""
        port = 1000 + int(address.rsplit(".", 1)[1])
        peers.chronyd(cls.upstream, name, f"bindaddress {UPSTREAM}", f"port {port}", "allow", "local stratum 1", fast_by=shift)
        environment = {"LD_PRELOAD": os.environ["WIRETIME_CLOCK_SHIFT"], "CLOCK_SHIFT": str(shift)}
        return cls.host.spawn([world.wiretimed(), "-4", "-d", "-x", "user root", f"pidfile /run/{name}.pid", "cmdport 0",
                               f"bindcmdaddress /run/{name}/sock", f"bindaddress {address}", "allow",
                               f"leapseclist {cls.lab.dir}/leap.list",
                               f"server {UPSTREAM} port {port} iburst minpoll 2 maxpoll 2", *lines], environment, name)

    def ask(self, address, shift):
        """Leap indicator, reference id, and by how much the reply is ahead of the shifted clock."""
        with self.upstream.network():
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with asking:
            asking.settimeout(5)
            began = time.time()
            asking.sendto(bytes([0x23]) + bytes(39) + struct.pack("!Q", int(began * 2**20)), (address, 123))
            reply = asking.recv(256)
            ended = time.time()
        received, sent = (value / 2**32 - ERA for value in struct.unpack("!QQ", reply[32:48]))
        return reply[0] >> 6, reply[12:16].hex(), (received + sent) / 2 - (began + ended) / 2 - shift

    def test_smear(self):
        """six hours into a smear clients get a quarter of a second less, no announcement, and the refid that says why"""
        leap, refid, ahead = self.ask(SMEARS, self.to_smear)
        self.assertEqual((leap, refid), (0, "7f7f01ff"))
        self.assertAlmostEqual(ahead, SMEARED, delta=0.02)
        text = peers.chronyc(self.host, "-h", "/run/smears/sock", "smoothing").text
        self.assertIn("Yes (leap second only)", text)
        self.assertAlmostEqual(float(re.search(r"Offset +: ([-+0-9.]+)", text)[1]), SMEARED, delta=0.01)
        self.assertAlmostEqual(float(re.search(r"Frequency +: ([-+0-9.]+)", text)[1]), -1e6 / 86401, delta=0.001)
        row = peers.ask(self.host, "tracking", of="smears")[0]
        self.assertEqual((row[1], row[-1]), (UPSTREAM, "Insert second"))
        self.assertLess(abs(float(row[4])), 1e-3)  # our own idea of the time is not smeared

    def test_step(self):
        """clients are told of the leap second, not served across it, and served a second less after it"""
        self.assertEqual(peers.ask(self.host, "tracking", of="steps")[0][-1], "Insert second")
        leap, refid, ahead = self.ask(STEPS, self.to_midnight)
        self.assertEqual(leap, 1)
        self.assertAlmostEqual(ahead, 0, delta=0.02)
        time.sleep(max(0, MIDNIGHT - self.to_midnight + 1 - time.time()))
        leap, refid, ahead = self.ask(STEPS, self.to_midnight)
        self.assertEqual(leap, 3)
        self.assertAlmostEqual(ahead, -1, delta=0.02)
        time.sleep(max(0, MIDNIGHT - self.to_midnight + 3.5 - time.time()))
        leap, refid, ahead = self.ask(STEPS, self.to_midnight)
        self.assertEqual(leap, 0)
        self.assertAlmostEqual(ahead, -1, delta=0.02)
        for line in (f"Using leap second list {self.lab.dir}/leap.list", "System clock was stepped for leap second"):
            self.assertIn(line, self.steps.log)


if __name__ == "__main__":
    tap.main()
