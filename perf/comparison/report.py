# SPDX-License-Identifier: BSD-3-Clause
"""What was measured, for people (table, README), for programs (JSON) and as a picture (wireload-plot draws it)."""
import json
import pathlib
import subprocess

import readme
from links import LINKS
from rounds import summary
from servers import SERVERS

CEILING, REFERENCE = "testpmd", "chronyd"


def links_of(rounds):
    """{link: {server: summary with its ratios}} of {link: {server: [steps]}}."""
    links = {link: {name: summary(steps) for name, steps in servers.items()} for link, servers in rounds.items()}
    for servers in links.values():
        for name, found in servers.items():
            for other in (CEILING, REFERENCE):
                if other in servers and other != name:
                    found[f"of_{other}"] = found["median"] / max(servers[other]["median"], 1)
    return links


def target(name, wanted, found, met):
    return {"name": name, "wanted": wanted, "found": found, "met": bool(met)}


def targets(result):
    """The numbers of README's section Figures, and whether this run met them."""
    found, links = [], result["links"]
    for link, server, other, least in (("memif", "wiretimed", CEILING, 0.80), ("veth", "wiretimed", CEILING, 0.95),
                                       ("veth", "wiretimed", REFERENCE, 3.0)):
        value = links.get(link, {}).get(server, {}).get(f"of_{other}")
        if value is not None:
            found.append(target(f"{LINKS[link].title}: {server} beside {SERVERS[other].title}", f"at least {least:.2f}", f"{value:.2f}",
                                value >= least))
    if steady := result.get("zero_loss"):
        found.append(trial_target(steady, f"{LINKS['memif'].title}: {steady['seconds']:.0f} s at {steady['rate'] / 1e6:.2f} M/s",
                                  "none lost, 99 % sent", lambda s: f"{s['lost']} lost, {s['not_sent']} not sent of {s['sent']}",
                                  lambda s: s["lost"] == 0 and s["not_sent"] <= s["sent"] * 0.01))
    if over := result.get("overload"):
        found += overload_targets(over)
    every = [s for servers in links.values() for s in servers.values()]
    found.append(target("replies that failed a check", "none", str(sum(s["invalid"] for s in every)), all(s["invalid"] == 0 for s in every)))
    return found


def trial_target(trial, name, wanted, text, met):
    """Of a trial, which has to be one with the CPUs near each other; what those before it found with them apart is told and not counted."""
    apart = f" (CPUs apart: {'; '.join(text(found) for found in trial['apart'])})" if trial["apart"] else ""
    if trial["undisturbed"]:
        return target(name, wanted, text(trial) + apart, met(trial))
    return target(name, wanted, f"no try of {len(trial['apart']) + 1} with the CPUs near each other{apart}; last: {text(trial)}", False)


def overload_targets(over):
    def row(name, wanted, text, met):
        return trial_target(over, f"overload: {name}", wanted, text, met)

    def times(o):
        return o["offered_rate"] / o["capacity"]

    def share(o):
        return o["answered_rate"] / o["capacity"]
    # More than the capacity: the CPUs were apart when that was measured, and this was no overload.
    return [row("offered", "2.0 times the capacity", lambda o: f"{times(o):.2f}", lambda o: times(o) >= 1.9),
            row("answered", "0.90 of the capacity, 1.3 at most", lambda o: f"{share(o):.2f}", lambda o: 0.9 <= share(o) <= 1.3),
            row("response time of 99 %", f"within both rings' time, {over['ring_ns'] / 1e3:.0f} us", lambda o: f"{o['p99_ns'] / 1e3:.0f} us",
                lambda o: o["p99_ns"] <= o["ring_ns"]),
            row("slowest pair of chronyc calls", "below 2 s", lambda o: f"{o['slowest_chronyc_s']:.2f} s",
                lambda o: o["slowest_chronyc_s"] < 2 and o["chronyc_calls"] > 0),
            row("polls of the upstream server, one a second", "on schedule, all answered",
                lambda o: f"{o['upstream_polls']} in {o['upstream_seconds']:.1f} s, {o['upstream_answers']} answered",
                lambda o: o["upstream_polls"] >= o["upstream_seconds"] * 0.8 and o["upstream_answers"] >= o["upstream_polls"] - 1)]


def table(links):
    rows = ["| link | server | answered, median | least to most | rounds | of testpmd | of chronyd | response time, median |",
            "|---|---|---|---|---|---|---|---|"]
    for link, servers in links.items():
        for name, s in sorted(servers.items(), key=lambda item: -item[1]["median"]):
            ratios = [f"{s[key]:.2f}" if (key := f"of_{other}") in s else "" for other in (CEILING, REFERENCE)]
            rows.append(f"| {LINKS[link].title} | {SERVERS[name].title} | {s['median'] / 1e6:.3f} M/s | {s['min'] / 1e6:.3f} to "
                        f"{s['max'] / 1e6:.3f} | {s['rounds']}{not_counted(s)} | {ratios[0]} | {ratios[1]} | {s['p50_ns'] / 1e3:.0f} us |")
    return "\n".join(rows)


def not_counted(summary):
    return f" (and {summary['not_counted']} with CPUs apart)" if summary["not_counted"] else ""


def verdicts(result):
    rows = ["| target | wanted | found | |", "|---|---|---|---|"]
    return "\n".join(rows + [f"| {t['name']} | {t['wanted']} | {t['found']} | {'met' if t['met'] else '**missed**'} |"
                             for t in result["targets"]])


def write_chart(result, program, path):
    """The comparison as wireload-plot's bars."""
    picture = {"title": "NTP answers a second, one server core", "date": result["date"], "machine": result["machine"], "links": [
        {"name": LINKS[link].title, "ceiling": SERVERS[CEILING].title,
         "reference": SERVERS[REFERENCE].title if REFERENCE in servers else "",
         "bars": [{"name": SERVERS[name].title, **{key: s[key] for key in ("median", "min", "max", "rounds")}}
                  for name, s in servers.items()]} for link, servers in result["links"].items()]}
    source = pathlib.Path(path).with_suffix(".json.tmp")
    source.write_text(json.dumps(picture))
    try:
        subprocess.run([program, "bars", "-o", path, source], check=True, timeout=30)
    finally:
        source.unlink()


def write_readme(path, result, picture):
    readme.refresh(path, "perf/compare", f"{result['date']}, {result['machine']}; {result['versions']}; {result['settings']}.\n\n"
                   f"![Answers a second of each server on each link]({picture})\n\n{table(result['links'])}\n\n{verdicts(result)}")
