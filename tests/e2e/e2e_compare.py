#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""perf/compare runs every server on every link for a moment: all of them answer, and what it writes is whole. No speed is judged."""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import lab as labs
import tap
import world

COMPARE = pathlib.Path(__file__).resolve().parents[2] / "perf/compare"
sys.path.insert(0, str(COMPARE.parent / "comparison"))
import report  # noqa: E402
import trials  # noqa: E402

SERVERS = {"memif": {"wiretimed", "testpmd"}, "veth": {"wiretimed", "testpmd", "chronyd", "ntpd"}}


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require("af_xdp")
        world.require("memif", wireload=True)
        scratch = tempfile.TemporaryDirectory(prefix="wtcompare-")
        cls.addClassCleanup(scratch.cleanup)
        cls.dir = pathlib.Path(scratch.name)
        words = [sys.executable, COMPARE, "--build", pathlib.Path(world.wiretimed()).parent, "--rounds", "1", "--seconds", "1",
                 "--trial-seconds", "9", "--steady-rate", "20000", "--json", cls.dir / "all.json", "--svg", cls.dir / "all.svg"]
        cls.run_ = cls.run_to_its_end(words)
        print(*(f"# {line}" for line in cls.run_.stdout.splitlines()), sep="\n")
        if "hugepages" in cls.run_.stderr:
            raise unittest.SkipTest(cls.run_.stderr.strip())
        if cls.run_.returncode != 0:
            raise AssertionError(cls.run_.stdout + cls.run_.stderr)
        cls.result = json.loads((cls.dir / "all.json").read_text())

    @staticmethod
    def run_to_its_end(words):
        """Or gives it the time to clean up."""
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                out, err = process.communicate(timeout=600)
            except BaseException:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=labs.PATIENCE)
                process.kill()
                raise
            return subprocess.CompletedProcess(words, process.returncode, out, err)

    def test_rounds(self):
        """every server answered on its links, and every reply checked was valid"""
        self.assertEqual({link: set(servers) for link, servers in self.result["rounds"].items()}, SERVERS)
        for link, servers in self.result["rounds"].items():
            for name, steps in servers.items():
                with self.subTest(link=link, server=name):
                    self.assertEqual(len(steps), 1)
                    self.assertGreater(steps[0]["answered"], 0)
                    self.assertGreater(steps[0]["checked"], 0)
                    self.assertEqual((steps[0]["invalid"], steps[0]["kiss"]), (0, 0), steps[0])

    def test_trials(self):
        """the steady and the overload trial have run, probed at each step: requests answered, chronyc and the upstream server heard"""
        steady, overload = self.result["zero_loss"], self.result["overload"]
        self.assertGreater(steady["sent"], 0)
        self.assertGreaterEqual(steady["seconds"], 9)
        self.assertTrue(steady["whole"] >= 9 or steady["seconds"] == trials.MOST * 9, steady)
        self.assertGreater(len(overload["pairs"]), 1)
        for step in steady["steps"] + overload["pairs"]:
            self.assertGreater(step["round_trip"], 0)
        for pair in overload["pairs"]:
            self.assertGreater(pair["answered_rate"], 0)
        self.assertGreater(overload["chronyc_calls"], 0)
        self.assertGreater(overload["upstream_answers"], 0)
        self.assertEqual(overload["invalid"], 0)

    def test_told(self):
        """table, targets and chart name every server"""
        texts = [text.text for text in ElementTree.parse(self.dir / "all.svg").iter("{http://www.w3.org/2000/svg}text")]
        for title in ("wiretimed", "testpmd 5tswap", "chronyd", "ntpd (ntpsec)"):
            self.assertIn(f"| {title} |", self.run_.stdout)
            self.assertIn(title, texts)
        self.assertGreaterEqual(len(self.result["targets"]), 9)
        for target in self.result["targets"]:
            self.assertIn(target["name"], self.run_.stdout)
            self.assertEqual(not target["met"], f"missed: {target['name']}" in self.run_.stderr)


NEAR, APART = 700, 2000  # ns, of a lone request


def second(sent=10_960_000, answered=None, not_sent=0, trips=(NEAR, NEAR), seconds=1.0, p99=200_000):
    """A step as load.py returns it."""
    answered = sent if answered is None else answered
    return {"seconds": seconds, "sent": sent, "not_sent": not_sent, "answered": answered, "lost": sent - answered, "invalid": 0,
            "round_trips": list(trips), "round_trip": max(trips), "response_time": {"p50": p99 / 2, "p99": p99, "max": 2 * p99}}


class Steady(unittest.TestCase):
    """The verdict on seconds of a fixed rate, some of which the machine kept the generator from sending whole."""
    SLOW = {"sent": 4_000_000, "not_sent": 6_960_000}

    def of(self, *steps, wanted=3):
        found = trials.steady_of(steps, 10.96e6, wanted, NEAR)
        return found, report.steady_target(found)

    def test_apart(self):
        """seconds with the CPUs apart do not count, and how many there were is told"""
        apart = second(**self.SLOW, trips=(APART, APART))
        found, target = self.of(second(), second(), apart, apart, apart, apart, second())
        self.assertTrue(target["met"])
        self.assertEqual((found["whole"], found["seconds"], found["in_a_row"], found["near"]), (3, 7, 2, 3))
        self.assertIn("3 of 7 s whole, 2 in a row at most; with CPUs near 3 of 3", target["found"])

    def test_lost(self):
        """one packet lost misses, in a whole second, in one with the CPUs apart and in one cut short"""
        for lossy in (second(answered=10_959_999), second(4_000_000, 3_999_999, 6_960_000, (APART, APART)),
                      second(1000, 999, seconds=0.1)):
            found, target = self.of(second(), second(), second(), second(), lossy)
            self.assertEqual(found["lost"], 1)
            self.assertFalse(target["met"], target)

    def test_whole(self):
        """a second is whole with 1 % not sent and not with more; one cut short or without requests never is"""
        self.assertTrue(trials.whole(second(sent=99, not_sent=1)))
        for step in (second(sent=989, not_sent=11), second(seconds=0.9), second(sent=0)):
            self.assertFalse(trials.whole(step))

    def test_few(self):
        """too few whole seconds miss, also if the machine is why"""
        _, target = self.of(second(), second(), *[second(**self.SLOW, trips=(APART, APART))] * 10)
        self.assertFalse(target["met"])

    def test_seldom(self):
        """a server that keeps up in fewer than half of the seconds with the CPUs near misses, however many they are"""
        for slow, met in ((3, True), (4, False)):
            _, target = self.of(second(), second(), second(), *[second(**self.SLOW)] * slow)
            self.assertEqual(target["met"], met)


class Pairs(unittest.TestCase):
    """The verdict on floods and overload in turn: pairs of (flooded, answered of twice that, lone requests before, between and after)."""

    def of(self, *pairs, p99=200_000, wanted=3, polls=(10, 10)):
        steps = []
        for flooded, answered, *trips in pairs:
            before, between, after = trips or (NEAR, NEAR, NEAR)
            steps += [second(flooded, trips=(before, between)),
                      second(answered, not_sent=2 * flooded - answered, trips=(between, after), p99=p99)]
        found = trials.overload_of(trials.pairs_of(steps), wanted) | {
            "invalid": 0, "chronyc_calls": 2, "slowest_chronyc_s": 0.1, "upstream_seconds": 10, "upstream_polls": polls[0],
            "upstream_answers": polls[1]}
        return found, {target["name"].split(",")[0]: target for target in report.overload_targets(found)}

    def test_median(self):
        """the median of what was answered beside the flood just before is judged: 0.90 is enough, 0.89 is not"""
        for share, met in ((0.90, True), (0.89, False)):
            found, targets = self.of((10_000_000, 10_000_000), (4_000_000, int(4_000_000 * share)), (10_000_000, 5_000_000))
            self.assertAlmostEqual(found["answered"], share)
            self.assertEqual(targets["overload: answered"]["met"], met)
            self.assertTrue(targets["overload: offered"]["met"])

    def test_livelock(self):
        """a server that answers next to nothing under overload misses answered and response time"""
        _, targets = self.of(*[(10_000_000, 20_000)] * 5, p99=900_000_000)
        self.assertFalse(targets["overload: answered"]["met"])
        self.assertFalse(targets["overload: response time of 99 %"]["met"])

    def test_moved(self):
        """pairs whose CPUs moved are told and not counted; ones with the CPUs apart all the time count"""
        found, targets = self.of((10_000_000, 9_900_000), (4_000_000, 4_000_000, APART, APART, APART), (10_000_000, 3_000_000, NEAR, NEAR, APART),
                                 (4_000_000, 10_000_000, APART, APART, NEAR), (10_000_000, 9_800_000))
        self.assertEqual((found["counted"], found["moved"]), (3, [0.3, 2.5]))
        self.assertTrue(targets["overload: answered"]["met"])
        self.assertIn("3 pairs, and 2 whose CPUs moved: 0.30 to 2.50", targets["overload: answered"]["found"])

    def test_few(self):
        """too few pairs miss, and none do"""
        for pairs in ([(10_000_000, 10_000_000)] * 2, [(10_000_000, 10_000_000, NEAR, APART, NEAR)] * 9):
            _, targets = self.of(*pairs)
            for name in ("offered", "answered", "response time of 99 %"):
                self.assertFalse(targets[f"overload: {name}"]["met"], targets)

    def test_slow(self):
        """the worst second's response time is held against what the rings held in that second"""
        ring = (2 * 2048 + 512) / 10e6 * 1e9
        for p99, met in ((ring - 1, True), (ring + 1, False)):
            _, targets = self.of(*[(10_000_000, 10_000_000)] * 3, p99=p99)
            self.assertEqual(targets["overload: response time of 99 %"]["met"], met)

    def test_beside(self):
        """polls that were not sent or not answered miss whatever the pairs"""
        for polls in ((7, 7), (10, 8)):
            _, targets = self.of(*[(10_000_000, 10_000_000)] * 3, polls=polls)
            self.assertFalse(targets["overload: polls of the upstream server"]["met"])


if __name__ == "__main__":
    tap.main()
