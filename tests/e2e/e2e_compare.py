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
        """the steady and the overload trial have run, probed before and after: requests answered, chronyc and the upstream server heard"""
        for trial in (self.result["zero_loss"], self.result["overload"]):
            self.assertGreater(trial["round_trip"], 0)
            self.assertIn(trial["undisturbed"], (True, False))
            self.assertLess(len(trial["apart"]), trials.TRIES)
        self.assertGreater(self.result["zero_loss"]["sent"], 0)
        overload = self.result["overload"]
        self.assertGreater(overload["answered_rate"], 0)
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


class Repeated(unittest.TestCase):
    """Trials on a machine whose CPUs are apart now and then: `found` of each try, by its round trip in ns and what it lost."""

    def of(self, *found):
        told, tries = [], iter([{"round_trip": trip, "lost": lost} for trip, lost in found])
        trial = trials.until_undisturbed(lambda: next(tries), 700, lambda number, *_: told.append(number))
        self.assertEqual(told, list(range(1, len(found) + 1)))
        self.assertEqual(list(tries), [])
        return trial, report.trial_target(trial, "steady", "none lost", lambda f: f"{f['lost']} lost", lambda f: f["lost"] == 0)

    def test_first(self):
        """one with the CPUs near each other counts, whatever it found"""
        for lost in (0, 5):
            trial, target = self.of((1100, lost))
            self.assertEqual((trial["undisturbed"], trial["apart"]), (True, []))
            self.assertEqual((target["met"], target["found"]), (lost == 0, f"{lost} lost"))

    def test_later(self):
        """those before it are told, and not counted"""
        trial, target = self.of((2000, 9), (1200, 8), (700, 0))
        self.assertEqual([found["lost"] for found in trial["apart"]], [9, 8])
        self.assertEqual((target["met"], target["found"]), (True, "0 lost (CPUs apart: 9 lost; 8 lost)"))

    def test_never(self):
        """without any the target is missed, also if nothing was lost, and why is said"""
        trial, target = self.of(*[(2000, 0)] * trials.TRIES)
        self.assertFalse(trial["undisturbed"])
        self.assertFalse(target["met"])
        self.assertIn(f"no try of {trials.TRIES} with the CPUs near each other", target["found"])


if __name__ == "__main__":
    tap.main()
