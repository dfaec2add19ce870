#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Without a dataplane line the daemon keeps to what clock-and-network simulators under LD_PRELOAD replace: no other system
calls, one thread, few sockets, no DPDK. tests/support/loop_rules.c watches it do everything it does on kernel sockets."""
import os
import pathlib
import time
import unittest

import lab as labs
import peers
import tap
import world

SERVERS = ("10.95.0.1", "10.95.0.2")
SILENT = tuple(f"10.95.0.{n}" for n in range(71, 77))
LIBRARIES = ("librte", "libnuma", "libbpf", "wiretime-dataplane")


class KernelSockets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require()
        if b"__tsan_init" in pathlib.Path(world.wiretimed()).read_bytes():
            raise unittest.SkipTest("the thread sanitizer has a thread of its own")
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.upstream, cls.host = (cls.lab.host(name) for name in ("upstream", "host"))
        cls.lab.wire(cls.upstream, "up0", cls.host, "down0")
        cls.upstream.address("up0", *[f"{address}/24" for address in SERVERS])
        cls.host.address("down0", "10.95.0.9/24")
        for number, address in enumerate(SERVERS):
            peers.chronyd(cls.upstream, f"up{number}", f"bindaddress {address}", "local stratum 1", "allow")
        time.sleep(0.5)
        (cls.lab.dir / "logs").mkdir()
        sources = [f"server {SERVERS[0]} iburst minpoll 0 maxpoll 0 xleave", f"server {SERVERS[1]} iburst minpoll 0 maxpoll 0",
                   f"peer {SILENT[0]} minpoll 0 maxpoll 0", *[f"server {address} minpoll 0 maxpoll 0" for address in SILENT[1:]]]
        cls.report = cls.lab.dir / "rules"
        cls.daemon = cls.spawn("-x", "user root", "allow", f"logdir {cls.lab.dir}/logs",
                               "log measurements statistics tracking", f"driftfile {cls.lab.dir}/drift", *sources)
        if not cls.daemon.wait_for("Selected source"):
            raise AssertionError(f"no source selected\n{cls.daemon.log}")
        cls.use()

    @classmethod
    def watched(cls, program, report):
        # The watcher is not sanitized and so comes before the sanitizer's own library.
        return ["/usr/bin/env", f"LD_PRELOAD={os.environ['WIRETIME_LOOP_RULES']}", f"LOOP_RULES={report}",
                "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0", program]

    @classmethod
    def spawn(cls, *arguments):
        return cls.host.spawn([*cls.watched(world.wiretimed(), cls.report), "-d", *arguments], name="daemon")

    @classmethod
    def use(cls):
        """Everything an operator and a client may ask for, for some seconds."""
        for command in ("sources", "sourcestats", "tracking", "ntpdata", "selectdata", "activity", "clients", "serverstats", "burst 1/2",
                        "offline", "online", "refresh", f"delete {SILENT[1]}", f"add server {SILENT[1]} minpoll 0", "cyclelogs", "dump"):
            peers.chronyc(cls.host, *command.split())
        for _ in range(4):
            cls.chronyd = peers.chronyd_query(cls.upstream, "10.95.0.9")
            time.sleep(1)

    def seen(self):
        return self.report.read_text().splitlines()

    def test_rules(self):
        """it makes no call that simulators do not know"""
        self.assertTrue(self.daemon.running(), self.daemon.log)
        lines = self.seen()
        self.assertIn("watching", lines)
        self.assertEqual(sorted({line for line in lines if line != "watching" and not line.startswith("sockets")}), [], self.daemon.log)

    def test_sockets(self):
        """eight sources, six of them silent, take fewer than 20 sockets with everything else"""
        most = max(int(line.split()[1]) for line in self.seen() if line.startswith("sockets"))
        self.assertGreater(most, 8)
        self.assertLess(most, 20)

    def test_thread(self):
        """it has one thread"""
        self.assertEqual(len(os.listdir(f"/proc/{self.daemon.pid}/task")), 1)

    def test_dpdk(self):
        """DPDK is neither loaded nor started"""
        maps = pathlib.Path(f"/proc/{self.daemon.pid}/maps").read_text()
        self.assertIn("loop_rules", maps)
        self.assertEqual([name for name in LIBRARIES if name in maps], [])
        self.assertNotEqual(self.host.run(["test", "-e", "/run/dpdk"]).code, 0)

    def test_stamps(self):
        """requests and answers carry the kernel's times, in basic and interleaved mode"""
        def stamped(server, *lines):
            text = peers.chronyc(self.host, "ntpdata", server).text
            for line in ("TX timestamping : Kernel", "RX timestamping : Kernel", *lines):
                self.assertIn(line, text)
        labs.eventually(lambda: stamped(SERVERS[0], "Interleaved     : Yes"))
        labs.eventually(lambda: stamped(SERVERS[1]))

    def test_serves(self):
        """and all the while it serves"""
        self.assertTrue(self.chronyd, str(self.chronyd))

    def test_watcher(self):
        """the watcher does see what is not allowed"""
        own = self.lab.dir / "own"
        script = "import select, threading, time; select.epoll(); threading.Thread(target=int).start(); time.clock_gettime(11)"
        output = self.host.run([*self.watched("/usr/bin/python3", own), "-c", script])
        self.assertEqual(output.code, 0, str(output))
        for line in ("epoll_create1", "pthread_create", "clock_gettime 11"):
            self.assertIn(line, own.read_text().splitlines())


if __name__ == "__main__":
    tap.main()
