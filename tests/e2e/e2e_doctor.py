#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""wiretime-doctor on hosts whose state is known: before a start, beside a running daemon, and where something is in the way. What it
says of a running daemon's rungs is what the daemon's own metrics say."""
import json
import os
import unittest

import lab as labs
import peers
import tap
import world


def require(transport):
    world.require(transport)
    if world.is_stock():
        raise unittest.SkipTest("the daemon under test is chrony's own, which has no doctor")


class Findings:
    """What the doctor printed with --json."""

    def __init__(self, output):
        self.output = output
        self.findings = json.loads(output.text)["findings"]
        self.summary = json.loads(output.text)["summary"]

    def of(self, about, topic):
        return [f for f in self.findings if f["about"] == about and f["topic"] == topic]

    def only(self, about, topic):
        found = self.of(about, topic)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} findings of {about} {topic}\n{self.output}")
        return found[0]

    def problems(self):
        return [f for f in self.findings if f["level"] == "problem"]


def doctor(host, *arguments):
    return host.run([os.environ["WIRETIME_DOCTOR"], *arguments])


def ask(host, *arguments):
    return Findings(doctor(host, "--json", *arguments))


class Running:
    transport = None

    @classmethod
    def setUpClass(cls):
        require(cls.transport)
        cls.world = world.of_class(cls, cls.transport)
        cls.config = cls.world.write_config(cls.world.full_config())

    def rung_in_metrics(self, family):
        rungs = [rung for rung in ("hardware", "xdp", "tsc", "launch", "predicted", "plain")
                 if self.world.metric(family, port="srv0", rung=rung) == 1]
        self.assertEqual(len(rungs), 1)
        return rungs[0]

    def test_rungs(self):
        """the rungs it names are those of the daemon's metrics, and those that it expected"""
        # The first look at the ladder takes a second.
        labs.eventually(lambda: self.assertEqual(self.world.metric("wiretime_receive_rung", port="srv0", rung=self.receive), 1), pause=0.2)
        found = ask(self.world.server, "-f", self.config)
        for direction, family in (("receive", "wiretime_receive_rung"), ("transmit", "wiretime_transmit_rung")):
            rung = self.rung_in_metrics(family)
            now = found.only("srv0", f"{direction} now")
            self.assertRegex(now["what"], rf"^{rung}\b")
            self.assertEqual(now["level"], "ok", found.output)
            self.assertRegex(found.only("srv0", direction)["what"], rf"^{rung}, not ")
        self.assertRegex(found.only("srv0", "receive now")["what"], rf"^{self.receive}\b")

    def test_daemon(self):
        """the daemon is found, with its port and what it serves, and nothing is a problem"""
        found = ask(self.world.server, "-f", self.config)
        self.assertEqual(found.problems(), [], found.output)
        self.assertEqual(found.output.code, 0)
        self.assertIn("stratum 10", found.only("wiretimed", "metrics")["what"])
        self.assertRegex(found.only("wiretimed", "process")["what"], r"^runs \(pid \d+\)$")
        self.assertRegex(found.only("host", "ntp port")["what"], r"^wiretimed \(pid \d+\) has UDP port 123$")
        if self.transport == "af_xdp":
            self.assertRegex(found.only("srv0", "xdp program")["what"], r"^wiretimed's \(id \d+\)$")

    def test_undisturbed(self):
        """looking changes nothing: the daemon answers on, and the interface keeps its program"""
        before = self.world.server.must(["ip", "-details", "link", "show", "srv0"])
        answered = self.world.verdict("answered")
        ask(self.world.server, "-f", self.config)
        self.assertEqual(self.world.server.must(["ip", "-details", "link", "show", "srv0"]), before)
        self.assertIsNotNone(self.world.ask(world.V4))
        labs.eventually(lambda: self.assertEqual(self.world.verdict("answered"), answered + 1), pause=0.05)

    def test_no_metrics(self):
        """without a metrics port it says where the rungs are instead, and with a wrong one that nobody answers"""
        text = self.world.full_config().replace(world.METRICS, "")
        found = ask(self.world.server, "-f", self.world.write_config(text, "no-metrics.conf"))
        self.assertIn("metricsport", found.only("wiretimed", "process")["next"])
        text = self.world.full_config().replace("metricsport 9123", "metricsport 9124")
        found = ask(self.world.server, "-f", self.world.write_config(text, "wrong-metrics.conf"))
        self.assertEqual(found.only("wiretimed", "metrics")["what"], "127.0.0.1:9124: Connection refused")
        self.assertEqual(found.of("srv0", "receive now"), [])


class AfXdp(Running, unittest.TestCase):
    transport, receive = "af_xdp", "xdp"


class AfPacket(Running, unittest.TestCase):
    transport, receive = "af_packet", "tsc"


class Before(unittest.TestCase):
    """Nothing runs yet."""

    @classmethod
    def setUpClass(cls):
        require("af_xdp")
        cls.world = world.of_class(cls, "af_xdp", start=False)
        cls.config = cls.world.write_config(cls.world.full_config())

    def test_in_order(self):
        """a host in order has no problems, and the rung to be expected is named"""
        found = ask(self.world.server, "-f", self.config)
        self.assertEqual(found.problems(), [], found.output)
        self.assertIn("does not run here", found.only("wiretimed", "process")["what"])
        self.assertRegex(found.only("srv0", "receive")["what"], "^xdp, not hardware: ")
        self.assertEqual(found.only("srv0", "card")["what"].split(",")[0], "veth")

    def test_text(self):
        """for people: a line a finding, in columns, the sums last, without colours in a file"""
        lines = doctor(self.world.server, "-f", self.config).text.splitlines()
        self.assertRegex(lines[-1], r"^\d+ problems?, \d+ warnings?, \d+ notes?, \d+ ok$")
        for line in lines[:-1]:
            self.assertRegex(line, r"^(ok|note|warning|problem) +\S")
            self.assertNotIn("\033", line)
        self.assertEqual(len({line.index("srv0") for line in lines if " srv0 " in line}), 1)

    def test_no_configuration(self):
        """without a configuration every interface is judged as what it could be"""
        if os.path.isdir("/etc/chrony"):
            self.world.server.hide_directory("/etc/chrony")
        found = ask(self.world.server)
        self.assertEqual(found.only("srv0", "af_xdp receive")["what"].split(",")[0], "xdp")
        self.assertEqual(found.of("lo", "card"), [])

    def test_down(self):
        """an interface that is down is a problem of the port, with the command that helps"""
        self.world.server.must(["ip", "link", "set", "srv0", "down"])
        try:
            found = ask(self.world.server, "-f", self.config)
        finally:
            self.world.server.must(["ip", "link", "set", "srv0", "up"])
        self.assertEqual(found.output.code, 1)
        self.assertEqual(found.only("srv0", "link")["next"], "ip link set srv0 up")

    def test_mistakes(self):
        """a configuration that cannot be used is a problem with its line, and a wrong option is told apart"""
        broken = self.world.write_config("allow\ndataplane af_xpd srv0\n", "broken.conf")
        found = ask(self.world.server, "-f", broken)
        self.assertEqual(found.output.code, 1)
        self.assertRegex(found.only("host", "configuration")["what"], r"broken\.conf:2: ")
        nothing = ask(self.world.server, "-f", self.config, "nothing0", "0000:ff:1f.7")
        self.assertEqual(nothing.output.code, 1)
        self.assertEqual([f["about"] for f in nothing.problems()], ["nothing0", "0000:ff:1f.7"])
        wrong = doctor(self.world.server, "--jason")
        self.assertEqual((wrong.code, wrong.text), (2, 'wiretime-doctor: expected an option that -h lists, found "--jason"\n'))

    def test_port_taken(self):
        """another time daemon on the NTP port is named"""
        other = self.world.server.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "-f", self.world.write_config("allow\ncmdport 0\nuser root\n", "other.conf")],
                                        peers.environment(), name="other")
        try:
            def named():
                found = ask(self.world.server, "-f", self.config)
                self.assertRegex(found.only("host", "ntp port")["what"], r"^chronyd \(pid \d+\) has UDP port 123$", other.log)
                return found
            found = labs.eventually(named, pause=0.1)
        finally:
            other.stop()
        self.assertEqual(found.only("host", "ntp port")["next"], "systemctl disable --now chrony")


if __name__ == "__main__":
    tap.main()
