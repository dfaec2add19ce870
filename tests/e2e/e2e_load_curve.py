#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""wireload sweeps a stock chronyd and wiretimed on the same veth link, and wireload-plot draws both curves in one picture.

What is measured is not judged here: a shared machine may answer any number. What is written about it is.
"""
import json
import os
import unittest
import xml.etree.ElementTree as ElementTree

import peers
import tap
import world

RATES = (500, 2000, 8000)
CLIENTS = 200
SVG = "{http://www.w3.org/2000/svg}"


class LoadCurve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require("af_xdp", wireload=True)
        cls.world = world.of_class(cls, "af_xdp")
        cls.runs = {"wiretimed": cls.sweep("wiretimed")}
        cls.world.daemon.stop()
        stock = peers.chronyd(cls.world.server, "stock", "local stratum 10", "allow 10.99.0.0/16")
        cls.world.daemon = stock
        cls.world.wait_ready()
        cls.runs["chronyd"] = cls.sweep("chronyd")
        stock.stop()

    @classmethod
    def path(cls, name):
        return world.scratch(cls.world, name)

    @classmethod
    def sweep(cls, label):
        output = cls.world.client.run(
            [os.environ["WIRELOAD"], "--port", "af_xdp cli0", "--from", "10.99.16.0/24", "--to", world.V4, "--clients", CLIENTS,
             "--sweep", f"{RATES[0]}:{RATES[-1]}:x4", "--step", "1s", "--clock-bound", "30s", "--label", label, "--json", cls.path(f"{label}.json"),
             "--plot", cls.path(f"{label}.svg")], timeout=180)
        if output.code != 0:
            raise AssertionError(str(output))
        print(*(f"# {line}" for line in output.text.splitlines()), sep="\n")
        return json.loads(cls.path(f"{label}.json").read_text())

    def plot(self, *arguments):
        return self.world.client.run([os.environ["WIRELOAD_PLOT"], *arguments])

    def curves(self, name, kind="answers"):
        tree = ElementTree.parse(self.path(name))
        return [line for line in tree.iter(f"{SVG}polyline") if line.get("class") == kind], tree

    def test_counts(self):
        """every step of both sweeps is written, its counts add up and its answers are valid"""
        for label, run in self.runs.items():
            with self.subTest(label):
                self.assertEqual((run["label"], run["mode"], run["clients"]), (label, "sweep", CLIENTS))
                self.assertEqual([step["offered_rate"] for step in run["steps"]], [float(rate) for rate in RATES])
                for step in run["steps"]:
                    self.assertEqual(step["sent"], step["answered"] + step["lost"] + step["kiss"], step)
                    self.assertEqual(step["invalid"], 0, step)
                    self.assertLessEqual(step["sent"] + step["not_sent"], step["offered_rate"] * step["seconds"] * 1.01 + 64)
                    self.assertEqual(step["response_time"]["count"], step["checked"])
                # A socket's queue holds half a second of the lowest rate.
                self.assertGreater(run["steps"][0]["answered"], 0, run["steps"][0])

    def test_one_picture(self):
        """both curves are in one SVG, named, in colours of their own, with every step on them"""
        drawn = self.plot("curves", "--title", "one veth link", "-o", self.path("both.svg"), self.path("wiretimed.json"),
                          self.path("chronyd.json"))
        self.assertEqual(drawn.code, 0, drawn)
        curves, tree = self.curves("both.svg")
        self.assertEqual(len(curves), 2)
        self.assertEqual(len({curve.get("stroke") for curve in curves}), 2)
        for curve in curves:
            self.assertEqual(len(curve.get("points").split()), len(RATES))
        texts = [text.text for text in tree.iter(f"{SVG}text")]
        for expected in ("one veth link", "wiretimed", "chronyd"):
            self.assertIn(expected, texts)

    def test_own_picture(self):
        """wireload draws its own run with --plot"""
        for label in self.runs:
            self.assertEqual(len(self.curves(f"{label}.svg")[0]), 1)

    def test_table(self):
        """wireload-plot prints the table of the kept files, and refuses one that was cut off"""
        printed = self.plot("table", self.path("wiretimed.json"), self.path("chronyd.json"))
        self.assertEqual(printed.code, 0, printed)
        self.assertEqual(printed.text.count("answered/s"), 2)
        self.path("cut.json").write_text(self.path("chronyd.json").read_text()[:200])
        refused = self.plot("table", self.path("cut.json"))
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("expected JSON, found the end of the file", refused.text)


if __name__ == "__main__":
    tap.main()
