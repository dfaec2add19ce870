# SPDX-License-Identifier: BSD-3-Clause
"""What two clients of the same servers must agree on: every column of chronyc's reports, each with its rule.

A rule takes our field and the stock daemon's and says whether they agree. What is a matter of each daemon's own timing or
noise has `own`, with the reason and the range that still makes sense.
"""
import re

MS = 1e-3  # two clients on one loaded machine, each with its own noise of some 100 us
PPM = 50.0  # what that noise makes of a frequency over 20 s


def same(ours, theirs):
    return ours == theirs


def near(delta):
    return lambda ours, theirs: abs(float(ours) - float(theirs)) <= delta


def own(_reason, low, high):
    return lambda ours, theirs: low <= float(ours) <= high and low <= float(theirs) <= high


def one_of(*groups):
    """Equal, or both in one group: these say the same of a source."""
    return lambda ours, theirs: ours == theirs or any(ours in group and theirs in group for group in groups)


# + or -: whether another good source is near enough to be combined is decided by each one's measured distances.
COMBINED = one_of("+-", "+D")
# chronyd 4.3 says `s` of a source never heard, later ones and we `M`: it is missing samples.
STATE = one_of("+D", "sM")
SINCE = own("seconds since the last sample: when each one polled", 0, 40)
SAMPLES = own("each daemon's regression decides how many samples it keeps", 0, 64)

SOURCES = {
    "mode": same, "state": COMBINED, "address": same, "stratum": same, "poll": same, "reach": same, "last rx": None,
    "last sample": near(MS), "measured": near(MS), "error": near(MS)}
SOURCESTATS = {
    "address": same, "NP": SAMPLES, "NR": SAMPLES, "span": own("goes with NP", 0, 300), "frequency": near(PPM),
    "skew": near(10 * PPM), "offset": near(MS), "std dev": near(MS)}
TRACKING = {
    "refid": same, "address": same, "stratum": same, "ref time": near(10), "system time": near(MS), "last offset": near(MS),
    "RMS offset": near(MS), "frequency": near(PPM), "residual frequency": near(PPM), "skew": near(10 * PPM),
    "root delay": near(MS), "root dispersion": near(MS), "update interval": near(10), "leap": same}
NTPDATA = {
    "remote address": same, "remote refid": same, "remote port": same, "local address": same, "local refid": same,
    "leap": same, "version": same, "mode": same, "stratum": same, "poll": same, "poll seconds": same, "precision": same,
    "precision seconds": same, "root delay": near(MS), "root dispersion": near(MS), "refid": same, "refid name": same,
    "reference time": near(65),  # a local reference renews it every 64 s
    "offset": near(MS), "peer delay": near(MS), "peer dispersion": near(MS),
    "response time": own("the server's own scheduling", 0, 2),
    "jitter asymmetry": own("only known with many samples", -0.5, 0.5), "tests 1-3": same, "tests 5-7": same,
    "tests A-D": one_of(("1111", "1101", "1011")),  # B and C compare a delay with those that client saw before
    "interleaved": same, "authenticated": same, "tx timestamping": same, "rx timestamping": same,
    "total tx": near(3), "total rx": near(3), "total valid rx": near(3), "total good rx": near(6)}
SELECTDATA = {
    "state": STATE, "address": same, "authenticated": same,
    **{f"{kind} {option}": same for kind in ("configured", "effective") for option in "NPTR?"}, "last": None, "score": near(1),
    "low": near(MS), "high": near(MS), "leap": same}


def disagreements(rules, ours, theirs, key):
    """One line for every field of every row that disagrees; rows are matched by the column named `key`."""
    column = list(rules).index(key)
    found, stock = [], {row[column]: row for row in theirs}
    if [row[column] for row in ours] != [row[column] for row in theirs]:
        return [f"rows: {[row[column] for row in ours]} against {[row[column] for row in theirs]}"]
    for row in ours:
        other = stock[row[column]]
        if len(row) != len(rules) or len(other) != len(rules):
            found.append(f"{len(row)} and {len(other)} columns where {len(rules)} are expected: {row} against {other}")
            continue
        for (name, rule), mine, its in zip(rules.items(), row, other):
            if name in ("last rx", "last"):
                rule = same if "4294967295" in (mine, its) else SINCE
            if not rule(mine, its):
                found.append(f"{row[column]}: {name} is {mine}, stock says {its}")
    return found


def shape(text):
    """chronyc's table as it is laid out, without its figures, and states that say the same as one."""
    lines = text.rstrip().splitlines()
    rule = max(i for i, line in enumerate(lines) if line.startswith("===="))
    rows = [re.sub(r"[+-]? *\d+(\.\d+)?(ns|us|ms|s)?(?= |\]|\[|$)", " N", line) for line in lines[rule + 1:]]
    rows = [re.sub(r"^s ", "M ", re.sub(r"^([\^=]?)[+D-] ", r"\1+ ", row)) for row in rows]
    return lines[:rule + 1] + [re.sub(r" +", " ", row) for row in rows]
