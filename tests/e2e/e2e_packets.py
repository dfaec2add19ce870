#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames made by hand: VLAN-tagged requests are answered in kind; broken, spoofed and foreign packets are counted under the
right name, never answered, and service goes on."""
import collections
import random
import re
import struct
import time

import frames
import lab as labs
import tap
import world

# Who must count it: NTP parsing on every transport; UDP on any data plane; frames where no XDP program chooses for us; fragments
# nowhere: DPDK's af_packet (which also feeds the memif here) has the kernel put them together first.
KERNEL, UDP, FRAME, NOBODY = 1, 2, 3, 4
LEVELS = {"kernel": KERNEL, "af_xdp": UDP, "af_packet": FRAME, "memif": FRAME}
MAC_AES = struct.pack("!I", 7) + bytes(range(16))


def datagram(source=world.CLIENT_V4, target=world.V4, payload=None, **options):
    ip_words = {key: options.pop(key) for key in ("flags", "offset", "options", "total_length", "ident") if key in options}
    ip_sum = options.pop("bad_ip_sum", False)
    if payload is None:
        payload = frames.ntp()
    return frames.ip(source, target, frames.udp(source, target, payload, **options), bad_sum=ip_sum, **ip_words)


def v6(payload=None, source=world.CLIENT_V6, target=world.V6, **options):
    return datagram(source, target, payload, **options)


# (name, layer, verdicts that are right, function making an IP packet or a whole frame from (source MAC, target MAC))
BAD = [
    ("20 bytes of NTP", KERNEL, ("ntp_too_short",), lambda: datagram(payload=frames.ntp()[:20])),
    ("an empty datagram", KERNEL, ("ntp_too_short",), lambda: datagram(payload=b"")),
    ("47 bytes over IPv6", KERNEL, ("ntp_too_short",), lambda: v6(frames.ntp()[:47])),
    ("1,400 bytes of zeros after the header", KERNEL, ("ntp_too_long", "ntp_extension_invalid"),
     lambda: datagram(payload=frames.ntp(length=1400))),
    ("50 bytes of NTP", KERNEL, ("ntp_length_unaligned",), lambda: datagram(payload=frames.ntp() + b"\0\0")),
    ("mode 6", KERNEL, ("ntp_mode_control",), lambda: datagram(payload=frames.ntp(2, 6))),
    ("an ntpq readvar of 12 bytes", KERNEL, ("ntp_mode_control", "ntp_too_short"),
     lambda: datagram(payload=bytes([0x16, 2, 0, 1]) + bytes(8))),
    ("mode 7", KERNEL, ("ntp_mode_private",), lambda: datagram(payload=frames.ntp(2, 7))),
    ("an ntpdc monlist of 8 bytes", KERNEL, ("ntp_mode_private", "ntp_too_short"),
     lambda: datagram(payload=bytes([0x17, 0, 3, 0x2A]) + bytes(4))),
    ("a server's answer", KERNEL, ("ntp_mode_response",), lambda: datagram(payload=frames.ntp(4, 4))),
    ("a symmetric passive answer", KERNEL, ("ntp_mode_response",), lambda: datagram(payload=frames.ntp(4, 2))),
    ("a broadcast over IPv6", KERNEL, ("ntp_mode_response",), lambda: v6(frames.ntp(4, 5))),
    ("version 0", KERNEL, ("ntp_version_unsupported",), lambda: datagram(payload=frames.ntp(0, 3))),
    ("version 5", KERNEL, ("ntp_version_unsupported",), lambda: datagram(payload=frames.ntp(5, 3))),
    ("version 4 mode 0", KERNEL, ("ntp_mode_reserved",), lambda: datagram(payload=frames.ntp(4, 0))),
    ("version 1 mode 0 from port 123", KERNEL, ("source_port_reflects",),
     lambda: datagram(payload=frames.ntp(1, 0), source_port=123)),
    ("a MAC with a key we do not have", KERNEL, ("ntp_mac_invalid",),
     lambda: datagram(payload=frames.ntp() + MAC_AES)),
    ("an extension field longer than the packet", KERNEL, ("ntp_extension_invalid",),
     lambda: datagram(payload=frames.ntp() + struct.pack("!HH", 0x0104, 400) + bytes(96))),
    ("a wrong UDP checksum", UDP, ("udp_checksum_bad",), lambda: datagram(bad_sum=True)),
    ("a wrong UDP checksum over IPv6", UDP, ("udp_checksum_bad",), lambda: v6(bad_sum=True)),
    ("no UDP checksum over IPv6", UDP, ("udp_checksum_bad",), lambda: v6(no_sum=True)),
    ("a UDP length beyond the packet", FRAME, ("udp_length_bad",), lambda: datagram(length=500)),
    ("our own address as source", UDP, ("source_own_address",), lambda: datagram(source=world.V4)),
    ("our own IPv6 address as source", UDP, ("source_own_address",), lambda: v6(source=world.V6)),
    ("the broadcast address as source", UDP, ("source_multicast",), lambda: datagram(source="255.255.255.255")),
    ("the subnet's broadcast address as source", UDP, ("source_multicast",), lambda: datagram(source="10.99.255.255")),
    ("a multicast source", UDP, ("source_multicast",), lambda: datagram(source="224.0.0.1")),
    ("an IPv6 multicast source", UDP, ("source_multicast",), lambda: v6(source="ff02::1")),
    ("a loopback source", UDP, ("source_invalid",), lambda: datagram(source="127.0.0.1")),
    ("source 0.0.0.0", UDP, ("source_invalid",), lambda: datagram(source="0.0.0.0")),
    ("source ::1", UDP, ("source_invalid",), lambda: v6(source="::1")),
    ("source port 0", UDP, ("source_invalid",), lambda: datagram(source_port=0)),
    ("a wrong IPv4 header checksum", FRAME, ("ip_checksum_bad",), lambda: datagram(bad_ip_sum=True)),
    ("an IPv4 length beyond the frame", FRAME, ("frame_truncated",), lambda: datagram(total_length=900)),
    ("an IPv6 length beyond the frame", FRAME, ("frame_truncated",), lambda: v6(total_length=900)),
    ("an IPv4 header length of 8", FRAME, ("ip_header_invalid",), lambda: b"\x42" + datagram()[1:]),
    ("a first fragment that is never completed", NOBODY, ("fragment",), lambda: datagram(flags=1)),
    ("a last fragment alone", NOBODY, ("fragment",), lambda: datagram(offset=9)),
    ("somebody else's address", FRAME, ("not_our_address",), lambda: datagram(target="10.99.77.77")),
    ("the broadcast address as target", FRAME, ("link_broadcast", "not_our_address"),
     lambda: datagram(target="10.99.255.255")),
    ("another port", FRAME, ("not_ntp_port",), lambda: datagram(target_port=124)),
    ("TCP", FRAME, ("not_udp",), lambda: frames.ip(world.CLIENT_V4, world.V4, bytes(20), protocol=6)),
    ("a unicast request in a broadcast frame", FRAME, ("link_broadcast",),
     lambda: lambda ours, _: frames.ethernet(ours, "ff:ff:ff:ff:ff:ff", datagram())),
    ("a frame cut inside the IPv4 header", FRAME, ("frame_truncated",),
     lambda: lambda ours, theirs: frames.ethernet(ours, theirs, datagram())[:26]),
]


class Packets:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        cls.world = world.of_class(cls, cls.transport)
        cls.ours, cls.theirs = cls.world.client.mac("cli0"), cls.world.server_mac()
        # Nobody's kernel asks for neighbours or routers while frames are counted.
        for address in world.FAMILIES.values():
            cls.world.client.must(["ip", "neighbor", "replace", address, "lladdr", cls.theirs, "dev", "cli0", "nud", "permanent"])
        if cls.transport != "memif":
            for address in (world.CLIENT_V4, world.CLIENT_V6):
                cls.world.server.must(["ip", "neighbor", "replace", address, "lladdr", cls.ours, "dev", "srv0", "nud", "permanent"])
        for host, interface in ((cls.world.client, "cli0"), (cls.world.server, "srv0")):
            host.must(["sysctl", "-q", "-w", f"net.ipv6.conf.{interface}.router_solicitations=0"])

    def frame_of(self, made):
        return made(self.ours, self.theirs) if callable(made) else frames.ethernet(self.ours, self.theirs, made)

    def counts(self):
        """Every verdict's count, over all workers and sockets."""
        found = collections.Counter()
        for line in self.world.metrics_text().splitlines():
            match = re.match(r'wiretime_packets_total\{.*verdict="(\w+)".*\} (\d+)', line)
            if match:
                found[match[1]] += int(match[2])
        return found

    def alive(self, patience=1, timeout=20):
        self.assertTrue(self.world.daemon.running(), self.world.daemon.log[-2000:])
        for server in world.FAMILIES.values():
            self.assertTrue(any(self.world.ask(server, timeout=timeout) for _ in range(patience)), f"no service on {server} any more")

    def bad(self, layer, verdicts, make):
        if verdicts == ("link_broadcast",) and LEVELS[self.transport] < layer:
            self.skipTest("such frames are the kernel's, and sockets do not see the link layer")
        if world.is_stock() and layer > KERNEL:
            self.skipTest("chrony answers some of these")
        counted = LEVELS[self.transport] >= layer and not world.is_stock()
        before = self.counts() if counted else None
        with frames.RawPort(self.world.client, "cli0") as port:
            frame = self.frame_of(make())
            port.send(frame, pad=len(frame) >= 40)
            replies = port.replies(0.1)
            deadline = time.monotonic() + labs.PATIENCE
            grown = {}
            while counted and not any(grown.get(verdict) for verdict in verdicts) and time.monotonic() < deadline:
                replies += port.replies(0.05)
                grown = self.counts() - before
        self.assertEqual([f"{reply.source} -> {reply.target}:{reply.target_port}" for reply in replies], [], "it was answered")
        if counted:
            self.assertEqual(sum(grown.get(verdict, 0) for verdict in verdicts), 1,
                             f"not counted once as {' or '.join(verdicts)}, but: {dict(grown)}")
        self.alive()

    def tagged(self, tags):
        if self.transport == "kernel":
            self.skipTest("VLAN interfaces are the kernel's business")
        for source, server in ((world.CLIENT_V4, world.V4), (world.CLIENT_V6, world.V6)):
            request = frames.ntp()
            with frames.RawPort(self.world.client, "cli0") as port:
                port.send(frames.ethernet(self.ours, self.theirs, datagram(source, server, request), tags))
                replies = [reply for reply in port.replies(labs.PATIENCE, 1) if reply.origin == request[40:48]]
            self.assertEqual(len(replies), 1, f"no answer to {source} with tags {tags}")
            # DPDK's af_packet (which also carries the memif's frames here) puts every outer tag back as 802.1Q.
            kept = tags if self.transport == "af_xdp" else [(0x8100, vlan) for _, vlan in tags]
            self.assertEqual(replies[0].tags, tuple(kept))
            self.assertEqual((replies[0].source, replies[0].target), (server, source))

    def test_vlan(self):
        """a request with one VLAN tag is answered with the same tag"""
        self.tagged([(0x8100, 5)])

    def test_qinq(self):
        """a request with two VLAN tags is answered with the same tags"""
        self.tagged([(0x88A8, 100), (0x8100, 5)])

    def test_noise(self):
        """20,000 random and mutated frames do not disturb it"""
        rng = random.Random(20261123)
        with frames.RawPort(self.world.client, "cli0") as port:
            for _ in range(20000):
                frame = bytearray(frames.ethernet(self.ours, self.theirs, rng.choice((datagram, v6))(),
                                                  rng.choice(((), ((0x8100, 5),), ((0x88A8, 9), (0x8100, 5))))))
                for _ in range(rng.randint(1, 8)):
                    frame[rng.randrange(12, len(frame))] = rng.randrange(256)
                port.send(bytes(frame[:rng.randint(14, len(frame))]) + rng.randbytes(rng.choice((0, 0, 1, 60, 1000))), pad=False)
        self.alive(patience=20, timeout=3)  # they may still be queued

    def test_whole_fragmented_request(self):
        """a request in two fragments is at most answered once, and correctly"""
        request = frames.ntp()
        body = frames.udp(world.CLIENT_V4, world.V4, request)
        with frames.RawPort(self.world.client, "cli0") as port:
            for flags, offset, part in ((1, 0, body[:24]), (0, 3, body[24:])):
                port.send(frames.ethernet(self.ours, self.theirs,
                                          frames.ip(world.CLIENT_V4, world.V4, part, flags=flags, offset=offset, ident=77)))
            replies = port.replies(0.5)
        self.assertLessEqual(len(replies), 1)
        self.assertTrue(all(reply.origin == request[40:48] and reply.mode == 4 for reply in replies))
        self.alive()


def add_bad_cases():
    for number, (name, layer, verdicts, make) in enumerate(BAD):
        def case(self, layer=layer, verdicts=verdicts, make=make):
            self.bad(layer, verdicts, make)
        case.__doc__ = f"never answered, counted: {name}"
        setattr(Packets, f"test_bad_{number:02}", case)


add_bad_cases()


globals().update(world.per_transport(Packets))


if __name__ == "__main__":
    tap.main()
