# SPDX-License-Identifier: BSD-3-Clause
"""What wiretimed must stand: 10 GbE's full rate without loss, and twice its capacity without harm to anybody."""
import re
import time

from links import LINKS, RING, labs
from load import wait
from rounds import ask, probed, trip_of, undisturbed
from servers import Wiretimed
import peers

TRIES = 4  # of a trial that finds the CPUs apart, at most
CATCH_UP = 512  # requests at most that wireload sends late
TEN_GBE = 10.96e6  # 114 bytes on the wire for a request over IPv4
UPSTREAM, SIDE = "10.97.0.1", "10.97.0.2"


def until_undisturbed(probed_trial, least_round_trip, tell, tries=TRIES):
    """What the first trial found that had the CPUs near each other before and after, or else the last one; with whether it is
    "undisturbed", and what the trials before it found, "apart"."""
    apart = []
    while True:
        found = probed_trial()
        near = undisturbed(found, least_round_trip)
        tell(len(apart) + 1, found, "" if near else ": CPUs apart, " + ("tried again" if len(apart) + 1 < tries else "not counted"))
        if near or len(apart) + 1 == tries:
            return found | {"undisturbed": near, "apart": apart}
        apart.append(found)


def zero_loss(lab, cpu, programs, generator, seconds, rate, least_round_trip, say):
    """A fixed rate over memif."""
    server = Wiretimed(LINKS["memif"](lab, "steady"), cpu, programs)

    def trial():
        step = ask(server, generator, "--rate", f"{rate:.0f}", seconds=seconds)
        return {"rate": rate, "seconds": step["seconds"], "sent": step["sent"], "not_sent": step["not_sent"], "lost": step["lost"],
                "invalid": step["invalid"], "p99_ns": step["response_time"]["p99"], "max_ns": step["response_time"]["max"]}

    def tell(number, found, verdict):
        say(f"steady, try {number}: {found['lost']} lost, {found['not_sent']} not sent of {found['sent']}{trip_of(found)}{verdict}")
    return until_undisturbed(lambda: probed(server, generator, trial), least_round_trip, tell)


def overload(lab, cpu, programs, generator, seconds, capacity, least_round_trip, say):
    """Twice the capacity over memif."""
    overloaded = Overload(lab, "memif", cpu, programs)

    def trial():
        overloaded.start()
        try:
            return overloaded.run(generator, capacity, seconds)
        finally:
            overloaded.server.stop()

    def tell(number, found, verdict):
        say(f"overload, try {number}: {found['answered_rate'] / 1e6:.3f} M/s answered of {found['offered_rate'] / 1e6:.3f} offered"
            f"{trip_of(found)}{verdict}")
    return until_undisturbed(lambda: probed(overloaded.server, generator, trial), least_round_trip, tell)


class Overload:
    """wiretimed following an upstream server every second, offered `factor` times what it can answer."""

    def __init__(self, lab, link_name, cpu, programs):
        self.lab, link = lab, LINKS[link_name](lab, "overload")
        self.upstream = lab.host("upstream")
        lab.wire(link.server, "up0", self.upstream, "down0")
        link.server.address("up0", f"{SIDE}/24")
        self.upstream.address("down0", f"{UPSTREAM}/24")
        peers.chronyd(self.upstream, "up", f"bindaddress {UPSTREAM}", "allow", "local stratum 1")
        self.server = Wiretimed(link, cpu, programs)
        self.server.extra = f"server {UPSTREAM} iburst minpoll 0 maxpoll 0\n"

    def start(self):
        self.server.start()
        if not self.server.process.wait_for("Selected source"):
            raise labs.LabError(f"the upstream server is not selected\n{self.server.process.log[-3000:]}")

    def ask(self, *command):
        return peers.ask(self.server.link.server, *command)

    def polls(self):
        """Requests sent to the upstream server and valid answers of it, so far."""
        text = peers.chronyc(self.server.link.server, "ntpdata", UPSTREAM).text
        return [int(re.search(rf"^Total {what} *: (\d+)", text, re.M).group(1)) for what in ("TX", "valid RX")]

    def run(self, generator, capacity, seconds, factor=2.0):
        """Meanwhile chronyc asks twice a second."""
        before, began = self.polls(), time.monotonic()
        load = generator.start(self.server, "--rate", f"{capacity * factor:.0f}", "--time", f"{seconds}s")
        slowest, asked = 0.0, 0
        while load.running() and time.monotonic() < began + seconds + 30:
            started = time.monotonic()
            self.ask("tracking")
            self.ask("serverstats")
            slowest, asked = max(slowest, time.monotonic() - started), asked + 1
            wait(load, time.monotonic() + 0.5)
        step = generator.result(load, 1)[0]
        lasted, after = time.monotonic() - began, self.polls()
        # What a memif has no room for is not taken, where a NIC would drop it.
        offered = (step["sent"] + step["not_sent"]) / step["seconds"]
        return {"offered_rate": offered, "sent_rate": step["sent_rate"], "answered_rate": step["answered_rate"],
                "capacity": capacity, "invalid": step["invalid"], "p50_ns": step["response_time"]["p50"],
                "p99_ns": step["response_time"]["p99"], "max_ns": step["response_time"]["max"],
                "ring_ns": (2 * RING + CATCH_UP) / step["answered_rate"] * 1e9, "chronyc_calls": 2 * asked, "slowest_chronyc_s": slowest,
                "upstream_seconds": lasted, "upstream_polls": after[0] - before[0], "upstream_answers": after[1] - before[1]}
