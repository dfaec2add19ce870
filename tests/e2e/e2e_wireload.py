#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""wireload against wiretimed over memif, and against a stock chronyd over veth: what it counts is what happened.

Rates are low: nothing here measures speed.
"""
import json
import os
import re
import signal
import time
import unittest

import lab as labs
import peers
import tap
import world

PREFIX4, PREFIX6 = "10.99.16.0/20", "fd99:0:16::/48"
KINDS = "malformed short version mode6 mode7 response checksum fragment source".split()


class Runs:
    """Runs wireload in `host` and reads what it wrote."""
    host = port = None

    def wireload(self, *words, to=world.V4, prefix=PREFIX4, code=0, timeout=2 * labs.PATIENCE):
        path = self.world.lab.dir / "run.json"
        path.unlink(missing_ok=True)
        # On a busy machine an answer may take seconds; it is waited for only while there is one to come. Servers on kernel sockets are
        # asked so slowly that their queue holds what comes while they have no CPU.
        output = self.host.run([os.environ["WIRELOAD"], "--port", self.port, "--from", prefix, "--to", to, "--json", path,
                                "--wait", "8s", "--clock-bound", "30s", *words],
                               timeout=timeout)
        self.assertEqual(output.code, code, output)
        print(*(f"# {line}" for line in output.text.splitlines()), sep="\n")
        self.text = output.text
        return json.loads(path.read_text())["steps"] if path.exists() else None

    def one(self, *words, **more):
        steps = self.wireload(*words, **more)
        self.assertEqual(len(steps), 1)
        return steps[0]

    def check_clean(self, step):
        """Everything was answered, rightly."""
        self.assertGreater(step["sent"], 0)
        self.assertEqual((step["answered"], step["lost"], step["invalid"], step["kiss"]), (step["sent"], 0, 0, 0), step)
        self.assertEqual(step["response_time"]["count"], step["checked"])
        self.assertGreater(step["response_time"]["p50"], 0)


class Memif(Runs, unittest.TestCase):
    RULES = "deny 10.99.32.0/24\n"
    OPTIONS = ""

    @classmethod
    def setUpClass(cls):
        world.require("memif", wireload=True)
        cls.world = world.of_class(cls, "memif", world.SERVE + world.ALLOW + cls.RULES, start=False)
        cls.host, cls.port = cls.world.server, f"memif {cls.world.lab.dir}/wire.sock role client{cls.OPTIONS}"
        began = time.time()
        config = cls.world.full_config().replace(f" address {world.V6}/32", f" address {world.V6}/32{cls.OPTIONS}")
        cls.world.daemon = cls.host.spawn(cls.world.command(cls.world.write_config(config)), name="daemon")
        cls.world.await_socket(began)
        if not cls.world.daemon.wait_for("clients see this server as synchronised"):
            raise AssertionError(cls.world.daemon.log)

    def counted(self, *verdicts):
        return [self.world.verdict(verdict) for verdict in verdicts]


class Counts(Memif):
    def test_rate(self):
        """at a fixed rate every request is answered, and the server has counted as many"""
        before, = self.counted("answered")
        step = self.one("--rate", "5k", "--time", "2s", "--clients", 1000)
        self.check_clean(step)
        labs.eventually(lambda: self.assertEqual(self.counted("answered")[0] - before, step["sent"]), pause=0.05)
        self.assertLessEqual(step["sent"] + step["not_sent"], 10001)
        self.assertEqual(step["checked"], step["answered"])

    def test_ipv6_window(self):
        """a window of 16 over IPv6 loses nothing and never stalls"""
        step = self.one("--window", 16, "--time", "2s", to=world.V6, prefix=PREFIX6)
        self.check_clean(step)
        self.assertGreater(step["sent"], 100)

    def test_flood_sample(self):
        """in a flood a stated share of the replies is checked"""
        steps = self.wireload("--flood", "--time", "1s", "--check", "1/4", "--clients", "100k")
        self.assertEqual(steps[0]["invalid"], 0, steps)
        checked, answered = steps[0]["checked"], steps[0]["answered"]
        self.assertLess(abs(checked - answered / 4), 5 * (answered * 3 / 16) ** 0.5 + 1)  # five standard deviations
        self.assertRegex(self.text, r"[\d.]+ % of the replies checked")

    def test_repeat(self):
        """steps repeated over one connection, with lone requests between them, are each counted"""
        before, = self.counted("answered")
        steps = self.wireload("--rate", "2k", "--time", "200ms", "--repeat", 3, "--probe")
        self.assertEqual(len(steps), 3)
        for step in steps:
            self.check_clean(step)
            self.assertEqual(step["offered_rate"], 2000)
            self.assertGreater(min(step["round_trip"].values()), 0)
        for first, second in zip(steps, steps[1:]):
            self.assertEqual(first["round_trip"]["after"], second["round_trip"]["before"])
        self.assertGreater(self.counted("answered")[0] - before, sum(step["sent"] for step in steps))  # the lone ones too

    def test_overload(self):
        """a flood and twice what it was answered take turns, and the file has each step as soon as it has ended"""
        path = self.world.lab.dir / "overload.json"
        running = self.host.spawn([os.environ["WIRELOAD"], "--port", self.port, "--from", PREFIX4, "--to", world.V4, "--overload", "2",
                                   "--time", "300ms", "--repeat", "10000", "--clock-bound", "30s", "--wait", "8s", "--json", path])
        labs.eventually(lambda: self.assertTrue(path.exists() and len(json.loads(path.read_text())["steps"]) > 1, running.log), pause=0.05)
        running.signal(signal.SIGTERM)
        self.assertEqual(running.wait(), 0, running.log)
        flood, over = json.loads(path.read_text())["steps"][:2]
        self.assertEqual(flood["offered_rate"], 0)
        self.assertAlmostEqual(over["offered_rate"], 2 * flood["answered"] / flood["seconds"], delta=1)
        self.assertNotIn("round_trip", flood)

    def test_mix(self):
        """no kind of bad packet is answered, requests among them are, and the server's verdicts fit"""
        verdicts = "ntp_extension_invalid ntp_too_short ntp_version_unsupported ntp_mode_control ntp_mode_private " \
                   "ntp_mode_response udp_checksum_bad fragment source_invalid".split()
        before = self.counted(*verdicts)
        self.check_clean(self.one("--rate", "4k", "--time", "2s", "--mix", ",".join(f"{kind}=5%" for kind in KINDS)))
        sent, answered = re.search(r"bad packets: (\d+) sent, (\d+) answered", self.text).groups()
        self.assertEqual(answered, "0", self.text)
        self.assertGreater(int(sent), 0)
        by_kind = [int(re.search(rf"\b{kind} 0 of (\d+)", self.text)[1]) for kind in KINDS]
        labs.eventually(lambda: self.assertEqual([after - b for after, b in zip(self.counted(*verdicts), before)], by_kind), pause=0.05)

    def test_denied(self):
        """requests of denied clients are lost, which misses the requirement: one line says so"""
        step = self.one("--rate", "1k", "--time", "1s", "--require-loss-below", "0.1%", prefix="10.99.32.0/24", code=1)
        self.assertEqual((step["lost"], step["answered"]), (step["sent"], 0))
        self.assertRegex(self.text, r"wireload: 100 % of the requests lost at \S+ a second, less than 0\.1\S* % required")

    def test_interrupt(self):
        """SIGINT ends the run with what was measured"""
        path = self.world.lab.dir / "interrupted.json"
        running = self.host.spawn([os.environ["WIRELOAD"], "--port", self.port, "--from", PREFIX4, "--to", world.V4, "--rate", "1k",
                                   "--time", "600s", "--wait", "8s", "--clock-bound", "30s", "--json", path])
        self.assertTrue(running.wait_for("offered"), running.log)  # the first progress line
        running.signal(signal.SIGINT)
        self.assertEqual(running.wait(), 0, running.log)
        step, = json.loads(path.read_text())["steps"]
        self.check_clean(step)
        self.assertLess(step["seconds"], 590)

    def test_nobody(self):
        """a server that is not there is said not to be"""
        self.wireload("--flood", to="10.99.0.77", code=1)
        self.assertIn("nobody on this wire says that it has 10.99.0.77", self.text)


class Gone(Memif):
    def test_gone(self):
        """when the server's process ends, so does the run after its step, with what was measured"""
        path = self.world.lab.dir / "gone.json"
        running = self.host.spawn([os.environ["WIRELOAD"], "--port", self.port, "--from", PREFIX4, "--to", world.V4,
                                   "--sweep", "1k:16k:x2", "--step", "3s", "--json", path])
        self.assertTrue(running.wait_for("offered"), running.log)
        self.world.daemon.signal(signal.SIGKILL)
        self.assertEqual(running.wait(), 1, running.log)
        self.assertIn("the link went down; has the other side of this socket ended?", running.log)
        steps = json.loads(path.read_text())["steps"]
        self.assertLess(len(steps), 5)
        self.assertGreater(steps[0]["answered"], 0)
        for step in steps:
            self.assertEqual(step["sent"], step["answered"] + step["lost"])


class Tagged(Memif):
    OPTIONS = " vlan 7"

    def test_vlan(self):
        """requests go out tagged and tagged replies are taken, in both families"""
        self.check_clean(self.one("--rate", "1k", "--time", "1s"))
        self.check_clean(self.one("--rate", "1k", "--time", "1s", to=world.V6, prefix=PREFIX6))


class Limited(Memif):
    RULES = "ratelimit interval 3 burst 2 leak 4 kod 1\n"

    def test_kiss(self):
        """kisses of death are counted apart, and what is refused in silence is lost"""
        step = self.one("--rate", "2k", "--time", "2s", "--clients", 20)
        self.assertGreater(step["kiss"], 0, step)
        self.assertGreater(step["lost"], 0, step)
        self.assertEqual(step["sent"], step["answered"] + step["kiss"] + step["lost"])
        self.assertEqual(step["invalid"], 0, step)


class Stock(Runs):
    """A chronyd in another namespace, which knows us as the router to the clients."""
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport, wireload=True)
        cls.world = world.of_class(cls, "kernel", start=False)
        cls.host, cls.port = cls.world.client, f"{cls.transport} cli0"
        for prefix, router in ((PREFIX4, world.CLIENT_V4), (PREFIX6, world.CLIENT_V6)):
            cls.world.server.must(["ip", "route", "add", prefix, "via", router])
        cls.world.daemon = peers.chronyd(cls.world.server, "stock", "local stratum 10", world.ALLOW.splitlines()[0], "allow fd99::/32")
        cls.world.wait_ready()

    def test_basic(self):
        """chronyd's answers to many clients are valid in both families"""
        for address, to, prefix in ((world.CLIENT_V4, world.V4, PREFIX4), (world.CLIENT_V6, world.V6, PREFIX6)):
            self.check_clean(self.one("--address", address, "--rate", "200", "--time", "2s", to=to, prefix=prefix))

    def test_interleaved(self):
        """in interleaved mode chronyd answers all but a client's first request with the stamps of the reply before"""
        step = self.one("--address", world.CLIENT_V4, "--rate", "200", "--time", "4s", "--clients", 50, "--interleaved")
        self.check_clean(step)
        interleaved = int(re.search(r"interleaved answers: (\d+) of", self.text)[1])
        self.assertGreater(interleaved, step["sent"] / 2)
        self.assertLessEqual(interleaved, step["sent"] - 50)

    def test_mix(self):
        """chronyd answers no bad packet either"""
        self.check_clean(self.one("--address", world.CLIENT_V4, "--rate", "200", "--time", "2s", "--mix",
                                  ",".join(f"{kind}=4%" for kind in KINDS)))
        self.assertRegex(self.text, r"bad packets: \d+ sent, 0 answered")


class StockAfPacket(Stock, unittest.TestCase):
    transport = "af_packet"


class StockAfXdp(Stock, unittest.TestCase):
    transport = "af_xdp"

    def test_queues(self):
        """an interface whose other receive queues nobody would read is refused"""
        self.host.must(["ip", "link", "add", "many0", "numrxqueues", "2", "numtxqueues", "2", "type", "veth", "peer", "name", "many1"])
        for end in ("many0", "many1"):
            self.host.must(["ip", "link", "set", end, "up"])
        run = self.host.run([os.environ["WIRELOAD"], "--port", "af_xdp many0", "--from", PREFIX4, "--to", world.V4, "--flood"])
        self.assertEqual(run.code, 1, run)
        self.assertIn("--port: expected an interface with one receive queue, found 2 on many0; set it with `ethtool -L many0 combined 1`",
                      run.text)


if __name__ == "__main__":
    tap.main()
