#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A host whose only NIC is DPDK's: over the kernel interface that the daemon makes there, its own kernel reaches the world, the daemon
its time servers, and clients are answered by the worker all the while."""
import os
import pathlib
import pwd
import re
import time
import unittest

import lab as labs
import peers
import tap
import world
from e2e_host_network import transfer

CAP_NET_ADMIN = 12
V4, V6 = world.V4, world.V6
CLIENT_V4, CLIENT_V6 = world.CLIENT_V4, world.CLIENT_V6
FAR = "10.111.0.1"  # behind the gateway, which is the client
MATE = "10.99.0.3"  # the client's too: of a chronyd that has us for a peer


def why_not():
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun on this machine"
    return world.why_not("af_packet")


class OnlyNic:
    """The port is one end of a wire, `far0` on the client its other end."""
    USER = "root"

    @classmethod
    def setUpClass(cls):
        reason = cls.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.server, cls.client = cls.lab.host("server"), cls.lab.host("client")
        cls.prepare()
        lines = [f"user {cls.USER}", "allow 10.99.0.0/16", "allow fd99::/32", "local stratum 10 orphan distance 0.1", *world.METRICS.split("\n")[:-1],
                 f"server {CLIENT_V4} iburst minpoll -2 maxpoll 0", f"server {FAR} iburst minpoll -2 maxpoll 0 port 1123",
                 f"server {CLIENT_V6} iburst minpoll -2 maxpoll 0", f"peer {MATE} minpoll 0 maxpoll 0",
                 f"{cls.dataplane()} address {V4}/16 address {V6}/32 gateway {CLIENT_V4} gateway {CLIENT_V6} {cls.MORE} kernel up0"]
        cls.daemon = cls.server.spawn([world.wiretimed(), "-d", "-x", *lines], name="daemon")
        if not cls.daemon.wait_for("interface=up0"):
            raise AssertionError(cls.daemon.log)
        cls.join()
        cls.client.must(["ip", "address", "add", f"{FAR}/32", "dev", "lo"])
        near = cls.near()
        cls.client.address(near, f"{CLIENT_V4}/16", f"{CLIENT_V6}/32", f"{MATE}/32")
        cls.upstream = peers.chronyd(cls.client, "upstream", "local stratum 3", "allow")
        cls.mate = peers.chronyd(cls.client, "mate", "local stratum 3", f"bindaddress {MATE}", f"allow {V4}",
                                 f"peer {V4} minpoll 0 maxpoll 0")
        cls.behind = peers.chronyd(cls.client, "behind", "local stratum 3", "allow", "port 1123")

    def metric(self, reason):
        text = self.server.must(["/usr/bin/python3", "-c", "import urllib.request as u;"
                                 "print(u.urlopen('http://127.0.0.1:9123/metrics').read().decode())"])
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("wiretime_kernel_frames_total") and f'reason="{reason}"' in line)

    def verdict(self, name):
        text = self.server.must(["/usr/bin/python3", "-c", "import urllib.request as u;"
                                 "print(u.urlopen('http://127.0.0.1:9123/metrics').read().decode())"])
        return {port: sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                          if line.startswith("wiretime_packets_total") and f'verdict="{name}"' in line and
                          ('port="kernel"' in line) == (port == "kernel")) for port in ("kernel", "wire")}

    def test_sources(self):
        """`server` lines reach their servers, on the link by both families and behind the gateway, and a `peer` line its peer"""
        deadline = time.monotonic() + 2 * labs.PATIENCE
        wanted = {CLIENT_V4, CLIENT_V6, FAR, MATE}
        while time.monotonic() < deadline:
            rows = [line.split(",") for line in peers.chronyc(self.server, "-c", "-n", "sources").text.splitlines()]
            reached = {row[2] for row in rows if len(row) > 5 and row[5] == "377"}
            if wanted <= reached and any(row[1] == "*" for row in rows if len(row) > 5):
                break
            time.sleep(0.5)
        else:
            self.fail(f"{rows}\n{self.daemon.log}")
        self.assertEqual([row[0] for row in rows if row[2] == MATE], ["="])
        self.assertGreater(self.verdict("peer_packet")["wire"], 3)
        self.assertGreater(self.metric("to_kernel"), 20)
        self.assertGreater(self.metric("from_kernel"), 20)
        for reason in ("to_kernel_queue_full", "from_kernel_queue_full", "from_kernel_rate_limited", "to_kernel_rate_limited"):
            self.assertEqual(self.metric(reason), 0, reason)

    def test_clients(self):
        """clients are answered by the worker, not by the kernel's sockets"""
        for address in (V4, V6):
            self.assertTrue(peers.chronyd_query(self.client, address), self.daemon.log)
        labs.eventually(lambda: self.assertGreater(self.verdict("answered")["wire"], 1), pause=0.05)
        answered = self.verdict("answered")
        self.assertEqual(answered["kernel"], 0)

    def test_ping(self):
        """ping works both ways over both families, and tells of ports that nobody serves"""
        for host, addresses in ((self.client, (V4, V6)), (self.server, (CLIENT_V4, CLIENT_V6, FAR))):
            for address in addresses:
                output = host.run(["ping", "-i", "0.2", "-c", "5", "-w", "50", address])  # until it has heard five
                self.assertIn(world.unanswered(output.text), (0, 1, 2), str(output))

    def test_tcp(self):
        """TCP transfers arrive whole in both directions"""
        for sender, receiver, address in ((self.client, self.server, V4), (self.server, self.client, CLIENT_V4),
                                          (self.client, self.server, V6), (self.server, self.client, CLIENT_V6)):
            self.assertTrue(transfer(sender, receiver, address), f"to {address}: not what was sent\n{self.daemon.log}")

    def test_interface(self):
        """the interface has the port's MAC and addresses, and the gateways are the last resort"""
        shown = self.server.must(["ip", "address", "show", "dev", "up0"])
        mac = re.search(r"mac=([0-9a-f:]+)", self.daemon.log)[1]
        for text in (mac, f"{V4}/16", f"{V6}/32"):
            self.assertIn(text, shown)
        self.assertIn(f"default via {CLIENT_V4} dev up0 proto static metric 4096", self.server.must(["ip", "route"]))
        self.assertIn(f"default via {CLIENT_V6} dev up0 proto static metric 4096", self.server.must(["ip", "-6", "route"]))


class Tap(OnlyNic, unittest.TestCase):
    """DPDK's own tap device is the NIC; what the kernel has of it is moved to the client."""
    MORE = ""

    @classmethod
    def why_not(cls):
        return why_not()

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def dataplane(cls):
        return "dataplane vdev net_tap0,iface=far0"

    @classmethod
    def join(cls):
        labs.sh(cls.server.enter("-n") + ["ip", "link", "set", "far0", "netns", str(cls.client.holder_pid)])
        # The driver gave both ends one MAC.
        cls.client.must(["ip", "link", "set", "far0", "address", "02:00:00:00:77:02"])
        cls.client.must(["ip", "link", "set", "far0", "up"])

    @classmethod
    def near(cls):
        return "far0"


class Unprivileged(Tap):
    """The same after the drop to a user who may not make interfaces, as on a host: all of it is made before."""
    USER = "nobody"

    def test_privileges(self):
        """the daemon is that user and has not kept what it takes to change interfaces, routes and addresses"""
        status = dict(re.findall(r"^(\w+):\s+(.+)$", pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text(), re.MULTILINE))
        self.assertEqual(set(status["Uid"].split()), {str(pwd.getpwnam("nobody").pw_uid)})
        for capabilities in ("CapEff", "CapPrm"):
            self.assertEqual(int(status[capabilities], 16) & (1 << CAP_NET_ADMIN), 0, status[capabilities])


class TaggedTap(Tap):
    """The same with the service on a VLAN."""
    MORE = "vlan 7"

    @classmethod
    def join(cls):
        super().join()
        made = cls.client.run(["ip", "link", "add", "link", "far0", "name", "far7", "type", "vlan", "id", "7"])
        if made.code != 0:
            raise unittest.SkipTest(f"this kernel has no VLAN interfaces: {made.text.strip()}")
        cls.client.must(["ip", "link", "set", "far7", "up"])

    @classmethod
    def near(cls):
        return "far7"


class Refused(unittest.TestCase):
    def test_name_taken(self):
        """an interface asked for by name that cannot be made ends the start with the reason"""
        reason = why_not()
        if reason:
            self.skipTest(reason)
        with labs.Lab() as lab:
            host = lab.host("server")
            output = host.run([world.wiretimed(), "-d", "-x", "user root", "dataplane vdev net_null0 address 10.99.0.1/16 kernel lo"])
            self.assertNotEqual(output.code, 0)
            self.assertIn("wiretimed: command line:2: dataplane vdev net_null0: kernel lo: interface lo exists already", output.text)

    def test_address_taken(self):
        """without a name asked for, a port whose address the kernel has already is served without an interface, and the log says why"""
        reason = why_not()
        if reason:
            self.skipTest(reason)
        with labs.Lab() as lab:
            host, other = lab.host("server"), lab.host("client")
            lab.wire(host, "srv0", other, "cli0")
            host.address("srv0", f"{V4}/16")
            daemon = host.spawn([world.wiretimed(), "-d", "-x", "user root", f"dataplane vdev net_null0 address {V4}/16"])
            self.assertTrue(daemon.wait_for(f"no kernel interface ({V4} is an address of interface srv0 already)"), daemon.log)
            self.assertTrue(daemon.wait_for("data plane port opened"), daemon.log)
            self.assertNotIn("wt0", host.must(["ip", "link"]))


if __name__ == "__main__":
    tap.main()
