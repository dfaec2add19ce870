#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A Prometheus scrape: well-formed text, the names operators already graph, and counters that move with the traffic."""
import re
import socket
import struct
import unittest

import lab as labs
import tap
import world

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*",?)*\})? '
                    r"([+-]?(\d+\.?\d*([eE][+-]?\d+)?|Inf)|NaN)$")


class Metrics:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        if world.is_stock():
            raise unittest.SkipTest("the daemon under test is chrony's own, which has no metrics")
        cls.world = world.of_class(cls, cls.transport)

    def test_format(self):
        """every line is a comment or a sample, every family has one TYPE before its samples, no series comes twice"""
        typed, seen, last = {}, set(), None
        for line in self.world.metrics_text().splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:4]
                self.assertNotIn(name, typed)
                self.assertIn(kind, ("counter", "gauge", "histogram", "summary", "untyped"))
                typed[name] = kind
                last = name
            elif not line.startswith("#"):
                match = SAMPLE.match(line)
                self.assertIsNotNone(match, f"not a sample: {line}")
                self.assertTrue(match[1] == last or re.sub(r"_(bucket|sum|count)$", "", match[1]) == last,
                                f"{line} is outside its family {last}")
                self.assertNotIn(line.rsplit(" ", 1)[0], seen)
                seen.add(line.rsplit(" ", 1)[0])

    def test_names(self):
        """the widely used names are there with the right values"""
        self.assertEqual(self.world.metric("chrony_up"), 1)
        self.assertEqual(self.world.metric("chrony_tracking_stratum"), 10)
        for name in ("chrony_tracking_root_delay_seconds", "chrony_tracking_root_dispersion_seconds",
                     "chrony_tracking_last_offset_seconds", "chrony_serverstats_ntp_packets_received_total",
                     "chrony_serverstats_ntp_packets_dropped_total", "chrony_serverstats_command_packets_received_total"):
            self.assertIsNotNone(self.world.metric(name), name)

    def test_counting(self):
        """answered requests are counted once each, in our verdict and in chrony's name"""
        names = (("wiretime_packets_total", {"verdict": "answered"}), ("chrony_serverstats_ntp_packets_received_total", {}))
        self.world.settle()
        before = [self.world.metric(name, **labels) for name, labels in names]
        for _ in range(25):
            self.assertIsNotNone(self.world.ask(world.V4))

        def counted():
            after = [self.world.metric(name, **labels) for name, labels in names]
            self.assertEqual([late - early for late, early in zip(after, before)], [25, 25])
        labs.eventually(counted, pause=0.05)

    def test_steering(self):
        """the XDP program's own counters tell the requests it handed over from what it left to the kernel"""
        if self.transport != "af_xdp":
            self.skipTest("only af_xdp has an XDP program")
        def counts():
            return [self.world.metric("wiretime_xdp_frames_total", reason=reason)
                    for reason in ("redirected_ipv4", "redirected_ipv6", "not_udp")]
        before = counts()
        for _ in range(7):
            self.assertIsNotNone(self.world.ask(world.V4))
        self.assertIsNotNone(self.world.ask(world.V6))
        self.world.client.must(["ping", "-c", "2", "-i", "0.2", "-W", "2", world.V4])

        def counted():
            after = counts()
            self.assertEqual([late - early for late, early in zip(after, before)][:2], [7, 1])
            self.assertGreaterEqual(after[2] - before[2], 2)
        labs.eventually(counted, pause=0.05)

    def raw(self, request):
        with self.world.server.network(), socket.create_connection(("127.0.0.1", 9123), timeout=labs.PATIENCE) as connection:
            connection.sendall(request)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received

    def test_http(self):
        """only GET of /metrics is served; other requests get a proper error and no crash"""
        self.assertTrue(self.raw(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200"))
        self.assertRegex(self.raw(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), rb"^HTTP/1\.[01] 404")
        self.assertRegex(self.raw(b"POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
                         rb"^HTTP/1\.[01] 405")
        self.assertRegex(self.raw(b"\x16\x03\x01 not http at all\r\n\r\n"), rb"^(HTTP/1\.[01] 400|$)")
        self.assertEqual(self.world.metric("chrony_up"), 1)

    def test_idle_connection(self):
        """connections that say nothing do not hold up others for good"""
        with self.world.server.network():
            silent = [socket.create_connection(("127.0.0.1", 9123), timeout=labs.PATIENCE) for _ in range(20)]
        try:
            self.assertEqual(self.world.metric("chrony_up"), 1)
            self.assertIsNotNone(self.world.ask(world.V4))
        finally:
            for connection in silent:
                connection.close()


# As chronyc 4.4 and later asks for server statistics, through the daemon's socket (Debian 12's asks for fewer).
ASK_SERVERSTATS = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.settimeout(5)
s.bind("/run/chrony/ask.sock")
os.chmod("/run/chrony/ask.sock", 0o666)
try:
    s.sendto(bytes([6, 1, 0, 0, 0, 54, 0, 0]) + bytes(188), "/run/chrony/chronyd.sock")
    print(s.recv(1024).hex())
finally:
    os.unlink("/run/chrony/ask.sock")
"""


class Rungs:
    """Which rung of the ladders of timestamps a port stands on is said alike by log, metrics and statistics."""
    transport = None
    RECEIVE = {"af_xdp": "xdp", "af_packet": "tsc", "memif": "tsc"}  # veth has no hardware clock
    STAMPED_BY = {"kernel": "kernel", "af_xdp": "kernel", "af_packet": "daemon", "memif": "daemon"}

    setUpClass = Metrics.__dict__["setUpClass"]

    def test_log(self):
        """the log names the receive rung, what is best, and the transmit rung, once for the port"""
        rung = self.RECEIVE.get(self.transport)
        if rung is None:
            self.skipTest("kernel sockets are no port")
        said = re.findall(r"receive rung port=(\S+) rung=(\S+) best=(\S+)", self.world.daemon.log)
        self.assertEqual([words[1:] for words in said], [(rung, rung)], self.world.daemon.log)
        self.assertEqual(re.findall(r"transmit timestamps port=(\S+) rung=(\S+) launch=(\S+) stamps=(\S+)", self.world.daemon.log),
                         [(said[0][0], "plain", "no", "no")], self.world.daemon.log)

    def test_metrics(self):
        """of the rungs the one in use is 1, the others that there are 0"""
        rung = self.RECEIVE.get(self.transport)
        for family, used, others in (("wiretime_receive_rung", rung, ("hardware", "xdp", "tsc")),
                                     ("wiretime_transmit_rung", "plain" if rung else None, ("launch", "predicted", "plain"))):
            seen = {name: self.world.metric(family, rung=name) for name in others}
            self.assertEqual([name for name, value in seen.items() if value == 1], [used] if used else [], f"{family} {seen}")
            self.assertNotIn(2, seen.values())
        if rung:
            self.assertIn(f'timestamp_rung="receive: {rung}', self.world.metrics_text())

    def serverstats(self):
        """(by the daemon, by the kernel, by hardware): receive and transmit timestamps"""
        output = self.world.server.run(["/usr/bin/python3", "-c", ASK_SERVERSTATS])
        self.assertEqual(output.code, 0, str(output))
        reply = bytes.fromhex(output.text.strip())
        self.assertEqual((len(reply), struct.unpack_from(">H", reply, 6)[0]), (196, 25), reply.hex())
        counts = struct.unpack_from(">17Q", reply, 28)
        return counts[11::2], counts[12::2]

    def test_counted(self):
        """replies are counted by whom their request was stamped on receipt, and they on transmission: once each"""
        names = ("daemon", "kernel", "hw")

        def scraped():
            return tuple(tuple(int(self.world.metric(f"chrony_serverstats_ntp_{name}_{way}_timestamps_total")) for name in names) for way in ("rx", "tx"))
        self.world.settle()
        before = self.serverstats()
        self.assertEqual(scraped(), before)
        for _ in range(11):
            self.assertIsNotNone(self.world.ask(world.V4))
        for _ in range(6):
            self.assertIsNotNone(self.world.ask(world.V6))
        self.world.settle()
        after = self.serverstats()
        self.assertEqual(scraped(), after)
        grew = [tuple(late - early for late, early in zip(*pair)) for pair in zip(after, before)]
        by = self.STAMPED_BY[self.transport]
        self.assertEqual(grew, [tuple(17 if name == by else 0 for name in names), (17, 0, 0)])


globals().update(world.per_transport(Metrics, ("kernel", "af_xdp")))
globals().update(world.per_transport(Rungs, prefix="Rungs"))


if __name__ == "__main__":
    tap.main()
