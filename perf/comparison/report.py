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
        found.append(steady_target(steady))
    if over := result.get("overload"):
        found += overload_targets(over)
    every = [s for servers in links.values() for s in servers.values()]
    invalid = sum(s["invalid"] for s in every + [result[trial] for trial in ("zero_loss", "overload") if trial in result])
    found.append(target("replies that failed a check", "none", str(invalid), invalid == 0))
    return found


def steady_target(steady):
    """In seconds of which at least 99 % were sent. Whoever keeps up only now and then with the CPUs near each other does not keep up."""
    near = f"; with CPUs near {steady['near_whole']} of {steady['near']}" if steady["near"] < steady["seconds"] else ""
    return target(f"{LINKS['memif'].title}: {steady['wanted']} s at {steady['rate'] / 1e6:.2f} M/s",
                  f"none lost in any second, {steady['wanted']} offered whole, and most of those with CPUs near",
                  f"{steady['lost']} lost of {steady['sent']}; {steady['whole']} of {steady['seconds']} s whole, "
                  f"{steady['in_a_row']} in a row at most{near}",
                  steady["lost"] == 0 and steady["whole"] >= steady["wanted"] and 2 * steady["near_whole"] >= steady["near"])


def overload_targets(over):
    few = over["counted"] < over["wanted"]
    pairs = f"; {over['counted']} pairs" + (f", {over['wanted']} wanted" if few else "")
    moved = f", and {len(over['moved'])} whose CPUs moved: {min(over['moved']):.2f} to {max(over['moved']):.2f}" if over["moved"] else ""

    def row(name, wanted, text, met):
        """Of the pairs that count."""
        if not over["counted"]:
            return target(f"overload: {name}", wanted, f"no pair of {len(over['pairs'])} whose CPUs stayed as they were", False)
        return target(f"overload: {name}", wanted, text(), not few and met())
    # More than the capacity: the flood before was not what the server can do, and this was no overload.
    return [row("offered, beside a flood's answers", "2.0 times them", lambda: f"{over['offered']:.2f}", lambda: over["offered"] >= 1.9),
            row("answered, beside a flood just before", "median 0.90, 1.3 at most",
                lambda: f"{over['answered']:.2f} ({over['answered_least']:.2f} to {over['answered_most']:.2f}{pairs}{moved})",
                lambda: 0.9 <= over["answered"] <= 1.3),
            row("response time of 99 %, worst second", "within both rings' time",
                lambda: f"{over['p99_ns'] / 1e3:.0f} us of {over['ring_ns'] / 1e3:.0f} us", lambda: over["p99_ns"] <= over["ring_ns"]),
            target("overload: slowest pair of chronyc calls", "below 2 s", f"{over['slowest_chronyc_s']:.2f} s",
                   over["slowest_chronyc_s"] < 2 and over["chronyc_calls"] > 0),
            target("overload: polls of the upstream server, one a second", "on schedule, all answered",
                   f"{over['upstream_polls']} in {over['upstream_seconds']:.1f} s, {over['upstream_answers']} answered",
                   over["upstream_polls"] >= over["upstream_seconds"] * 0.8 and over["upstream_answers"] >= over["upstream_polls"] - 1)]


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
