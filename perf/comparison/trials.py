# SPDX-License-Identifier: BSD-3-Clause
"""What wiretimed must stand: 10 GbE's full rate without loss, and twice its capacity without harm to anybody.

Where the host moves the CPUs every few seconds (rounds.py) no long run says what the server can do. So both trials go on over one
connection in steps of a second, with lone requests timed between them. Steady: until enough seconds were offered whole; a loss in any
second is one, also where the generator could not send it all. Overload: a flood and twice what it was answered, in turn; each second
of overload is held against the flood just before it, in pairs whose CPUs stayed as they were, near each other or apart.
"""
import re
import signal
import statistics
import time

from links import LINKS, RING, labs
from load import wait
from rounds import APART, least_round_trip, undisturbed
from servers import Wiretimed
import peers

STEP = 1  # s
MOST = 4  # times as many steps as are wanted
FACTOR = 2  # of the capacity
LEAST_OVERLOAD = 10  # s, or nothing could be said about an upstream server that is asked once a second
OVERLOAD_WAIT = 0.2  # s, for replies: far more than the rings hold
CATCH_UP = 512  # requests at most that wireload sends late
TEN_GBE = 10.96e6  # 114 bytes on the wire for a request over IPv4
UPSTREAM, SIDE = "10.97.0.1", "10.97.0.2"


def finished(step):
    return step["seconds"] >= 0.99 * STEP


def whole(step):
    """Whether the server was offered all of that second, or 1 % less."""
    return finished(step) and 0 < step["sent"] and step["not_sent"] <= 0.01 * (step["sent"] + step["not_sent"])


def longest_row(flags):
    longest = row = 0
    for flag in flags:
        row = row + 1 if flag else 0
        longest = max(longest, row)
    return longest


def steady_of(steps, rate, wanted, least):
    """The steady trial: `wanted` whole seconds of `rate`; `least`: the round trip with the CPUs near each other, in ns."""
    seconds = [step for step in steps if finished(step)]
    near = [step for step in seconds if undisturbed(step, least)]
    return {"rate": rate, "wanted": wanted, "seconds": len(seconds), "whole": sum(map(whole, seconds)),
            "in_a_row": longest_row(map(whole, seconds)), "near": len(near), "near_whole": sum(map(whole, near)),
            **{count: sum(step[count] for step in steps) for count in ("sent", "not_sent", "lost", "invalid")},  # of a step cut short too
            "steps": [{key: step[key] for key in ("seconds", "sent", "not_sent", "lost", "round_trip")}
                      | {"p99_ns": step["response_time"]["p99"], "max_ns": step["response_time"]["max"]} for step in steps]}


def pairs_of(steps):
    """Floods and the overload after each, of steps that take turns."""
    pairs = []
    for flood, over in zip(steps[::2], steps[1::2]):
        if not finished(flood) or not finished(over):
            continue
        capacity, answered = flood["answered"] / flood["seconds"], over["answered"] / over["seconds"]
        # What a memif has no room for is not taken, where a NIC would drop it.
        offered = (over["sent"] + over["not_sent"]) / over["seconds"]
        trips = flood["round_trips"] + over["round_trips"]
        pairs.append({"capacity": capacity, "offered_rate": offered, "answered_rate": answered, "offered": offered / max(capacity, 1),
                      "answered": answered / max(capacity, 1), "round_trip": max(trips), "stayed": max(trips) <= APART * min(trips),
                      "p50_ns": over["response_time"]["p50"], "p99_ns": over["response_time"]["p99"], "max_ns": over["response_time"]["max"],
                      "ring_ns": (2 * RING + CATCH_UP) / max(answered, 1) * 1e9})
    return pairs


def overload_of(pairs, wanted):
    """The overload trial, judged by the pairs whose CPUs stayed as they were, at least `wanted` of them: how much was offered in the
    least of them and answered in the median, as parts of each flood's answers, and the one with the longest response time beside what
    its rings hold."""
    stayed = [pair for pair in pairs if pair["stayed"]]
    found = {"wanted": wanted, "counted": len(stayed), "pairs": pairs, "moved": [pair["answered"] for pair in pairs if not pair["stayed"]]}
    if stayed:
        slowest = max(stayed, key=lambda pair: pair["p99_ns"] / pair["ring_ns"])
        answered = [pair["answered"] for pair in stayed]
        found |= {"offered": min(pair["offered"] for pair in stayed), "answered": statistics.median(answered),
                  "answered_least": min(answered), "answered_most": max(answered), "p99_ns": slowest["p99_ns"],
                  "ring_ns": slowest["ring_ns"]}
    return found


def until(generator, load, enough, most, meanwhile=lambda: None):
    """The steps of a running wireload, ended when they are enough; `most`: seconds it may take."""
    deadline = time.monotonic() + most
    while load.running() and time.monotonic() < deadline and not enough(generator.so_far(load)):
        meanwhile()
        wait(load, time.monotonic() + 0.5)
    load.signal(signal.SIGTERM)
    return generator.result(load, 10)


def seconds_of(count):
    """What so many steps take, at most: the last replies are waited for, and lone requests timed."""
    return count * (STEP + 1.5)


def zero_loss(lab, cpu, programs, generator, wanted, rate, least, say):
    """A fixed rate over memif."""
    server = Wiretimed(LINKS["memif"](lab, "steady"), cpu, programs)
    server.start()
    try:
        load = generator.start(server, "--rate", f"{rate:.0f}", "--time", f"{STEP}s", "--repeat", MOST * wanted, "--probe")
        steps = until(generator, load, lambda steps: sum(map(whole, steps)) >= wanted, seconds_of(MOST * wanted))
    finally:
        server.stop()
    found = steady_of(steps, rate, wanted, min(least, least_round_trip(steps) or least))
    say(f"steady: {found['whole']} of {found['seconds']} s whole, {found['in_a_row']} in a row; "
        f"{found['near_whole']} of {found['near']} with the CPUs near; {found['lost']} lost")
    return found


def overload(lab, cpu, programs, generator, wanted, say):
    """Twice the capacity over memif."""
    overloaded = Overload(lab, "memif", cpu, programs)
    overloaded.start()
    try:
        found = overloaded.run(generator, wanted)
    finally:
        overloaded.server.stop()
    for number, pair in enumerate(found["pairs"], 1):
        say(f"overload, pair {number}: {pair['answered_rate'] / 1e6:.3f} M/s answered of {pair['offered_rate'] / 1e6:.3f} offered, "
            f"{pair['capacity'] / 1e6:.3f} in the flood before: {pair['answered']:.2f}, round trip {pair['round_trip'] / 1e3:.2f} us"
            + ("" if pair["stayed"] else ": CPUs moved, not counted"))
    return found


class Overload:
    """wiretimed following an upstream server every second, offered twice what it can answer every other second."""

    def __init__(self, lab, link_name, cpu, programs):
        self.lab, link = lab, LINKS[link_name](lab, "overload")
        self.upstream = lab.host("upstream")
        lab.wire(link.server, "up0", self.upstream, "down0")
        link.server.address("up0", f"{SIDE}/24")
        self.upstream.address("down0", f"{UPSTREAM}/24")
        peers.chronyd(self.upstream, "up", f"bindaddress {UPSTREAM}", "allow", "local stratum 1")
        self.server = Wiretimed(link, cpu, programs)
        self.server.extra = f"server {UPSTREAM} iburst minpoll 0 maxpoll 0\n"
        self.slowest, self.asked = 0.0, 0

    def start(self):
        self.server.start()
        if not self.server.process.wait_for("Selected source"):
            raise labs.LabError(f"the upstream server is not selected\n{self.server.process.log[-3000:]}")

    def ask(self, *command):
        return peers.ask(self.server.link.server, *command)

    def ask_pair(self):
        started = time.monotonic()
        self.ask("tracking")
        self.ask("serverstats")
        self.slowest, self.asked = max(self.slowest, time.monotonic() - started), self.asked + 1

    def polls(self):
        """Requests sent to the upstream server and valid answers of it, so far."""
        text = peers.chronyc(self.server.link.server, "ntpdata", UPSTREAM).text
        return [int(re.search(rf"^Total {what} *: (\d+)", text, re.M).group(1)) for what in ("TX", "valid RX")]

    def run(self, generator, wanted):
        """Meanwhile, in pairs that count and others, chronyc asks twice a second and the upstream server is polled."""
        def enough(steps):
            pairs = pairs_of(steps)
            return len(pairs) * 2 * STEP >= LEAST_OVERLOAD and sum(pair["stayed"] for pair in pairs) >= wanted
        before, began = self.polls(), time.monotonic()
        load = generator.start(self.server, "--overload", FACTOR, "--time", f"{STEP}s", "--repeat", MOST * wanted, "--probe",
                               "--wait", f"{OVERLOAD_WAIT}s")
        steps = until(generator, load, enough, seconds_of(2 * MOST * wanted), self.ask_pair)
        lasted, after = time.monotonic() - began, self.polls()
        return overload_of(pairs_of(steps), wanted) | {
            "invalid": sum(step["invalid"] for step in steps), "chronyc_calls": 2 * self.asked,
            "slowest_chronyc_s": self.slowest, "upstream_seconds": lasted, "upstream_polls": after[0] - before[0],
            "upstream_answers": after[1] - before[1]}
