# SPDX-License-Identifier: BSD-3-Clause
"""Frames made and read by hand: for packets no well-behaved client would send, for VLAN tags without kernel support, for
the flood's pcap file and for golden captures. RFC 791, 768, 8200, 5905, IEEE 802.1Q."""
import ipaddress
import os
import select
import socket
import struct
import time

ETH_P_ALL = 0x0003
PACKET_AUXDATA, SOL_PACKET, PACKET_OUTGOING = 8, 263, 4
TP_STATUS_VLAN_VALID = 0x10
NTP_EPOCH = 2208988800


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def ntp(version=4, mode=3, leap=0, transmit=None, length=48):
    """A request; `transmit` is 8 bytes the answer must echo as its origin."""
    if transmit is None:
        transmit = os.urandom(8)
    return (bytes([leap << 6 | version << 3 | mode, 0, 6, 0xEC]) + bytes(36) + transmit)[:length].ljust(length, b"\0")


def udp(source, target, payload, source_port=40000, target_port=123, bad_sum=False, no_sum=False, length=None):
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    size = 8 + len(payload)
    header = struct.pack("!HHHH", source_port, target_port, length or size, 0)
    pseudo = source.packed + target.packed + struct.pack("!I", size) + b"\0\0\0\x11"
    value = checksum(pseudo + header + payload) or 0xFFFF
    if bad_sum:
        value = value ^ 0x5555 or 0xFFFF
    if no_sum:
        value = 0
    return header[:6] + struct.pack("!H", value) + payload


def ip(source, target, payload, protocol=17, flags=0, offset=0, ident=0x1234, ttl=64, options=b"", bad_sum=False,
       total_length=None):
    """IPv4 or IPv6 by the address family. `flags` 1 is more-fragments, `offset` in 8-byte units (IPv4 only)."""
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload) if total_length is None else total_length, protocol, ttl) \
            + source.packed + target.packed + payload
    header_length = 20 + len(options)
    size = header_length + len(payload) if total_length is None else total_length
    header = struct.pack("!BBHHHBBH", 4 << 4 | header_length // 4, 0, size, ident, flags << 13 | offset, ttl, protocol, 0) \
        + source.packed + target.packed + options
    value = checksum(header)
    return header[:10] + struct.pack("!H", value ^ 0x5555 if bad_sum else value) + header[12:] + payload


def ethernet(source_mac, target_mac, payload, tags=()):
    """`tags` are (tpid, vlan id), outermost first."""
    kind = 0x86DD if payload[:1] and payload[0] >> 4 == 6 else 0x0800
    frame = mac_bytes(target_mac) + mac_bytes(source_mac)
    for tpid, vlan in tags:
        frame += struct.pack("!HH", tpid, vlan)
    return frame + struct.pack("!H", kind) + payload


class Reply:
    """An NTP answer found in a frame."""

    def __init__(self, tags, source, target, source_port, target_port, payload):
        self.tags, self.source, self.target = tags, source, target
        self.source_port, self.target_port, self.payload = source_port, target_port, payload
        self.leap, self.version, self.mode = payload[0] >> 6, payload[0] >> 3 & 7, payload[0] & 7
        self.stratum = payload[1]
        self.origin, self.receive, self.transmit = payload[24:32], payload[32:40], payload[40:48]

    def seconds(self):
        """Transmit timestamp as UNIX time."""
        whole, fraction = struct.unpack("!II", self.transmit)
        return whole - NTP_EPOCH + fraction / 2 ** 32


def parse(frame):
    """The UDP datagram in a frame as a Reply, checksums verified; None for anything else. ValueError: broken datagram."""
    tags, at = [], 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        tags.append((int.from_bytes(frame[at:at + 2], "big"), int.from_bytes(frame[at + 2:at + 4], "big") & 0xFFF))
        at += 4
    kind, packet = frame[at:at + 2], frame[at + 2:]
    if kind == b"\x08\x00" and len(packet) >= 20:
        size = (packet[0] & 15) * 4
        if packet[9] != 17:
            return None
        if checksum(packet[:size]) != 0:
            raise ValueError("IPv4 header checksum")
        source, target, body = packet[12:16], packet[16:20], packet[size:int.from_bytes(packet[2:4], "big")]
    elif kind == b"\x86\xdd" and len(packet) >= 40:
        if packet[6] != 17:
            return None
        source, target, body = packet[8:24], packet[24:40], packet[40:40 + int.from_bytes(packet[4:6], "big")]
    else:
        return None
    source_port, target_port, length, value = struct.unpack("!HHHH", body[:8])
    if value == 0 and kind == b"\x86\xdd":
        raise ValueError("UDP over IPv6 without checksum")
    if value and checksum(source + target + struct.pack("!I", length) + b"\0\0\0\x11" + body[:length]) != 0:
        raise ValueError("UDP checksum")
    payload = body[8:length]
    if len(payload) < 48:
        return None
    return Reply(tuple(tags), str(ipaddress.ip_address(source)), str(ipaddress.ip_address(target)), source_port,
                 target_port, payload)


class RawPort:
    """Sends and receives whole frames on an interface of a host."""

    def __init__(self, host, interface):
        with host.network():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.socket.bind((interface, ETH_P_ALL))

    def send(self, frame, pad=True):
        """`pad`: to Ethernet's minimum, as a real card would."""
        self.socket.send(frame.ljust(60, b"\0") if pad else frame)

    def receive(self, timeout):
        """The next frame as it was on the wire, and whether we sent it; None when `timeout` seconds pass."""
        if not select.select([self.socket], [], [], max(timeout, 0))[0]:
            return None
        frame, ancillary, _, sender = self.socket.recvmsg(70000, 256)
        for level, kind, data in ancillary:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
                if status & TP_STATUS_VLAN_VALID:  # the kernel took the outer tag off: put it back
                    frame = frame[:12] + struct.pack("!HH", tpid or 0x8100, tci) + frame[12:]
        return frame, sender[2] == PACKET_OUTGOING

    def replies(self, timeout, wanted=None):
        """NTP datagrams from port 123 that arrive within `timeout` seconds; returns early with `wanted` of them."""
        found, deadline = [], time.monotonic() + timeout
        while time.monotonic() < deadline and (wanted is None or len(found) < wanted):
            received = self.receive(deadline - time.monotonic())
            if received and not received[1]:
                reply = parse(received[0])
                if reply and reply.source_port == 123:
                    found.append(reply)
        return found

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write_pcap(path, frames, start=0.0):
    """Classic pcap, microseconds, little-endian, Ethernet. `frames` are bytes, or (seconds, bytes)."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for item in frames:
            when, frame = item if isinstance(item, tuple) else (start, item)
            out.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(frame), len(frame)) + frame)


def read_pcap(path):
    """The frames of a little-endian pcap file of either resolution."""
    with open(path, "rb") as file:
        data, at, found = file.read(), 24, []
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found
