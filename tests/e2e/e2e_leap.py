#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A leap second at the end of 2026, for daemons whose clocks are shifted to that night: stepped, and smeared from noon to noon."""
import calendar
import itertools
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

    @classmethod
    def follow(cls, name, address, port, shift, *lines):
        """The daemon under test with a shifted clock, and a stock server for it whose clock is shifted alike and that knows of no
        leap second."""
        peers.chronyd(cls.upstream, name, f"bindaddress {UPSTREAM}", f"port {port}", "allow", "local stratum 1", fast_by=shift)
        environment = {"LD_PRELOAD": os.environ["WIRETIME_CLOCK_SHIFT"], "CLOCK_SHIFT": str(shift)}
        daemon = cls.host.spawn([world.wiretimed(), "-4", "-d", "-x", "user root", f"pidfile /run/{name}.pid", "cmdport 0",
                               f"bindcmdaddress /run/{name}/sock", f"bindaddress {address}", "allow",
                               f"leapseclist {cls.lab.dir}/leap.list",
                               f"server {UPSTREAM} port {port} iburst minpoll 2 maxpoll 2", *lines], environment, name)
        if not daemon.wait_for("Selected source"):
            raise AssertionError(daemon.log)
        return daemon

    def ask(self, address, shift):
        """Leap indicator, reference id, by how much the reply is ahead of the shifted clock, how far that may be off, and when it
        says that it was sent."""
        with self.upstream.network():
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with asking:
            asking.settimeout(labs.PATIENCE)
            began = time.time()
            asking.sendto(bytes([0x23]) + bytes(39) + struct.pack("!Q", int(began * 2**20)), (address, 123))
            reply = asking.recv(256)
            ended = time.time()
        received, sent = (value / 2**32 - ERA for value in struct.unpack("!QQ", reply[32:48]))
        return reply[0] >> 6, reply[12:16].hex(), (received + sent) / 2 - (began + ended) / 2 - shift, 0.02 + (ended - began) / 2, sent

    def test_smear(self):
        """six hours into a smear clients get a quarter of a second less, no announcement, and the refid that says why"""
        to_smear = MIDNIGHT - 43200 + SMEARED_FOR - time.time()
        self.follow("smears", SMEARS, 1001, to_smear, "smoothtime linear")
        leap, refid, ahead, error, _ = self.ask(SMEARS, to_smear)
        self.assertEqual((leap, refid), (0, "7f7f01ff"))
        self.assertAlmostEqual(ahead, SMEARED, delta=error)
        text = peers.chronyc(self.host, "-h", "/run/smears/sock", "smoothing").text
        self.assertIn("Yes (leap second only)", text)
        self.assertAlmostEqual(float(re.search(r"Offset +: ([-+0-9.]+)", text)[1]), SMEARED, delta=0.01)
        self.assertAlmostEqual(float(re.search(r"Frequency +: ([-+0-9.]+)", text)[1]), -1e6 / 86401, delta=0.001)
        row = peers.ask(self.host, "tracking", of="smears")[0]
        self.assertEqual((row[1], row[-1]), (UPSTREAM, "Insert second"))
        self.assertLess(abs(float(row[4])), abs(SMEARED) / 10)  # our own idea of the time is not smeared

    def test_step(self):
        """clients are told of the leap second, not served across it, and served a second less after it"""
        for attempt, lead in enumerate((40, 120, 300)):  # s: a busy machine may take longer to be ready than there is
            to_midnight = MIDNIGHT - lead - time.time()
            steps = self.follow(f"steps{attempt}", STEPS, 1002 + attempt, to_midnight)
            if peers.ask(self.host, "tracking", of=f"steps{attempt}")[0][-1] == "Insert second" and time.time() + to_midnight < MIDNIGHT - 5:
                break
            steps.stop()
        answers = [self.ask(STEPS, to_midnight)]
        time.sleep(max(0, MIDNIGHT - to_midnight - 1 - time.time()))
        while answers[-1][0] != 0:
            self.assertLess(time.time() + to_midnight, MIDNIGHT + labs.PATIENCE, f"{answers[-1]}\n{steps.log}")
            answers.append(self.ask(STEPS, to_midnight))
            time.sleep(0.05)
        self.assertEqual([leap for leap, *_ in itertools.groupby(leap for leap, *_ in answers)], [1, 3, 0], answers)
        for leap, _, ahead, error, sent in answers:
            if leap == 1:
                self.assertAlmostEqual(ahead, 0, delta=error)
                self.assertLess(sent, MIDNIGHT + 0.1)
        self.assertAlmostEqual(ahead, -1, delta=error)
        self.assertGreater(sent, MIDNIGHT)
        for line in (f"Using leap second list {self.lab.dir}/leap.list", "System clock was stepped for leap second"):
            self.assertIn(line, steps.log)


if __name__ == "__main__":
    tap.main()
