#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reference clocks: the daemon under test and a stock chronyd follow the same ones beside each other, one of which lies."""
import pathlib
import re
import time
import unittest

import agree
import lab as labs
import peers
import tap
import world

LIE = 0.2
HERE = pathlib.Path(__file__).parent
NAMES = ("GPS", "NMEA", "LIE", "PPS")


def lines(name, unit):
    """refclock lines of a daemon called `name`, with two segments of shared memory from `unit` on."""
    return [f"refclock SOCK /run/{name}-gps.sock refid GPS poll 2 delay 0.002 prefer",
            f"refclock SHM {unit} refid NMEA poll 2 dpoll -2 delay 0.002",
            f"refclock SHM {unit + 1}:perm=0644 refid LIE poll 2 dpoll -2 delay 0.002",
            f"refclock SOCK /run/{name}-pps.sock refid PPS poll 2 lock LIE filter 3 noselect",
            "log refclocks", f"logdir /run/log-{name}"]


def feed(name, unit):
    return [f"sock:/run/{name}-gps.sock:0", f"shm:{unit}:0", f"shm:{unit + 1}:{LIE}", f"pulse:/run/{name}-pps.sock:{LIE}"]


class Refclocks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        world.require()
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.host = cls.lab.host("host")
        cls.feeder = cls.host.spawn(["/usr/bin/python3", HERE / "feed_refclocks.py", *feed("ours", 0), *feed("stock", 2)])
        cls.daemon = cls.host.spawn([world.wiretimed(), "-d", "-x", "user root", *lines("ours", 0)], peers.environment(), "daemon")
        cls.stock = peers.chronyd(cls.host, "stock", "port 0", *lines("stock", 2))
        for daemon in (cls.daemon, cls.stock):
            if not daemon.wait_for("Selected source", 2 * labs.PATIENCE):
                raise AssertionError(f"no source selected\n{daemon.log}{cls.feeder.log}")
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            full = [[row[2] for row in peers.ask(cls.host, "sources", of=of) if row[5] == "377"] for of in (None, "stock")]
            if all(set(NAMES) <= set(some) for some in full):
                return
            if not cls.daemon.running():
                break
            time.sleep(0.5)
        raise AssertionError(f"reference clocks are not reached\n{cls.daemon.log}{cls.stock.log}{cls.feeder.log}")

    def both(self, *command):
        return [peers.ask(self.host, *command, of=of) for of in (None, "stock")]

    def agrees(self, rules, *command, key="address"):
        def agree_now():
            found = agree.disagreements(rules, *self.both(*command), key)
            self.assertFalse(found, "\n".join([f"chronyc {' '.join(command)}", *found, "--- log", self.daemon.log]))
        labs.eventually(agree_now, pause=2)

    def test_selection(self):
        """the reference clock that is wrong by 0.2 s is the falseticker, the preferred one is selected, and the log names them"""
        def marked():
            for rows in self.both("sources"):
                self.assertEqual([(row[0], row[2]) for row in rows], [("#", name) for name in NAMES])
                marks = {row[2]: row[1] for row in rows}
                self.assertEqual((marks["GPS"], marks["LIE"], marks["PPS"]), ("*", "x", "?"))
        labs.eventually(marked, pause=2)
        self.assertIn("Selected source GPS", self.daemon.log)
        self.assertIn("Detected falseticker LIE", self.daemon.log)  # chronyd 4.3 does not log that

    def test_tracking(self):
        """tracking: stratum 1, the refid as a name, nothing to correct, as the stock client has it"""
        def right():
            row = peers.ask(self.host, "tracking")[0]
            self.assertEqual(row[:3], ["47505300", "GPS", "1"])
            self.assertLess(abs(float(row[4])), 1e-3)
        labs.eventually(right, pause=2)
        self.agrees(agree.TRACKING, "tracking")
        self.assertIn("47505300 (GPS)", peers.chronyc(self.host, "tracking").text)

    def test_lie(self):
        """the lie has its size and sign, of full times and of pulses completed with them"""
        def told():
            for of in (None, "stock"):
                sources = {row[2]: row for row in peers.ask(self.host, "sources", of=of)}
                for name in ("LIE", "PPS"):
                    self.assertAlmostEqual(float(sources[name][7]), -LIE, delta=2e-3, msg=f"{name} of {of or 'ours'}")
        labs.eventually(told, pause=2)

    def test_sources(self):
        """chronyc sources agrees with a stock client, field by field"""
        self.agrees(agree.SOURCES, "sources")

    def test_sourcestats(self):
        """chronyc sourcestats agrees"""
        self.agrees(agree.SOURCESTATS, "sourcestats")

    def test_selectdata(self):
        """chronyc selectdata agrees"""
        self.agrees(agree.SELECTDATA, "selectdata")

    def test_printed(self):
        """sources -v, sourcestats -v and selectdata -v look the same"""
        for command in ("sources", "sourcestats", "selectdata"):
            def alike():
                ours, theirs = (peers.chronyc(self.host, *where, command, "-v").text for where in ((), ("-h", "/run/stock/sock")))
                self.assertEqual(agree.shape(ours), agree.shape(theirs), f"{ours}\n{theirs}")
            labs.eventually(alike, pause=2)

    def test_not_ntp(self):
        """activity, authdata, ntpdata and sourcename know nothing of reference clocks"""
        for command in (("activity",), ("authdata",), ("ntpdata",), ("ntpdata", "71.80.83.0"), ("sourcename", "71.80.83.0")):
            ours, theirs = (peers.chronyc(self.host, *where, *command) for where in ((), ("-h", "/run/stock/sock")))
            self.assertEqual((ours.code, ours.text), (theirs.code, theirs.text))

    def test_log(self):
        """the refclocks log has the stock daemon's columns: samples, pulses and what the filters make of them"""
        labs.eventually(self.logs_fit, pause=2)

    def logs_fit(self):
        shapes = []
        for name in ("ours", "stock"):
            text = self.host.must(["cat", f"/run/log-{name}/refclocks.log"])
            # the date and the driver's poll are each daemon's own, as is the sign of noise
            shapes.append({re.sub(r"^\S+ \S+ ", "", re.sub(r"[ -]\d\.\d+e[+-]\d+", " N", re.sub(r" +\d+ (?=[N+?-] [01])", " P ", line)))
                           for line in text.splitlines() if line[:2] == "20"})
            self.assertEqual(text.splitlines()[1].split(), "Date (UTC) Time Refid DP L P Raw offset Cooked offset Disp.".split())
        self.assertEqual(*shapes)
        self.assertEqual({line.split()[0] for line in shapes[0]}, set(NAMES))


class Start(unittest.TestCase):
    def setUp(self):
        world.require()
        self.lab = labs.Lab()
        self.addCleanup(self.lab.close)
        self.host = self.lab.host("host")

    def daemon(self, *words):
        return [world.wiretimed(), "-d", "-x", *words]

    def test_missing(self):
        """a device that is not there stops the start, and is named"""
        for line in ("refclock PPS /dev/no-such-pps", "refclock PHC /dev/no-such-ptp", "refclock PHC no-such-interface",
                     "refclock SOCK /no/such/directory/sock", "refclock PPS /dev/null"):
            run = self.host.run(self.daemon("user root", line), env=peers.environment())
            self.assertEqual(run.code, 1, str(run))
            self.assertIn(line.split()[2], run.text)

    def test_once(self):
        """-Q with a reference clock prints the offset and exits 0"""
        self.host.spawn(["/usr/bin/python3", HERE / "feed_refclocks.py", "sock:/run/gps.sock:0.2"])
        run = self.host.run([world.wiretimed(), "-Q", "-t", "60", "user root", "refclock SOCK /run/gps.sock poll 1"], 120, peers.environment())
        self.assertEqual(run.code, 0, str(run))
        offset = re.search(r"System clock wrong by (-?[\d.]+) seconds", run.text)
        self.assertIsNotNone(offset, str(run))
        self.assertAlmostEqual(float(offset.group(1)), 0.2, delta=2e-3)

    def test_socket(self):
        """the SOCK driver's socket replaces one left by a killed daemon, and is gone after a proper end"""
        line = "refclock SOCK /run/gps.sock"
        for end in ("kill", "stop"):
            daemon = self.host.spawn(self.daemon("user root", line), peers.environment())
            self.assertTrue(daemon.wait_for("starting"), daemon.log)
            labs.eventually(lambda: self.assertEqual(self.host.run(["test", "-S", "/run/gps.sock"]).code, 0, daemon.log), pause=0.05)
            if end == "kill":
                daemon.signal(9)
                daemon.wait()
                self.assertEqual(self.host.run(["test", "-S", "/run/gps.sock"]).code, 0)
            else:
                daemon.stop()
                self.assertNotEqual(self.host.run(["test", "-e", "/run/gps.sock"]).code, 0)


if __name__ == "__main__":
    tap.main()
