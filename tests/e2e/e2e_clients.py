#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stock clients get time, over every transport and both address families; denied ones get nothing; all are counted."""
import time

import frames
import lab as labs
import peers
import tap
import world

CONFIG = world.SERVE + "allow 10.99.0.0/16\ndeny 10.99.66.0/24\nallow fd99::/32\ndeny fd99:0:66::/48\n"


class Clients:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        cls.world = world.of_class(cls, cls.transport, CONFIG)
        cls.world.client.address("cli0", *[f"10.99.1.{n}/16" for n in range(1, 6)], *[f"fd99:0:1::{n}/32" for n in range(1, 6)],
                                 "10.99.66.1/16", "fd99:0:66::1/32", spare=True)

    def accepted(self, client, server):
        answer = peers.CLIENTS[client](self.world.client, server)
        self.assertTrue(answer.ok, f"{client} does not accept the time\n{answer}\n--- server log\n{self.world.daemon.log[-2000:]}")

    def test_denied(self):
        """denied clients get nothing, allowed ones beside them do"""
        for server, denied in ((world.V4, "10.99.66.1"), (world.V6, "fd99:0:66::1")):
            self.assertIsNone(self.world.ask(server, source=denied, timeout=0.5))
            self.assertIsNotNone(self.world.ask(server))

    def test_counts(self):
        """chronyc clients lists each client once with its true count"""
        expected = {}
        for number in range(1, 6):
            for server, source in ((world.V4, f"10.99.1.{number}"), (world.V6, f"fd99:0:1::{number}")):
                for _ in range(number):
                    self.assertIsNotNone(self.world.ask(server, source=source), f"{source} got no answer")
                expected[source] = [number]

        def counted():
            listed = self.world.clients()
            self.assertEqual({source: listed.get(source) for source in expected}, expected)
        labs.eventually(counted, pause=0.05)

    def by_data_plane(self):
        """Requests answered by workers, as opposed to kernel sockets."""
        if world.is_stock():
            return 0
        return self.world.verdict("answered") - (self.world.metric("wiretime_packets_total", verdict="answered", port="kernel") or 0)

    def test_answer(self):
        """an answer is mode 4, echoes the origin, comes once, and tells this machine's time"""
        for server, source in ((world.V4, world.CLIENT_V4), (world.V6, world.CLIENT_V6)):
            request, mac = frames.ntp(), self.world.server_mac()
            self.world.settle()
            before = self.by_data_plane()
            frame = frames.ethernet(self.world.client.mac("cli0"), mac,
                                    frames.ip(source, server, frames.udp(source, server, request)))
            with frames.RawPort(self.world.client, "cli0") as port:
                port.send(frame)
                # The first may take its time where other tests load the machine; a second would follow at once.
                began = time.time()
                replies = [reply for reply in port.replies(labs.PATIENCE, wanted=1) + port.replies(0.6) if reply.origin == request[40:48]]
            self.assertEqual(len(replies), 1)
            labs.eventually(lambda: self.assertEqual(self.by_data_plane() - before, 0 if self.transport == "kernel" else 1,
                                                     "answered by the wrong side"), pause=0.05)
            reply = replies[0]
            self.assertEqual((reply.mode, reply.version, reply.leap, reply.stratum), (4, 4, 0, 10))
            self.assertEqual((reply.source, reply.target, reply.target_port, len(reply.payload)), (server, source, 40000, 48))
            self.assertLess(began - 0.1, reply.seconds())
            self.assertLess(reply.seconds(), time.time() + 0.1)
            self.assertLess(reply.receive, reply.transmit)


    def test_versions_and_modes(self):
        """versions 1 to 4 are answered in kind, mode 1 with mode 2, version 1 without a mode with mode 4"""
        for server in world.FAMILIES.values():
            for version, mode, answer in ((1, 3, 4), (2, 3, 4), (3, 3, 4), (4, 3, 4), (3, 1, 2), (4, 1, 2), (1, 0, 4)):
                reply = self.world.ask(server, request=frames.ntp(version, mode))
                self.assertIsNotNone(reply, f"version {version} mode {mode}")
                self.assertEqual((reply.version, reply.mode), (version, answer), f"version {version} mode {mode}")


def add_client_cases():
    for client in peers.CLIENTS:
        for family, server in world.FAMILIES.items():
            def case(self, client=client, server=server):
                self.accepted(client, server)
            case.__doc__ = f"{client} over {family}"
            setattr(Clients, f"test_{client.replace(' ', '_').replace('-', '_')}_{family}", case)


add_client_cases()


class NoClientLog:
    """noclientlog: everybody is served, in basic mode, and nobody is remembered."""
    transport = None

    def setUp(self):
        world.require(self.transport)
        self.world = world.World(self.transport, CONFIG + "noclientlog\n")
        self.addCleanup(self.world.close)

    def test_served_and_not_listed(self):
        """clients are answered and counted, chronyc clients says that there is no log"""
        for server in world.FAMILIES.values():
            reply = self.world.ask(server)
            self.assertEqual((reply.mode, reply.stratum), (4, 10))
            # Asks for interleaved mode, which needs a memory of the first answer: the answer is a basic one.
            request = bytearray(frames.ntp())
            request[24:32] = reply.receive
            again = self.world.ask(server, request=bytes(request))
            self.assertEqual(again.origin, request[40:48])
        listed = self.world.chronyc("clients")
        self.assertIn("519 Client logging is not active in the daemon", listed.text)
        self.assertNotEqual(listed.code, 0)

        def counted():
            packets = next(line for line in self.world.chronyc("serverstats").text.splitlines() if line.startswith("NTP packets received"))
            self.assertGreaterEqual(int(packets.split(":")[1]), 4)
        labs.eventually(counted, pause=0.05)


class LargeClientLog:
    """Room for millions of clients and a handful of them: pages of records without an address are between those of chronyc clients."""
    transport = None

    def setUp(self):
        world.require(self.transport)
        self.world = world.World(self.transport, CONFIG + "clientloglimit 100000000\n")
        self.addCleanup(self.world.close)
        self.sources = [f"10.99.1.{n}" for n in range(1, 20)]
        self.world.client.address("cli0", *[f"{source}/16" for source in self.sources], spare=True)

    def test_listed(self):
        """stock chronyc goes on to the end, with -p and without, and shows nothing else"""
        for source in self.sources:
            self.assertIsNotNone(self.world.ask(world.V4, source=source))
        for _ in range(30):
            self.assertIsNotNone(self.world.ask(world.V4, source=self.sources[7]))
        labs.eventually(lambda: self.assertLessEqual(set(self.sources), set(self.world.clients())), pause=0.05)
        rows = [line.split(",")[0] for line in self.world.chronyc("-c", "-n", "clients", "-p", "20").text.splitlines()]
        self.assertEqual([row for row in rows if row.startswith("10.99.1.")], [self.sources[7]])
        self.assertEqual(self.world.chronyc("-c", "-n", "clients", "-p", "1000000").text.strip(), "")


globals().update(world.per_transport(Clients))
globals().update(world.per_transport(LargeClientLog, ("kernel",), "LargeClientLog"))
globals().update(world.per_transport(NoClientLog, ("kernel", "af_xdp"), "NoClientLog"))


if __name__ == "__main__":
    tap.main()
