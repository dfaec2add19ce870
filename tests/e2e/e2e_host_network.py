#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The host's own networking on a served interface: ping and TCP work before, while and after the daemon serves it."""
import hashlib
import random
import socket
import threading
import unittest

import lab as labs
import tap
import world

TRANSFER = 16 << 20


def transfer(sender, receiver, address):
    """Sends 16 MiB over TCP to `address` on the receiver's host; True when the SHA-256 at both ends agrees."""
    data = random.Random(5905).randbytes(TRANSFER)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with receiver.network():
        listener = socket.create_server((address, 0), family=family)
    listener.settimeout(labs.PATIENCE)
    received = hashlib.sha256()

    def collect():
        connection, _ = listener.accept()
        connection.settimeout(labs.PATIENCE)
        with connection:
            while chunk := connection.recv(1 << 16):
                received.update(chunk)
    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    with sender.network():
        connection = socket.create_connection((address, listener.getsockname()[1]), timeout=labs.PATIENCE)
    with connection:
        connection.sendall(data)
    thread.join(2 * labs.PATIENCE)
    listener.close()
    return received.hexdigest() == hashlib.sha256(data).hexdigest()


class HostNetwork:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)

    def setUp(self):
        self.world = world.World(self.transport, start=False)
        self.addCleanup(self.world.close)

    def test_ping_throughout(self):
        """ping over IPv4 and IPv6 goes on while the daemon starts, serves and stops"""
        pings = [self.world.client.spawn(["ping", "-i", "0.05", "-w", "600", address])
                 for address in world.FAMILIES.values()]
        self.world.start()
        for _ in range(50):
            self.assertIsNotNone(self.world.ask(world.V4))
            self.assertIsNotNone(self.world.ask(world.V6))
        self.assertEqual(self.world.daemon.stop(), 0, self.world.daemon.log)
        for ping in pings:
            served = ping.log.count("time=")
            labs.eventually(lambda: self.assertGreater(ping.log.count("time="), served + 3, "no answer after the daemon's end"), pause=0.1)
            ping.signal(2)
            ping.wait()
            lost = world.unanswered(ping.log)
            self.assertIsNotNone(lost, ping.log)
            # Attaching XDP to a veth restarts its queues, which takes a busy machine a moment.
            self.assertLessEqual(lost, 3 + (lost + ping.log.count("time=")) // 20, ping.log)

    def test_tcp_while_serving(self):
        """TCP transfers arrive whole in both directions while requests are answered"""
        self.world.start()
        stop, failures, answered = threading.Event(), [], [0]

        def ask_on():
            while not stop.is_set():
                for server in world.FAMILIES.values():
                    if self.world.ask(server):
                        answered[0] += 1
                    else:
                        failures.append(server)
        asking = threading.Thread(target=ask_on, daemon=True)
        asking.start()
        try:
            for _ in range(50):  # a transfer may be over before a busy machine let anyone ask
                for sender, receiver, address in ((self.world.client, self.world.server, world.V4),
                                                  (self.world.server, self.world.client, world.CLIENT_V4),
                                                  (self.world.client, self.world.server, world.V6),
                                                  (self.world.server, self.world.client, world.CLIENT_V6)):
                    self.assertTrue(transfer(sender, receiver, address), f"to {address}: not what was sent")
                if answered[0] + len(failures) > 20:
                    break
        finally:
            stop.set()
            asking.join()
        self.assertGreater(answered[0], 10)
        # An af_packet worker that has no CPU for long has its ring full of what the transfers sent.
        lost = answered[0] // 100 + (2 if self.transport == "af_packet" else 0)
        self.assertLessEqual(len(failures), lost, f"{len(failures)} of {answered[0]} requests unanswered")

    def test_other_udp(self):
        """UDP to other ports still reaches the host's own programs"""
        self.world.start()
        for address, family in ((world.V4, socket.AF_INET), (world.V6, socket.AF_INET6)):
            with self.world.server.network():
                listener = socket.socket(family, socket.SOCK_DGRAM)
            with listener:
                listener.bind((address, 5353))
                listener.settimeout(labs.PATIENCE)
                with self.world.client.network(), socket.socket(family, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"not for the time server", (address, 5353))
                self.assertEqual(listener.recv(100), b"not for the time server")

    def test_neighbours(self):
        """a client whose neighbour table was flushed finds the server again"""
        self.world.start()
        self.world.client.must(["ip", "neighbor", "flush", "dev", "cli0"])
        for server in world.FAMILIES.values():
            self.assertIsNotNone(self.world.ask(server))


globals().update(world.per_transport(HostNetwork, ("af_xdp", "af_packet", "kernel")))


class Memif(unittest.TestCase):
    """On a port the kernel does not own the worker itself answers ARP, ND and echo."""

    def test_ping(self):
        """ping over IPv4 and IPv6 is answered on a memif"""
        world.require("memif")
        with world.World("memif") as made:
            for address in world.FAMILIES.values():
                output = made.client.run(["ping", "-i", "0.2", "-c", "5", "-w", "50", address])  # until it has heard five
                self.assertIn(world.unanswered(output.text), (0, 1), str(output))  # testpmd may lose one on a busy machine


if __name__ == "__main__":
    tap.main()
