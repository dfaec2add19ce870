#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's clock in earnest: set, stepped, slewed, steered and recovered in a virtual machine's guest.

Two stock servers stand outside: one with this machine's time, one that gains 2000 ppm on it, so that there is a frequency to
be learnt which the guest's jitter (milliseconds) cannot hide.
"""
import re
import shlex
import time
import unittest

import vm  # first: it finds tests/e2e
import lab as labs
import peers
import tap
import world

RIGHT, FAST, EVE = vm.HOST, "10.95.0.3", "10.95.0.4"
GAINS = 2000.0  # ppm
CLOSE = 0.05    # s: the guest's jitter is some milliseconds, on a busy machine more
HOUR, YEAR = 3600, 365 * 86400
NTP = 2208988800       # 1900 to 1970
MIDNIGHT = 1798761600  # 2027-01-01, made up as the next leap second's
LEAPS = ((1230768000, 34), (1341100800, 35), (1435708800, 36), (1483228800, 37))  # real ones, by which a list is judged
DRIFT = "/run/drift"
POLLS = "iburst minpoll 0 maxpoll 1"


class Clock(vm.Case):
    @classmethod
    def setUpClass(cls):
        reason = vm.why_not()
        if reason:
            raise unittest.SkipTest(reason)
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.guest = vm.Guest(cls.lab, rtc="2031-05-05T00:00:00")
        cls.guest.host.address("vm0", f"{FAST}/24", f"{EVE}/24")
        peers.chronyd(cls.guest.host, "right", f"bindaddress {RIGHT}", "local stratum 1", "allow")
        peers.chronyd(cls.guest.host, "fast", f"bindaddress {FAST}", "local stratum 1", "allow", gains_ppm=GAINS)

    def setUp(self):
        self.stop()
        self.guest.must(f"rm -f {DRIFT} {self.LOG}; {vm.SCRIPTS}/kernel_clock 0")

    def shift(self, seconds):
        """Sets the guest's clock, as another program would."""
        self.guest.must(f"{vm.SCRIPTS}/shift_clock {seconds}")

    def put_right(self):
        self.shift(self.guest.offset())

    def state(self):
        return f"clock {self.guest.offset()} s behind, kernel {self.guest.kernel_clock()}\n{self.log()}"

    def until_right(self, server=RIGHT):
        self.until(f"right to {CLOSE} s by {server}", lambda: abs(self.guest.offset(server)) < CLOSE)

    def tracking(self):
        output = self.guest.chronyc("-c", "tracking")
        self.assertEqual(output.code, 0, str(output))
        return output.text.strip().split(",")

    def test_query(self):
        """-Q prints by how much the clock is wrong and leaves it so"""
        labs.eventually(self.check_query)

    def check_query(self):
        self.shift(3 * HOUR)
        before = self.guest.offset()
        output = self.guest.run(f"{world.wiretimed()} -Q 'user root' 'server {RIGHT} iburst'")
        self.assertEqual(output.code, 0, str(output))
        wrong = float(re.search(r"System clock wrong by (\S+) seconds \(ignored\)", output.text).group(1))
        self.assertAlmostEqual(wrong, before, delta=CLOSE)
        self.assertAlmostEqual(self.guest.offset(), before, delta=CLOSE)

    def test_set_once(self):
        """-q sets a clock that is wrong by hours or by years, forward and back"""
        for seconds in (5 * HOUR, -5 * YEAR):
            labs.eventually(lambda: self.check_set_once(seconds))

    def check_set_once(self, seconds):
        self.put_right()
        self.shift(seconds)
        before = self.guest.offset()
        self.assertGreater(abs(before), 3600)
        output = self.guest.run(f"{world.wiretimed()} -q 'user root' 'server {RIGHT} iburst'")
        self.assertEqual(output.code, 0, str(output))
        wrong = float(re.search(r"System clock wrong by (\S+) seconds \(step\)", output.text).group(1))
        self.assertAlmostEqual(wrong, before, delta=4 * CLOSE)
        self.assertLess(abs(self.guest.offset()), CLOSE)

    def test_steered(self):
        """makestep sets the clock once, then its frequency is learnt, told to the kernel, kept in the drift file and over a restart"""
        self.guest.must("date -s '2020-02-02 02:02:02'")
        self.start(f"server {FAST} {POLLS}", "makestep 1 3", f"driftfile {DRIFT} interval 5", "rtcsync")
        self.until_logged("System clock was stepped by")
        self.until_right(FAST)
        self.until("the kernel runs faster by what the server gains", lambda: abs(self.guest.kernel_clock()["ppm"] - GAINS) < 150)
        self.until("the drift file says so", lambda: abs(self.drift() + GAINS) < 150)
        self.assertEqual(self.log().count("System clock was stepped by"), 1, self.log())

        kernel = self.guest.kernel_clock()
        self.assertEqual(kernel["unsync"], 0)
        self.assertLess(kernel["maxerror"], 1e6)
        row = self.tracking()
        self.assertEqual((row[1], row[2], row[-1]), (FAST, "2", "Normal"))
        self.assertAlmostEqual(float(row[7]), -GAINS, delta=200)  # chronyc: positive is fast, ours is slow

        self.stop()
        known = self.drift()
        self.guest.must(f"{vm.SCRIPTS}/kernel_clock 0")
        self.start(f"driftfile {DRIFT}", f"server {FAST} offline")  # nothing to learn from
        self.until_logged(f"ppm read from {DRIFT}")
        self.until("the frequency is the kernel's again", lambda: abs(self.guest.kernel_clock()["ppm"] + known) < 1)
        self.assertEqual(self.guest.kernel_clock()["unsync"], 1)

    def drift(self):
        """ppm by which the drift file says that the clock is fast."""
        text = self.guest.run(f"cat {DRIFT}")
        return float(text.text.split()[0]) if text.code == 0 else 0.0

    def test_slewed(self):
        """an offset without makestep is slewed away, no faster than maxslewrate"""
        self.put_right()
        self.shift(-0.6)
        self.start(f"server {RIGHT} {POLLS}", "maxslewrate 50000")
        self.until_logged("Selected source")
        began, first = time.monotonic(), self.guest.offset()
        then = self.guest.offset()
        self.assertLess(first - then, 0.05 * (time.monotonic() - began) + CLOSE)
        self.until_right()
        self.assertNotIn("stepped", self.log())

    def test_stopped_while_slewing(self):
        """SIGTERM in the middle of a slew leaves the kernel at the clock's own frequency, and the drift file with that"""
        self.put_right()
        self.shift(-30)
        self.start(f"server {RIGHT} {POLLS}", "maxslewrate 50000", f"driftfile {DRIFT}")
        self.until("it slews", lambda: self.guest.kernel_clock()["ppm"] > 10000)
        self.stop()
        self.assertLess(abs(self.guest.kernel_clock()["ppm"]), 1000, self.log())
        self.assertAlmostEqual(self.drift(), -self.guest.kernel_clock()["ppm"], delta=1)
        behind = self.guest.offset()
        time.sleep(5)
        self.assertAlmostEqual(self.guest.offset(), behind, delta=CLOSE)

    def test_external_step(self):
        """1000 s off, the clock is set once and slewed from then on; when somebody else sets it, that is noticed, said so, and put right"""
        self.put_right()
        self.shift(-1000)
        self.start(f"server {RIGHT} {POLLS}", "makestep 0.1 -1")
        self.until_right()
        self.assertEqual(self.log().count("System clock was stepped by"), 1, self.log())
        for set_it in (lambda: self.guest.must("date -s 'now +2 hours'"), lambda: self.shift(-50)):
            set_it()
            self.until_logged("was set by")
            self.until_right()

    def test_makestep(self):
        """chronyc makestep ends a slew at once; chronyc makestep T N allows steps from then on"""
        self.start(f"server {RIGHT} {POLLS}", "makestep 1 1")
        self.until_right()
        self.shift(-20)
        self.until("the correction has begun", lambda: abs(float(self.tracking()[4])) > 5)
        self.assertIn("200 OK", self.guest.chronyc("makestep").text)
        self.assertLess(abs(self.guest.offset()), CLOSE)
        self.assertIn("200 OK", self.guest.chronyc("makestep", "0.5", "-1").text)
        self.shift(30)
        self.until_right()

    def test_leap_second(self):
        """leapsecmode system: the kernel is told on the day, inserts the second at midnight and knows TAI"""
        lines = [f"#@ {NTP + 2 * MIDNIGHT}", *(f"{NTP + at} {tai}" for at, tai in (*LEAPS, (MIDNIGHT, 38)))]
        self.guest.must(f"printf '%s\\n' {shlex.join(lines)} >/run/leap.list")
        for lead in (40, 150, 500):  # s: a busy machine may take longer to be ready than there is
            before = MIDNIGHT - lead - time.time()
            # This server knows of no leap second: after it the guest is a second behind.
            server = peers.chronyd(self.guest.host, "eve", f"bindaddress {EVE}", "local stratum 1", "allow", fast_by=before)
            self.addCleanup(server.stop)
            self.start(f"server {EVE} {POLLS}", "makestep 0.1 3", "leapsecmode system", "leapseclist /run/leap.list", "rtcsync")

            def ready():
                self.assertLess(abs(self.guest.offset(EVE)), CLOSE)
                kernel, tracking = self.guest.kernel_clock(), self.tracking()
                self.assertEqual((kernel["insert"], kernel["tai"], tracking[-1]), (1, 37, "Insert second"), self.state())
                self.guest.chronyc("offline")
                self.assertLess(time.time() + before, MIDNIGHT - 2)
            try:
                labs.eventually(ready, timeout=MIDNIGHT - 3 - before - time.time())
                break
            except AssertionError:
                if lead == 500:
                    raise
                self.stop()
                server.stop()
                self.setUp()
        self.until("midnight", lambda: float(self.guest.must("date +%s")) > MIDNIGHT)
        self.assertAlmostEqual(self.guest.offset(EVE), 1, delta=CLOSE)
        self.assertEqual(self.guest.kernel_clock()["tai"], 38)
        self.until("it is over", lambda: self.guest.kernel_clock()["insert"] == 0 and self.tracking()[-1] == "Normal")

    def test_hands_off(self):
        """-x follows the server and serves its time, but the clock and its frequency stay as they are"""
        self.put_right()
        self.shift(5)
        self.guest.must(f"{vm.SCRIPTS}/kernel_clock 10")
        before, kernel = self.guest.offset(), self.guest.kernel_clock()
        self.start(f"server {RIGHT} {POLLS}", "makestep 0.1 3", "rtcsync", f"driftfile {DRIFT}", "allow", options="-x")
        self.until_logged("Selected source")
        self.until("it serves the server's time", lambda: abs(self.guest.offset("127.0.0.1") - before) < CLOSE)
        self.stop()
        after = self.guest.kernel_clock()
        self.assertAlmostEqual(self.guest.offset(), before, delta=CLOSE)
        self.assertEqual((after["ppm"], after["unsync"]), (kernel["ppm"], kernel["unsync"]))
        self.assertEqual(self.drift(), 0)


if __name__ == "__main__":
    tap.main()
