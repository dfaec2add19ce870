#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""perf/compare runs every server on every link for a moment: all of them answer, and what it writes is whole. No speed is judged."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import tap
import world

COMPARE = pathlib.Path(__file__).resolve().parents[2] / "perf/compare"
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
                 "--trial-seconds", "2", "--steady-rate", "20000", "--json", cls.dir / "all.json", "--svg", cls.dir / "all.svg"]
        cls.run_ = subprocess.run(words, capture_output=True, text=True, timeout=200)
        print(*(f"# {line}" for line in cls.run_.stdout.splitlines()), sep="\n")
        if "hugepages" in cls.run_.stderr:
            raise unittest.SkipTest(cls.run_.stderr.strip())
        if cls.run_.returncode != 0:
            raise AssertionError(cls.run_.stdout + cls.run_.stderr)
        cls.result = json.loads((cls.dir / "all.json").read_text())

    def test_rounds(self):
        """every server answered on its links, and every reply checked was valid"""
        self.assertEqual({link: set(servers) for link, servers in self.result["rounds"].items()}, SERVERS)
        for link, servers in self.result["rounds"].items():
            for name, steps in servers.items():
                with self.subTest(link=link, server=name):
                    self.assertEqual(len(steps), 1)
                    self.assertGreater(steps[0]["answered"], 1000)
                    self.assertGreater(steps[0]["checked"], 0)
                    self.assertEqual((steps[0]["invalid"], steps[0]["kiss"]), (0, 0), steps[0])

    def test_trials(self):
        """the steady and the overload trial have run: requests answered, chronyc and the upstream server heard"""
        self.assertGreater(self.result["zero_loss"]["sent"], 1000)
        overload = self.result["overload"]
        self.assertGreater(overload["answered_rate"], 1000)
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


if __name__ == "__main__":
    tap.main()
