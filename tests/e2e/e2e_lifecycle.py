#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Starting, stopping, being killed, and refusing to start: one clear line and exit 1 each time."""
import os
import shutil
import signal
import socket
import unittest

import lab as labs
import peers
import tap
import world


def need(case, transport):
    world.require(transport)


class Lifecycle(unittest.TestCase):
    def make(self, transport="kernel", **options):
        need(self, transport)
        made = world.World(transport, **options)
        self.addCleanup(made.close)
        return made

    def in_run(self, made, path):
        return os.path.lexists(f"/proc/{made.server.holder_pid}/root/run/{path}")

    def restart_after_kill(self, transport):
        made = self.make(transport)
        for _ in range(3):
            self.assertIsNotNone(made.ask(world.V4))
            made.daemon.signal(signal.SIGKILL)
            self.assertIsNotNone(made.daemon.wait())  # the kernel takes the process down, busy or not
            made.start()
        self.assertIn("Normal", made.chronyc("tracking").text)
        self.assertIsNotNone(made.ask(world.V6))

    def test_kill_kernel(self):
        """kill -9 and restart at once works on kernel sockets"""
        self.restart_after_kill("kernel")

    def test_kill_af_packet(self):
        """kill -9 and restart at once works on af_packet"""
        self.restart_after_kill("af_packet")

    def test_kill_af_xdp(self):
        """kill -9 and restart at once works on af_xdp, replacing our own stale program"""
        self.restart_after_kill("af_xdp")

    def test_kill_memif(self):
        """kill -9 and restart at once works on memif"""
        self.restart_after_kill("memif")

    def clean_exit(self, transport, number):
        made = self.make(transport)
        self.assertTrue(self.in_run(made, "chrony/chronyd.pid"))
        self.assertTrue(self.in_run(made, "chrony/chronyd.sock"))
        made.daemon.signal(number)
        self.assertEqual(made.daemon.wait(), 0, made.daemon.log)
        self.assertFalse(self.in_run(made, "chrony/chronyd.pid"), "pid file left behind")
        self.assertFalse(self.in_run(made, "chrony/chronyd.sock"), "command socket left behind")
        return made

    def test_sigterm(self):
        """SIGTERM ends it with exit 0, and pid file and command socket are gone"""
        self.clean_exit("kernel", signal.SIGTERM)

    def test_sigint(self):
        """SIGINT ends it with exit 0 too"""
        self.clean_exit("kernel", signal.SIGINT)

    def test_detach(self):
        """a normal exit takes the XDP program off the interface"""
        need(self, "af_xdp")
        made = world.World("af_xdp")
        self.addCleanup(made.close)
        self.assertIn("xdp", made.server.must(["ip", "link", "show", "srv0"]))
        made.daemon.signal(signal.SIGTERM)
        self.assertEqual(made.daemon.wait(), 0, made.daemon.log)
        self.assertNotIn("xdp", made.server.must(["ip", "link", "show", "srv0"]))

    def test_second_instance(self):
        """a second instance is refused with one line naming the first"""
        made = self.make()
        second = made.server.run(made.command(), env=made.environment())
        self.assertEqual(second.code, 1, str(second))
        self.assertRegex(second.text, "already (be )?running")
        self.assertIsNotNone(made.ask(world.V4))
        self.assertEqual(made.chronyc("tracking").code, 0)

    def test_fork(self):
        """without -d the parent exits 0 once the pid file is there and the daemon serves"""
        made = self.make(start=False)
        command = [word for word in made.command() if word != "-d"]
        parent = made.server.run(command, env=made.environment())
        self.assertEqual(parent.code, 0, str(parent))
        pid = int(made.server.must(["cat", "/run/chrony/chronyd.pid"]))
        self.assertIsNotNone(made.ask(world.V4))
        made.server.must(["kill", str(pid)])
        labs.eventually(lambda: self.assertFalse(self.in_run(made, "chrony/chronyd.pid")), pause=0.05)

    def test_user(self):
        """user drops root after binding port 123"""
        made = self.make(config=world.SERVE + world.ALLOW, start=False)
        made.full_config = lambda: made.config + "user nobody\n"
        made.start()
        self.assertIn("\nUid:\t65534\t65534\t65534\t65534", made.server.must(["cat", f"/proc/{self.inside_pid(made)}/status"]))
        self.assertEqual(made.chronyc("tracking").code, 0)

    def inside_pid(self, made):
        return int(made.server.must(["cat", "/run/chrony/chronyd.pid"]))

    def test_version(self):
        """-v prints one line with a feature list in parentheses and exits 0"""
        made = self.make(start=False)
        shown = made.server.run([world.wiretimed(), "-v"], env=made.environment())
        self.assertEqual(shown.code, 0)
        self.assertRegex(shown.text.strip(), r"^\S.*version \S+ \(([+-][A-Z0-9]+ ?)+\)$")
        for feature in ("+CMDMON", "+NTP", "+REFCLOCK", "+PRIVDROP", "+ASYNCDNS", "+SECHASH", "+IPV6"):  # chronyd 4.3 has them too
            self.assertIn(f"{feature} ", shown.text)

    def test_help(self):
        """-h prints the usage and exits 0"""
        made = self.make(start=False)
        shown = made.server.run([world.wiretimed(), "-h"], env=made.environment())
        self.assertEqual(shown.code, 0)
        self.assertIn("-f", shown.text)

    def test_arguments_as_directives(self):
        """directives on the command line replace the configuration file"""
        made = self.make(start=False)
        made.daemon = made.server.spawn([world.wiretimed(), "-d", "-x", "user root", "local stratum 5", "allow all"],
                                        made.environment())
        made.wait_ready()
        self.assertEqual(made.ask(world.V4).stratum, 5)


class Refusals(unittest.TestCase):
    def setUp(self):
        need(self, "kernel")
        self.world = world.World(start=False)
        self.addCleanup(self.world.close)

    def refused(self, *mentions, config=None, transport="kernel", prefix=(), program=None):
        """Exit 1 in time, and the last line of output mentions every word of `mentions`; chrony's own daemon words
        things its own way."""
        self.world.transport = transport
        path = self.world.write_config(self.world.full_config() if config is None else config)
        output = self.world.server.run([*prefix, program or world.wiretimed(), "-d", "-x", "-f", path], env=self.world.environment())
        self.assertEqual(output.code, 1, str(output))
        lines = output.text.strip().splitlines()
        self.assertTrue(lines, "refused without a word")
        if not world.is_stock():
            for word in mentions:
                self.assertIn(word, lines[-1], str(output))
        return lines

    def test_bad_configuration(self):
        """each bad line: one line with file, line number, what was expected and found; exit 1"""
        for line, *mentions in (
                ("frobnicate 1", "frobnicate"), ("port banana", "banana"), ("port 70000", "70000"), ("allow 10.0.0.0/33", "10.0.0.0/33"),
                ("local stratum 0", "0"), ("local stratum 16", "16"), ("cmdport", "cmdport"), ("bindaddress nowhere", "nowhere")):
            if world.is_stock() and line != "frobnicate 1":
                continue  # chrony is more lenient
            with self.subTest(line):
                lines = self.refused(*mentions, config=f"# a comment\nuser root\n{line}\nallow all\n")
                if not world.is_stock():
                    self.assertEqual(len(lines), 1, lines)
                    self.assertIn("wiretime.conf:3:", lines[0])

    def test_bad_dataplane(self):
        """bad dataplane lines are refused the same way"""
        if world.is_stock():
            self.skipTest("the daemon under test is chrony's own, which has no data plane")
        for line in ("dataplane", "dataplane warp srv0", "dataplane af_xdp", "dataplane af_xdp srv0 queues 0",
                     "dataplane memif /run/x.sock", "dataplane pci banana address 192.0.2.1/24", "workercpus 5-2",
                     "workeridle sometimes", "hugepages perhaps"):
            with self.subTest(line):
                lines = self.refused("wiretime.conf:2:", config=f"user root\n{line}\nallow all\n")
                self.assertEqual(len(lines), 1, lines)

    def test_missing_file(self):
        """a configuration file that is not there"""
        output = self.world.server.run([world.wiretimed(), "-d", "-x", "-f", "/nonexistent.conf"], env=self.world.environment())
        self.assertEqual(output.code, 1)
        self.assertIn("/nonexistent.conf", output.text)

    def test_port_taken(self):
        """port 123 in use by somebody else"""
        with self.world.server.network(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other4:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            other.bind(("::", 123))
            other4.bind(("0.0.0.0", 123))
            if world.is_stock():
                self.skipTest("chrony's own daemon goes on without its server port")
            self.refused("123")

    def test_interface_missing(self):
        """a dataplane on an interface that does not exist"""
        need(self, "af_packet")
        for driver in ("af_packet", "af_xdp"):
            if world.why_not(driver) is None:
                self.refused("nosuch0", config=f"user root\nallow all\ndataplane {driver} nosuch0\n")

    def test_unknown_cpu(self):
        """workercpus names a CPU this machine does not have"""
        need(self, "af_packet")
        self.refused("999", config="user root\nallow all\ndataplane af_packet srv0\nworkercpus 999\n")

    def test_no_permission(self):
        """started by an ordinary user"""
        # A copy, because the way to the build directory may be closed to that user.
        self.refused("root", program=shutil.copy(world.wiretimed(), world.scratch(self.world, "daemon")),
                     prefix=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])

    def test_foreign_xdp_program(self):
        """another XDP program on the interface is left alone, with a clear error"""
        need(self, "af_xdp")
        source = world.scratch(self.world, "foreign.c")
        source.write_text('__attribute__((section("xdp"), used)) int foreign(void *context) { return 2; }\n'
                          'char terms[] __attribute__((section("license"), used)) = "GPL";\n')
        self.world.server.must(["clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", f"{source}.o"])
        self.world.server.must(["ip", "link", "set", "dev", "srv0", "xdp", "obj", f"{source}.o", "sec", "xdp"])

        def attached():
            text = self.world.server.must(["ip", "link", "show", "srv0"])
            return text[text.index("xdp"):]
        before = attached()
        self.refused("srv0", "XDP", transport="af_xdp")
        self.assertEqual(attached(), before)
        self.world.server.must(["ip", "link", "set", "dev", "srv0", "xdp", "off"])
        self.world.start()
        self.assertIsNotNone(self.world.ask(world.V4))

    def test_nothing_half_applied(self):
        """a refused start leaves no pid file, socket or XDP program"""
        self.refused(config="user root\nallow all\ndataplane af_xdp srv0\nfrobnicate\n")
        self.assertEqual(self.world.server.run(["ls", "/run/chrony"]).text.count("chronyd."), 0)
        self.assertNotIn("xdp", self.world.server.must(["ip", "link", "show", "srv0"]))


class Defaults(unittest.TestCase):
    def test_without_ipv6(self):
        """IPv6 switched off on the host is a note in the log, never a failure"""
        need(self, "kernel")
        with world.World(start=False) as made:
            made.server.must(["sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1"])
            made.start()
            self.assertIsNotNone(made.ask(world.V4))
            self.assertEqual(peers.chronyc(made.server, "tracking").code, 0)

    def test_unsynchronised_says_so(self):
        """no source and no local directive: leap 3, stratum 0 on the wire, and a line in the log that says what to do"""
        need(self, "kernel")
        with world.World(config=world.ALLOW) as made:
            reply = made.ask(world.V4)
            self.assertEqual((reply.leap, reply.stratum), (3, 0))
            self.assertIn("Not synchronised", made.chronyc("tracking").text)
            if not world.is_stock():
                self.assertIn("local", made.daemon.log)


if __name__ == "__main__":
    tap.main()
