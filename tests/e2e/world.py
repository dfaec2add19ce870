# SPDX-License-Identifier: BSD-3-Clause
"""A served wire: a server host running the daemon under test (WIRETIMED) over one transport, and a client host.

The transports are those of the issue: kernel sockets, af_packet, af_xdp, and memif (testpmd carries frames between the memif and the
wire). `wiretimed -v` says what was built in. WIRETIMED may also be a stock chronyd: then only kernel sockets are
tested, which proves the tests themselves.
"""
import contextlib
import functools
import os
import pathlib
import re
import socket
import subprocess
import time
import unittest
import urllib.request

import frames
import lab as labs
import peers

V4, V6 = "10.99.0.1", "fd99::1"
CLIENT_V4, CLIENT_V6 = "10.99.0.2", "fd99::2"
FAMILIES = {"IPv4": V4, "IPv6": V6}
TRANSPORTS = ("kernel", "af_packet", "af_xdp", "memif")
METRICS = "metricsport 9123\nbindmetricsaddress 127.0.0.1\n"
SERVE = "local stratum 10 orphan distance 0.1\n"
ALLOW = "allow 10.99.0.0/16\nallow fd99::/32\n"


def per_transport(base, transports=TRANSPORTS, prefix=""):
    """A test case for each transport made of the tests in `base`, by name: for a test module's globals()."""
    names = {"kernel": "KernelSockets", "af_packet": "AfPacket", "af_xdp": "AfXdp", "memif": "Memif"}
    return {prefix + names[transport]: type(prefix + names[transport], (base, unittest.TestCase),
                                            {"transport": transport, "__module__": base.__module__}) for transport in transports}


def wiretimed():
    return os.environ.get("WIRETIMED", "")


@functools.cache
def version():
    run = subprocess.run([wiretimed(), "-v"], capture_output=True, text=True, timeout=labs.PATIENCE)
    return run.stdout


def is_stock():
    """True when WIRETIMED is chrony's own daemon."""
    return "(chrony)" in version()


def why_not(transport="kernel"):
    """A reason why this transport cannot be tested here, or None."""
    if not os.access(wiretimed(), os.X_OK):
        return "WIRETIMED does not name a program"
    reason = labs.why_not() or peers.why_not()
    if reason:
        return reason
    if transport == "kernel":
        return None
    if is_stock():
        return "the daemon under test is chrony's own, which has no data plane"
    if "+DPDK" not in version():
        return "built without DPDK"
    if transport == "af_xdp" and "+XDP" not in version():
        return "built without XDP steering"
    if transport == "memif" and len(os.sched_getaffinity(0)) < 2:
        return "needs two CPUs: testpmd keeps one busy"
    return None


def require(transport="kernel", *, wireload=False, cpus=1):
    """Skips the test or class where it cannot run: for want of this transport, of wireload or of CPUs."""
    reason = why_not(transport)
    if not reason and wireload and "WIRELOAD" not in os.environ:
        reason = "wireload is not built"
    if not reason and len(os.sched_getaffinity(0)) < cpus:
        reason = f"needs {cpus} CPUs"
    if reason:
        raise unittest.SkipTest(reason)


def of_class(case, *args, **how):
    """A World for all tests of the class, which ends with them, also when the set-up fails halfway."""
    made = World(*args, **how)
    case.addClassCleanup(made.close)
    return made


class World:
    def __init__(self, transport="kernel", config=SERVE + ALLOW, start=True, queues=1):
        self.transport, self.config, self.queues = transport, config, queues
        self.lab = labs.Lab()
        try:
            self.server, self.client = self.lab.host("server"), self.lab.host("client")
            self.lab.wire(self.server, "srv0", self.client, "cli0", queues)
            self.client.address("cli0", f"{CLIENT_V4}/16", f"{CLIENT_V6}/32")
            if transport != "memif":
                self.server.address("srv0", f"{V4}/16", f"{V6}/32")
            self.daemon = None
            self.bridge = None
            if start:
                self.start()
        except BaseException:
            self.lab.close()
            raise

    def dataplane(self):
        if self.transport == "kernel":
            return ""
        if self.transport == "memif":
            return f"dataplane memif {self.lab.dir}/wire.sock role server address {V4}/16 address {V6}/32 " \
                   "kernel off\n"  # the wire's other end is on the same host, which would answer for them there
        return f"dataplane {self.transport} srv0" + (f" queues {self.queues}\n" if self.queues > 1 else "\n")

    def write_config(self, text, name="wiretime.conf"):
        if is_stock():
            ours = ("dataplane", "metricsport", "bindmetricsaddress", "workercpus", "controlcpu", "workeridle", "hugepages")
            text = "".join(line for line in text.splitlines(True) if not line.startswith(ours))
        path = self.lab.dir / name
        path.write_text(text)
        return path

    def command(self, config=None, extra=()):
        """The daemon in the foreground, logging to stderr, never touching a clock."""
        return [wiretimed(), "-d", "-x", *extra, "-f", config or self.write_config(self.full_config())]

    def full_config(self):
        return self.config + self.dataplane() + METRICS + "user root\n"

    def environment(self):
        return peers.environment() if is_stock() else {}

    def start(self, wait=True):
        if self.bridge:  # testpmd does not connect its memif again by itself
            self.bridge.stop()
        began = time.time()
        self.daemon = self.server.spawn(self.command(), self.environment(), name="daemon")
        if self.transport == "memif":
            self.await_socket(began)
            self.bridge = testpmd(self.server, f"net_memif0,role=client,socket={self.lab.dir}/wire.sock,socket-abstract=no",
                                  "net_af_packet0,iface=srv0", prefix="bridge")
        if wait:
            self.wait_ready()

    def await_socket(self, began, timeout=labs.PATIENCE):
        """Until the daemon has made its memif socket, which may replace one left by a killed daemon."""
        path, deadline = self.lab.dir / "wire.sock", time.monotonic() + timeout
        while time.monotonic() < deadline and self.daemon.running():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ctime >= began - 0.05:
                    return
            time.sleep(0.05)

    def wait_ready(self, timeout=labs.PATIENCE):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.daemon.running():
                break
            if self.ask(V4, timeout=2):
                return
            time.sleep(0.02)
        raise AssertionError(f"no answer over {self.transport} within {timeout} s; {'still running' if self.daemon.running() else 'ended'}"
                             f"\n--- configuration\n{self.full_config()}--- its log\n{self.daemon.log[-4000:]}"
                             + (f"--- bridge\n{self.bridge.log[-1500:]}" if self.bridge else ""))

    def ask(self, server, source=None, timeout=20.0, request=None):
        """One request from an ordinary UDP socket on the client; the answer as frames.Reply, or None. `timeout`: much less where no
        answer is expected."""
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        request = request or frames.ntp()
        with self.client.network(), socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            try:
                if source:
                    sock.bind((source, 0))
                sock.connect((server, 123))
                sock.send(request)
                while True:
                    payload = sock.recv(2048)
                    if len(payload) >= 48 and payload[24:32] == request[40:48]:
                        port = sock.getsockname()[1]
                        return frames.Reply((), server, source, 123, port, payload)
            except (socket.timeout, ConnectionError, OSError):
                return None

    def chronyc(self, *command):
        return peers.chronyc(self.server, *command)

    def clients(self):
        """`chronyc clients` as {address: [NTP counts of every line that names it]}."""
        listed = {}
        for line in self.chronyc("clients").text.splitlines():
            words = line.split()
            if len(words) >= 6 and words[1].isdigit():
                listed.setdefault(words[0], []).append(int(words[1]))
        return listed

    def metrics_text(self):
        with self.server.network():
            with urllib.request.urlopen("http://127.0.0.1:9123/metrics", timeout=labs.PATIENCE) as reply:
                return reply.read().decode()

    def metric(self, name, **labels):
        """Sum of the series of that name carrying those labels; None when there is no such series."""
        total = None
        for line in self.metrics_text().splitlines():
            if not line.startswith(name) or line[len(name):len(name) + 1] not in ("{", " "):
                continue
            if all(f'{key}="{value}"' in line for key, value in labels.items()):
                total = (total or 0) + float(line.rsplit(" ", 1)[1])
        return total

    def verdict(self, name):
        """A worker counts after it has sent: what follows from an answer may show a moment later."""
        return self.metric("wiretime_packets_total", verdict=name) or 0

    def settle(self):
        """Until all that was sent before is counted, so that only what follows adds to the counts: a worker is done with one burst
        before it looks at the next, and this adds a request cut short to a later one."""
        if is_stock():
            return
        before = self.verdict("ntp_too_short")
        with self.client.network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((V4, 123))
            sock.send(frames.ntp()[:47])

        def counted():
            if self.verdict("ntp_too_short") == before:
                raise AssertionError(f"a request cut short was not counted\n{self.daemon.log[-2000:]}")
        labs.eventually(counted, pause=0.02)

    def server_mac(self):
        """Where a frame for the server goes: learnt by talking to it, because a memif has a MAC of its own."""
        self.ask(V4)
        for line in self.client.must(["ip", "neighbor", "show", V4]).splitlines():
            if "lladdr" in line:
                return line.split("lladdr ")[1].split()[0]
        raise AssertionError("the server's MAC is not in the client's neighbour table")

    def close(self):
        self.lab.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def unanswered(ping):
    """Of what a `ping` that printed this had sent before the last one that was answered: later ones may be under way."""
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) .*time=", ping)}
    return max(answered) - len(answered) if answered else None


def testpmd(host, *vdevs, prefix, extra=()):
    """testpmd moving frames between two devices until it is stopped."""
    words = [peers.program("usr/bin/dpdk-testpmd"), "--no-huge", "-m", "192", "--no-pci", "--no-telemetry", "-l", "0,1",
             "--file-prefix", f"{prefix}{os.getpid()}", *[f"--vdev={vdev}" for vdev in vdevs],
             "--", "--forward-mode=io", "--auto-start", "--total-num-mbufs=16384", "--no-flush-rx", *extra]
    return host.spawn(words, peers.environment(), prefix, open_stdin=True)


def scratch(world, name):
    return pathlib.Path(world.lab.dir) / name
