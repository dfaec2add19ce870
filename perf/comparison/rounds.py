# SPDX-License-Identifier: BSD-3-Clause
"""Servers flooded in turn, A B C D, D C B A, ...: what the machine does meanwhile meets all of them alike.

But for one thing. The host of a virtual machine may move its CPUs, as far as can be told from inside: a lone request over shared memory
then takes three times as long, and whoever has his turn has a third of the rate. So before and after each flood over shared memory lone
requests are timed, one after the other (wireload's --probe). Rounds in which they took much longer than in the best round of the same
server are shown and not counted, and there are more rounds instead. On a machine whose CPUs stay where they are every round counts.
"""
import statistics

from links import LINKS
from servers import SERVERS

ON_LINK = {"veth": ("wiretimed", "testpmd", "chronyd", "ntpd"), "memif": ("wiretimed", "testpmd")}
APART = 1.6  # times the least round trip
MOST_ROUNDS = 3  # times as many as asked for


def ask(server, generator, *mode, seconds):
    """The server started, asked by `mode` and stopped: a step of wireload's, over shared memory with its "round_trip". For one
    generator only: now and then a second one cannot join the memif that a first has left testpmd."""
    server.start()
    try:
        return generator.run(server, *mode, *(["--probe"] if server.link.core_to_core else []), seconds=seconds)
    finally:
        server.stop()


def trip_of(step):
    return f", round trip {step['round_trip'] / 1e3:.2f} us" if "round_trip" in step else ""


def least_round_trip(steps):
    return min((step["round_trip"] for step in steps if "round_trip" in step), default=0)


def undisturbed(step, least):
    """Whether the CPUs were as near to each other as they can be."""
    return step.get("round_trip", 0) <= APART * least


def counted(steps):
    least = least_round_trip(steps)
    return [step for step in steps if undisturbed(step, least)]


def measure_link(lab, name, cpu, programs, generator, rounds, seconds, say):
    """{server: [step of each round]} on the link of that name, rounds with CPUs apart included."""
    servers = [SERVERS[server](LINKS[name](lab, server), cpu, programs) for server in ON_LINK[name]]
    steps = {server.name: [] for server in servers}
    for number in range(rounds * MOST_ROUNDS):
        if all(len(counted(found)) >= rounds for found in steps.values()):
            break
        for server in servers if number % 2 == 0 else reversed(servers):
            step = ask(server, generator, "--flood", seconds=seconds)
            steps[server.name].append(step)
            trip = trip_of(step)
            apart = "" if undisturbed(step, least_round_trip(steps[server.name])) else ": CPUs apart, not counted"
            say(f"{server.link.title}, round {number + 1}: {server.title:<15} {step['answered_rate'] / 1e6:7.3f} M/s answered"
                f" of {step['sent_rate'] / 1e6:.3f} sent{trip}{apart}")
    return steps


def summary(steps):
    """Median, least and most answers a second of one server's rounds that count."""
    near = counted(steps)
    rates = [step["answered_rate"] for step in near]
    return {"median": statistics.median(rates), "min": min(rates), "max": max(rates), "rounds": len(rates), "not_counted": len(steps) - len(near),
            "sent": statistics.median(step["sent_rate"] for step in near),
            "invalid": sum(step["invalid"] for step in steps), "checked": sum(step["checked"] for step in steps),
            "p50_ns": statistics.median(step["response_time"]["p50"] for step in near),
            "p99_ns": statistics.median(step["response_time"]["p99"] for step in near)}
