#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Several queues and two workers: every queue is answered, a client always meets the same worker, the counters of each worker
say so, and `chronyc clients` shows the workers' tables as one.

The sender chooses the queue, by the client's address: on a veth through XPS (the transmit queue of one end is the receive
queue of the other), on a memif with testpmd, which carries one pcap file a queue.
"""
import os
import time
import unittest

import frames
import lab as labs
import tap
import world

QUEUES, WORKERS = 4, 2
WORKERS_CONFIG = "workercpus {}\nworkeridle nap\n"


def two_cpus():
    return sorted(os.sched_getaffinity(0))[:WORKERS]


def config():
    return world.SERVE + world.ALLOW + WORKERS_CONFIG.format(",".join(map(str, two_cpus())))


def addresses(number):
    """Client `number`'s two addresses."""
    return f"10.99.1.{number}", f"fd99:0:1::{number:x}"


class AfXdp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require("af_xdp", cpus=WORKERS)
        cls.world = world.of_class(cls, "af_xdp", config(), start=False, queues=QUEUES)
        cls.world.client.address("cli0", *[f"{a}/{16 if '.' in a else 32}" for n in range(1, 13) for a in addresses(n)], spare=True)
        cls.world.start()

    def setUp(self):
        for queue in range(QUEUES):
            self.send_by(queue)
            self.world.settle()

    def send_by(self, queue):
        """What the client sends from now on arrives on this queue of the server."""
        every_cpu = f"{(1 << os.cpu_count()) - 1:x}"
        self.world.client.must(["sh", "-c", "; ".join(f"echo {every_cpu if each == queue else 0} > /sys/class/net/cli0/queues/tx-{each}/xps_cpus"
                                                      for each in range(QUEUES))])

    def answered(self):
        """By each worker; the last one is the kernel's sockets."""
        return [self.world.metric("wiretime_packets_total", verdict="answered", port="srv0", worker=str(worker)) or 0
                for worker in range(WORKERS)] + [self.world.metric("wiretime_packets_total", verdict="answered", port="kernel") or 0]

    def ask(self, number, times):
        for server, source in zip((world.V4, world.V6), addresses(number)):
            for _ in range(times):
                self.assertIsNotNone(self.world.ask(server, source=source), f"{source} got no answer\n{self.world.daemon.log[-2000:]}")

    def test_every_queue(self):
        """each queue is answered by its worker alone, and each client is listed with its true count"""
        expected = {}
        for number in range(1, 9):
            queue, times = number % QUEUES, 1 + number % 3
            self.send_by(queue)
            before = self.answered()
            self.ask(number, times)
            by_worker = [2 * times if queue % WORKERS == worker else 0 for worker in range(WORKERS)] + [0]
            labs.eventually(lambda: self.assertEqual([after - was for after, was in zip(self.answered(), before)], by_worker,
                                                     f"queue {queue}"), pause=0.05)
            expected.update({address: [times] for address in addresses(number)})
        listed = self.world.clients()
        self.assertEqual({address: listed.get(address) for address in expected}, expected)

    def test_client_of_two_workers(self):
        """a client that met both workers is listed once, with the sum"""
        for queue, times in ((0, 3), (1, 2), (2, 1)):
            self.send_by(queue)
            self.ask(11, times)
        listed = self.world.clients()
        self.assertEqual([listed.get(address) for address in addresses(11)], [[6], [6]])

    def test_log(self):
        """the log says which worker serves which queue, and that nothing is known of this interface's hash"""
        opened = [line for line in self.world.daemon.log.splitlines() if "data plane port opened" in line]
        self.assertEqual(len(opened), 1, self.world.daemon.log)
        for field in ("queues=4", "workers=0,1,0,1", "hash=unknown"):
            self.assertIn(field, opened[0])


class FewerQueuesThanTheInterface(unittest.TestCase):
    def setUp(self):
        world.require("af_xdp", cpus=WORKERS)

    def run_with(self, line, cpus):
        with world.World("af_xdp", start=False, queues=QUEUES) as w:
            text = world.SERVE + world.ALLOW + WORKERS_CONFIG.format(cpus) + line + "user root\n"
            daemon = w.server.spawn(w.command(w.write_config(text)), name="daemon")
            daemon.wait_for("Accepting commands")
            daemon.stop()
            return daemon.wait(), daemon.log

    def test_unserved_queues(self):
        """requests on queues without a worker are warned of, with the command that helps"""
        status, log = self.run_with("dataplane af_xdp srv0 queues 2\n", two_cpus()[0])
        self.assertEqual(status, 0, log)
        self.assertIn("dataplane af_xdp srv0: the interface has 4 receive queues and workers serve 2", log)
        self.assertIn("ethtool -L srv0 combined 2", log)

    def test_more_queues(self):
        """more queues than the interface has is refused"""
        status, log = self.run_with("dataplane af_xdp srv0 queues 8\n", two_cpus()[0])
        self.assertEqual(status, 1, log)
        self.assertIn("dataplane af_xdp srv0: queues 8 asked for, the interface has 4", log)

    def test_more_workers(self):
        """more workercpus than queues is refused with both ways out"""
        status, log = self.run_with("dataplane af_xdp srv0\n", ",".join(map(str, two_cpus())))
        self.assertEqual(status, 1, log)
        self.assertIn("workercpus: 2 CPUs named for 1 queue in total, some would have nothing to do; name 1, or ask for more queues: "
                      "`dataplane af_xdp srv0 ... queues 2`", log)


class Memif(unittest.TestCase):
    def setUp(self):
        world.require("memif", cpus=WORKERS)
        self.world = world.World("memif", config(), start=False)
        self.addCleanup(self.world.close)
        plane = self.world.dataplane().strip() + f" queues {WORKERS}\n"
        self.world.dataplane = lambda: plane

    def requests(self, queue):
        """Clients 1 to 20: the even ones on queue 0, the odd ones on queue 1; client n asks n times in each family."""
        made = []
        for number in range(1, 21):
            if number % WORKERS == queue:
                for server, source in zip((world.V4, world.V6), addresses(number)):
                    made += [frames.ethernet("02:00:00:00:00:02", "02:00:00:00:00:01",
                                             frames.ip(source, server, frames.udp(source, server, frames.ntp(), 20000 + i)))
                             for i in range(number)]
        path = world.scratch(self.world, f"requests{queue}.pcap")
        frames.write_pcap(path, made)
        return path, len(made)

    def test_two_queues(self):
        """each queue is answered by its worker, on that queue; each client is listed with its true count"""
        w = self.world
        w.daemon = w.server.spawn(w.command(), name="daemon")
        w.await_socket(time.time() - 5)
        files, counts = zip(*(self.requests(queue) for queue in range(WORKERS)))
        answers = [world.scratch(w, f"answers{queue}.pcap") for queue in range(WORKERS)]
        pcap = "".join(f",rx_pcap={f}" for f in files) + "".join(f",tx_pcap={a}" for a in answers)
        bridge = world.testpmd(w.server, f"net_memif0,role=client,socket={w.lab.dir}/wire.sock,socket-abstract=no", f"net_pcap0{pcap}",
                               prefix="bridge",
                               extra=[f"--rxq={WORKERS}", f"--txq={WORKERS}"])

        def replies(path):
            return [reply for reply in map(frames.parse, frames.read_pcap(path)) if reply]

        def carried():
            self.assertEqual(w.verdict("answered"), sum(counts), w.daemon.log[-3000:])
            self.assertEqual([len(replies(path)) for path in answers], list(counts), bridge.log[-2000:])
        labs.eventually(carried)
        logs = f"{w.daemon.log[-3000:]}\n{bridge.log[-2000:]}"
        bridge.stop()
        by_worker = [w.metric("wiretime_packets_total", verdict="answered", worker=str(worker), port=f"{w.lab.dir}/wire.sock") or 0
                     for worker in range(WORKERS)]
        self.assertEqual(by_worker, list(counts), logs)
        listed = w.clients()
        self.assertEqual({a: listed.get(a) for n in range(1, 21) for a in addresses(n)}, {a: [n] for n in range(1, 21) for a in addresses(n)})
        for queue, path in enumerate(answers):
            self.assertEqual(len(replies(path)), counts[queue], logs)
            self.assertTrue(all(reply.mode == 4 for reply in replies(path)))
            self.assertEqual({int(reply.target.replace(":", ".").rsplit(".", 1)[1], 10 if "." in reply.target else 16) % WORKERS
                              for reply in replies(path)}, {queue})
        self.assertIn("hash=sender", w.daemon.log)


if __name__ == "__main__":
    tap.main()
