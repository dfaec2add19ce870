#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A chain of servers: strata, reference ids and root distances add up along it; its middle outlives its upstream.

    top (stock chronyd, stratum 1) == slow wire == middle (the daemon under test) == slow wire == leaves (chronyd, ntpd, ours)

Top and middle claim a clock precision of a millisecond: that much dispersion every measurement of theirs must carry.
"""
import hashlib
import ipaddress
import re
import time
import unittest
import urllib.request

import lab as labs
import peers
import tap
import world

TOP, TOP_SIDE, LEAF_SIDE, LEAF = "10.97.0.1", "10.97.0.2", "10.96.0.1", "10.96.0.2"
SIX = {TOP: "fd97::1", TOP_SIDE: "fd97::2", LEAF_SIDE: "fd96::1", LEAF: "fd96::2"}
ROUND_TRIP = 40e-3   # of each slow wire
PRECISION = 2**-10   # s; timestamps are random below it
NOISE = 12e-3        # of a delay: several daemons and two Python programs share two CPUs with whatever else runs
POLLS = "iburst minpoll 2 maxpoll 2"


def reference_id(address):
    """RFC 5905 section 7.3: an IPv4 address itself, the first four bytes of the MD5 of an IPv6 address."""
    packed = ipaddress.ip_address(address).packed
    return (packed if len(packed) == 4 else hashlib.md5(packed, usedforsecurity=False).digest()[:4]).hex().upper()


class View:
    """What one daemon says of itself, and of the server it follows as that server's packets say."""

    def __init__(self, stratum, refid, delay, dispersion, above_delay, above_dispersion, peer_delay):
        self.stratum, self.refid = int(stratum), refid
        self.delay, self.dispersion = float(delay), float(dispersion)
        self.above_delay, self.above_dispersion, self.peer_delay = float(above_delay), float(above_dispersion), float(peer_delay)

    def __str__(self):
        return ", ".join(f"{name} {value}" for name, value in vars(self).items())


def chrony_view(host, of=None):
    row, data = peers.ask(host, "tracking", of=of)[0], peers.ask(host, "ntpdata", of=of)[0]
    return View(row[2], row[0], row[10], row[11], data[13], data[14], data[19])


def ntpsec_view(host):
    def read(command):
        text = host.run([peers.program("usr/bin/ntpq"), "-n", "-c", command, "127.0.0.1"], 15, peers.environment()).text
        return dict(re.findall(r"\b(\w+)=([^,\s]+)", text))
    system, source = read("rv"), read("rv &1")
    milliseconds = [float(values.get(name, 0)) / 1e3 for values, name in (
        (system, "rootdelay"), (system, "rootdisp"), (source, "rootdelay"), (source, "rootdisp"), (source, "delay"))]
    refid = system.get("refid", "")
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", refid):
        refid = ipaddress.ip_address(refid).packed.hex().upper()
    return View(system.get("stratum", 16), refid, *milliseconds)


class Chain:
    six = False
    transport = "kernel"

    @classmethod
    def address(cls, name):
        return SIX[name] if cls.six else name

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.top, cls.middle, cls.leaves = (cls.lab.host(name) for name in ("top", "middle", "leaves"))
        cls.lab.slow_wire(cls.top, "top0", cls.middle, "mid0", ROUND_TRIP / 2)
        cls.lab.slow_wire(cls.middle, "mid1", cls.leaves, "leaf0", ROUND_TRIP / 2)
        for host, interface, name in ((cls.top, "top0", TOP), (cls.middle, "mid0", TOP_SIDE), (cls.middle, "mid1", LEAF_SIDE),
                                      (cls.leaves, "leaf0", LEAF)):
            host.address(interface, f"{name}/24", f"{SIX[name]}/64")
        cls.start_top()
        directives = [f"server {cls.address(TOP)} {POLLS}", "allow", f"clockprecision {PRECISION}", "user root", *cls.middle_directives()]
        cls.daemon = cls.middle.spawn([world.wiretimed(), "-d", "-x", *directives], name="middle")
        if not cls.daemon.wait_for("Selected source"):
            raise AssertionError(f"the middle follows nobody\n{cls.daemon.log}")

    @classmethod
    def start_top(cls):
        cls.top_daemon = peers.chronyd(cls.top, "top", "local stratum 1", "allow", f"clockprecision {PRECISION}")

    @classmethod
    def middle_directives(cls):
        if cls.transport == "kernel":
            return []
        return [f"dataplane {cls.transport} mid1", "metricsport 9123", "bindmetricsaddress 127.0.0.1"]


class AddsUp(Chain):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = cls.address(LEAF_SIDE)
        config = cls.lab.dir / "ntpsec.conf"
        config.write_text(f"server {server} {POLLS}\nrestrict default nomodify\nrestrict 127.0.0.1\n"
                          "disable ntp\n")  # follows and reports, but is not allowed to set a clock here
        cls.leaves.spawn([peers.program("usr/sbin/ntpd"), "-n", "-c", config], peers.environment(), "ntpsec")
        peers.chronyd(cls.leaves, "stock", "port 0", f"server {server} {POLLS}")
        cls.leaf_daemon = cls.leaves.spawn([world.wiretimed(), "-d", "-x", "user root", "port 0", f"server {server} {POLLS}"], name="leaf")

    def eventually(self, check, view, *arguments):
        """At the start a daemon is not sure of its own frequency, ntpd for some eight samples: it settles. A machine that was kept
        busy by others is measured again, too."""
        try:
            labs.eventually(lambda: check(view(*arguments)), timeout=180, pause=1)
        except AssertionError as wrong:
            self.fail(f"{wrong}\n--- middle\n{self.daemon.log}\n--- leaf\n{self.leaf_daemon.log}")

    def adds_up(self, seen):
        self.assertEqual((seen.stratum, seen.refid), (3, reference_id(self.address(LEAF_SIDE))), seen)
        self.is_delay(seen.above_delay, 1, seen)
        self.is_delay(seen.delay, 2, seen)
        self.is_dispersion(seen.above_dispersion, 1, seen)
        self.is_dispersion(seen.dispersion, 2, seen)

    def middle_adds_up(self, seen):
        self.assertEqual((seen.stratum, seen.refid), (2, reference_id(self.address(TOP))), seen)
        self.assertEqual((seen.above_delay, seen.above_dispersion), (0, 0), seen)
        self.is_delay(seen.delay, 1, seen)
        self.is_dispersion(seen.dispersion, 1, seen)

    def is_delay(self, value, wires, context):
        self.assertGreaterEqual(value, wires * (ROUND_TRIP - 2 * PRECISION), context)
        self.assertLess(value, wires * (ROUND_TRIP + NOISE), context)

    def is_dispersion(self, value, measurements, context):
        self.assertGreaterEqual(value, measurements * PRECISION - 2**-15, context)
        self.assertLess(value, measurements * (PRECISION + NOISE), context)

    def test_middle(self):
        """the middle is one below the top, has its address as reference id, and the wire's delay as root delay"""
        self.eventually(self.middle_adds_up, chrony_view, self.middle)

    def test_chronyd(self):
        """a stock chronyd below the middle: stratum 3, our address, delay and dispersion on top of ours"""
        self.eventually(self.adds_up, chrony_view, self.leaves, "stock")

    def test_ntpsec(self):
        """ntpsec's ntpd below the middle: the same"""
        self.eventually(self.adds_up, ntpsec_view, self.leaves)

    def test_ours(self):
        """the daemon under test below another of its kind: the same"""
        self.eventually(self.adds_up, chrony_view, self.leaves)

    def test_who_answers(self):
        """with a data plane it is a worker that gave these answers"""
        if self.transport == "kernel":
            return self.assertNotIn("dataplane", " ".join(map(str, self.daemon.argv)))
        with self.middle.network(), urllib.request.urlopen("http://127.0.0.1:9123/metrics", timeout=labs.PATIENCE) as reply:
            lines = [line for line in reply.read().decode().splitlines() if 'verdict="answered"' in line]
        answered = {"kernel" if 'port="kernel"' in line else "worker": float(line.rsplit(" ", 1)[1]) for line in lines}
        self.assertGreater(answered["worker"], 5, lines)
        self.assertEqual(answered["kernel"], 0, lines)


class KernelSockets(AddsUp, unittest.TestCase):
    pass


class KernelSocketsIPv6(AddsUp, unittest.TestCase):
    six = True


class AfXdp(AddsUp, unittest.TestCase):
    transport = "af_xdp"


class Holdover(Chain, unittest.TestCase):
    DISTANCE = 0.045

    @classmethod
    def middle_directives(cls):
        return [f"local stratum 8 distance {cls.DISTANCE}", "maxclockerror 1000"]

    def served(self):
        """What the middle's answer says: leap, stratum, reference id, root delay, root dispersion; and its time."""
        reply = world.World.ask(self, LEAF_SIDE)
        self.assertIsNotNone(reply, f"no answer\n{self.daemon.log}")
        header = reply.payload
        return (header[0] >> 6, header[1], header[12:16].hex().upper(), int.from_bytes(header[4:8], "big") / 65536,
                int.from_bytes(header[8:12], "big") / 65536, reply.seconds())

    @property
    def client(self):
        return self.leaves

    def await_stratum(self, stratum):
        deadline = time.monotonic() + 2 * labs.PATIENCE
        while (seen := self.served())[1] != stratum:
            self.assertLess(time.monotonic(), deadline, f"{seen}\n{self.daemon.log}")
            time.sleep(0.5)
        return seen

    def test_holdover(self):
        """without its upstream the middle holds over, ever less sure, until local takes over; the upstream's return ends that"""
        self.await_stratum(2)
        self.top_daemon.stop()
        held = []
        while (seen := self.served())[1] == 2:
            held.append(seen)
            self.assertLess(len(held), 120, f"local never took over: {seen}\n{self.daemon.log}")
            time.sleep(0.5)
        self.assertTrue(all(seen[:3] == (0, 2, reference_id(TOP)) for seen in held), held)
        # 1 ms/s for the clock, and what the last samples left unsure of its frequency.
        dispersion = [seen[4] for seen in held]
        later = dispersion[-15:]
        self.assertEqual(later, sorted(later))
        growth = (later[-1] - later[0]) / (held[-1][5] - held[-len(later)][5])
        self.assertGreater(growth, 0.9e-3)
        self.assertLess(growth, 5e-3)
        self.assertLessEqual(held[-1][3] / 2 + held[-1][4], self.DISTANCE + 2 * growth)  # renewed every second
        unseen = seen[5] - held[-1][5]
        self.assertGreater(held[-1][3] / 2 + held[-1][4], self.DISTANCE - (1 + unseen) * growth - 1e-3, "local came too soon")
        self.assertEqual(seen[:5], (0, 8, "7F7F0101", 0, 0))
        row = peers.ask(self.middle, "tracking")[0]
        self.assertEqual((row[0], row[2], row[10], row[-1]), ("7F7F0101", "8", "0.000000000", "Normal"))
        self.start_top()
        self.assertEqual(self.await_stratum(2)[2], reference_id(TOP))


if __name__ == "__main__":
    tap.main()
