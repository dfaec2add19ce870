#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The files of `log`: beside a stock chronyd that follows the same servers, with the same banners and the same columns."""
import collections
import os
import pathlib
import re
import socket
import struct
import time
import unittest

import lab as labs
import peers
import tap
import world

SERVERS = ("10.95.0.1", "10.95.0.2")
UNSYNCHRONISED = "10.95.0.3"
FILES = ("measurements", "statistics", "tracking", "selection", "refclocks")
LOG = "log rawmeasurements statistics tracking selection refclocks"
SAMPLES = 14
NOBODY = 65534
NUMBER = re.compile(r"^-?\d\.\d+e[+-]\d\d$")


def is_banner(line):
    return line.startswith("===") or line.startswith("   Date")


class Logs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require()
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.upstream, cls.host = cls.lab.host("upstream"), cls.lab.host("host")
        cls.lab.wire(cls.upstream, "up0", cls.host, "down0")
        cls.upstream.address("up0", *[f"{address}/24" for address in (*SERVERS, UNSYNCHRONISED)])
        cls.host.address("down0", "10.95.0.9/24")
        for number, address in enumerate((*SERVERS, UNSYNCHRONISED)):
            local = [] if address == UNSYNCHRONISED else ["local stratum 2"]
            cls.upstream.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "user root", f"pidfile /run/up{number}.pid",
                                f"bindaddress {address}", "bindcmdaddress /", "cmdport 0", "allow", *local],
                               peers.environment(), f"chronyd{number}")
        time.sleep(0.5)
        cls.files = pathlib.Path(f"/proc/{cls.host.holder_pid}/root/run")
        lines = [f"server {address} iburst minpoll 0 maxpoll 1" for address in (*SERVERS, UNSYNCHRONISED)]
        lines += [LOG, "logbanner 8"]
        cls.daemon = cls.host.spawn([world.wiretimed(), "-d", "-x", f"user {NOBODY}", "logdir /run/logs/ours",
                                     "refclock SOCK /run/ours.sock refid GPS poll 1 noselect", *lines], name="daemon")
        cls.stock = cls.host.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "user root", "port 0", "cmdport 0",
                                    "bindcmdaddress /run/stock/sock", "pidfile /run/stock.pid", "logdir /run/stock-logs",
                                    "refclock SOCK /run/theirs.sock refid GPS poll 1 noselect", *lines],
                                   peers.environment(), "stock")
        for process in (cls.daemon, cls.stock):
            if not process.wait_for("Selected source"):
                raise AssertionError(f"no source selected\n{process.log}")
        cls.feed()
        deadline = time.monotonic() + 2 * labs.PATIENCE
        while (short := [name for name in FILES if cls.short(name)]):
            if time.monotonic() > deadline:
                raise AssertionError(f"hardly anything in {short}\n{cls.daemon.log}")
            time.sleep(0.5)

    @classmethod
    def short(cls, name):
        """Whether ours has not yet begun a second page or the stock daemon's its first, or a server was not measured often enough."""
        rows = [[line.split() for line in (cls.files / directory / f"{name}.log").read_text().splitlines() if not is_banner(line)]
                for directory in ("logs/ours", "stock-logs") if (cls.files / directory / f"{name}.log").exists()]
        if len(rows) < 2 or len(rows[0]) < 12 or not rows[1]:
            return True
        good = collections.Counter(row[2] for row in rows[0] if row[5:8] == ["111", "111", "1111"])
        return name == "measurements" and (min(good[address] for address in SERVERS) < 10 or UNSYNCHRONISED not in {row[2] for row in rows[1]})

    @classmethod
    def feed(cls):
        """The same samples to both reference clocks, one a second."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for number in range(SAMPLES):
                now = time.time()
                sample = struct.pack("@qqdiiii", int(now), int(now % 1 * 1e6), 1e-5 * (number % 5 - 2), 0, 1, 0, 0x534f434b)
                for name in ("ours", "theirs"):
                    sender.sendto(sample, str(cls.files / f"{name}.sock"))
                time.sleep(1)

    def lines(self, name, stock=False):
        path = self.files / ("stock-logs" if stock else "logs/ours") / f"{name}.log"
        self.assertTrue(path.exists(), f"{path}\n{self.daemon.log}")
        return path.read_text().splitlines()

    def rows(self, name, stock=False):
        return [line.split() for line in self.lines(name, stock) if not is_banner(line)]

    def test_banners(self):
        """each file begins with the stock daemon's banner and has it again after so many lines"""
        for name in FILES:
            ours, theirs = self.lines(name), self.lines(name, stock=True)
            self.assertEqual(ours[:3], theirs[:3], name)
            self.assertEqual(ours[11:14], theirs[:3], name)
            self.assertFalse(any(is_banner(line) for line in ours[3:11]), name)

    def test_columns(self):
        """every line has the stock daemon's columns, each as wide and of the same kind"""
        for name in FILES:
            theirs = [line for line in self.lines(name, stock=True) if not is_banner(line)]
            widths = {len(line) for line in theirs}
            columns = {len(line.split()) for line in theirs}
            self.assertEqual(len(columns), 1, name)
            numbers = {index for index, word in enumerate(theirs[-1].split()) if NUMBER.match(word)}
            ours = [line for line in self.lines(name) if not is_banner(line)]
            self.assertGreater(len(ours), 10, name)
            for line in ours:
                words = line.split()
                self.assertIn(len(words), columns, line)
                self.assertLessEqual(min(widths), len(line), line)
                self.assertLessEqual(len(line), max(widths), line)
                self.assertLess(abs(time.time() - time.mktime(time.strptime(" ".join(words[:2])[:19], "%Y-%m-%d %H:%M:%S")) + time.timezone), 300)
                for index in numbers:
                    self.assertTrue(words[index] == "-" or NUMBER.match(words[index]), line)

    def test_measurements(self):
        """the raw measurements log has both servers' good packets and the unsynchronised one's, with kernel timestamps"""
        rows = self.rows("measurements")
        for address in SERVERS:
            good = [row for row in rows if row[2] == address and row[5:8] == ["111", "111", "1111"]]
            self.assertGreater(len(good), 8)
            for row in good:  # half of the delay is what an offset may be off by
                self.assertLess(abs(float(row[11])), 0.01 + float(row[12]) / 2, row)
            self.assertEqual({row[17] for row in good}, {"4B"})
            # The kernel starts stamping a moment after the first socket asked.
            self.assertEqual({row[19] for row in good[1:]}, {"K"})
        stock = {tuple(row[3:8]) for row in self.rows("measurements", stock=True) if row[2] == UNSYNCHRONISED}
        bad = {tuple(row[3:8]) for row in rows if row[2] == UNSYNCHRONISED}
        self.assertEqual(bad, stock)
        self.assertEqual(bad, {("?", "0", "111", "101", "0000")})

    def test_refclocks(self):
        """refclocks.log has each sample as it came and each result of the filter, at the stock daemon's time and offset"""
        def raw(stock):
            return [row for row in self.rows("refclocks", stock) if row[3] != "-"]

        ours, theirs = raw(False), raw(True)
        self.assertGreaterEqual(len(ours), SAMPLES - 2)
        self.assertEqual([row[4:7] for row in ours], [row[4:7] for row in theirs])
        for our_row, their_row in zip(ours, theirs):
            self.assertAlmostEqual(float(our_row[1][6:]), float(their_row[1][6:]), delta=1e-3)
        filtered = [row for row in self.rows("refclocks") if row[3] == "-"]
        self.assertGreater(len(filtered), 3)
        self.assertEqual({(row[2], row[4], row[5], row[6]) for row in filtered}, {("GPS", "+", "-", "-")})

    def test_tracking(self):
        """tracking.log begins unsynchronised and then follows a server one stratum below it"""
        rows, stock = self.rows("tracking"), self.rows("tracking", stock=True)
        self.assertEqual([rows[0][i] for i in (2, 3, 7, 8, 11, 12, 13)], [stock[0][i] for i in (2, 3, 7, 8, 11, 12, 13)])
        self.assertIn(rows[-1][2], SERVERS)
        self.assertEqual(rows[-1][3], "3")
        self.assertEqual(rows[-1][7], "N")
        self.assertLess(min(float(row[13]) for row in rows[1:]), 0.1)

    def test_selection(self):
        """selection.log marks one server * and the unsynchronised one as unusable"""
        last = {row[2]: row[3] for row in self.rows("selection")}
        self.assertIn("*", [last[address] for address in SERVERS])
        self.assertIn(last[UNSYNCHRONISED], "sM")

    def test_owner(self):
        """the directory is the daemon's own, and neither it nor the files are for everybody"""
        directory = (self.files / "logs/ours").stat()
        self.assertEqual((directory.st_mode & 0o777, directory.st_uid), (0o750, NOBODY))
        file = (self.files / "logs/ours/tracking.log").stat()
        self.assertEqual((file.st_mode & 0o777, file.st_uid), (0o640, NOBODY))

    def test_cycle(self):
        """cyclelogs and SIGHUP after a rename make a new file with a banner, and the old one is not written any more"""
        path = self.files / "logs/ours/statistics.log"
        for number, cycle in enumerate((lambda: peers.chronyc(self.host, "cyclelogs"), lambda: self.daemon.signal(1))):
            old = path.with_name(f"old{number}")
            os.rename(path, old)
            cycle()
            labs.eventually(lambda: self.assertTrue(path.exists() and path.read_text().startswith("==="), old.read_text()), pause=0.05)
            size = old.stat().st_size
            time.sleep(1.5)
            self.assertEqual(old.stat().st_size, size)
            self.assertTrue(self.daemon.running())

    def test_unwritable(self):
        """where logs cannot be written the daemon says so once for each and follows its sources"""
        daemon = self.host.spawn([world.wiretimed(), "-d", "-x", "user root", "port 0", "cmdport 0", "bindcmdaddress /",
                                  "pidfile /run/other.pid", "logdir /proc/none", "log measurements",
                                  f"server {SERVERS[0]} iburst minpoll 0 maxpoll 0"], name="unwritable")
        self.assertTrue(daemon.wait_for("Selected source"), daemon.log)
        time.sleep(3)
        self.assertEqual(daemon.stop(), 0, daemon.log)
        self.assertEqual(daemon.log.count("Could not open /proc/none/measurements.log"), 1, daemon.log)

    def test_flushed(self):
        """the last lines are in the file when the daemon has ended"""
        began = self.host.spawn([world.wiretimed(), "-Q", "logdir /run/once", "log measurements", f"server {SERVERS[0]} iburst"], name="once")
        self.assertEqual(began.wait(), 0, began.log)
        self.assertIn(SERVERS[0], (self.files / "once/measurements.log").read_text())


if __name__ == "__main__":
    tap.main()
