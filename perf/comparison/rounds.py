# SPDX-License-Identifier: BSD-3-Clause
"""Servers flooded in turn, A B C D, D C B A, ...: what the machine does meanwhile meets all of them alike."""
import statistics

from links import LINKS
from servers import SERVERS

ON_LINK = {"veth": ("wiretimed", "testpmd", "chronyd", "ntpd"), "memif": ("wiretimed", "testpmd")}


def measure_once(server, generator, seconds):
    """The server started, flooded and stopped: a step of wireload's."""
    server.start()
    try:
        return generator.run(server, "--flood", seconds=seconds)
    finally:
        server.stop()


def measure_link(lab, name, cpu, programs, generator, rounds, seconds, say):
    """{server: [step of each round]} on the link of that name."""
    servers = [SERVERS[server](LINKS[name](lab, server), cpu, programs) for server in ON_LINK[name]]
    steps = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in servers if number % 2 == 0 else reversed(servers):
            step = measure_once(server, generator, seconds)
            steps[server.name].append(step)
            say(f"{server.link.title}, round {number + 1} of {rounds}: {server.title:<15} {step['answered_rate'] / 1e6:7.3f} M/s answered"
                f" of {step['sent_rate'] / 1e6:.3f} sent")
    return steps


def summary(steps):
    """Median, least and most answers a second of one server's rounds."""
    rates = [step["answered_rate"] for step in steps]
    return {"median": statistics.median(rates), "min": min(rates), "max": max(rates), "rounds": len(rates),
            "sent": statistics.median(step["sent_rate"] for step in steps),
            "invalid": sum(step["invalid"] for step in steps), "checked": sum(step["checked"] for step in steps),
            "p50_ns": statistics.median(step["response_time"]["p50"] for step in steps),
            "p99_ns": statistics.median(step["response_time"]["p99"] for step in steps)}
