#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every way a packet can end is provoked by a test: fails for each value of Verdict (src/base/verdict.hpp) that no test of the layer
that gives it names."""
import pathlib
import re
import sys

# where verdicts come from; tests of what only counts and shows them (status, metrics) prove nothing
GIVERS = ("unit/net", "unit/ntp", "unit/server", "unit/control/endpoints_test.cpp", "dpdk")


def main():
    root = pathlib.Path(sys.argv[1])
    names = re.findall(r"^  X\((\w+), (?:reply|pass_on|drop),", (root / "src/base/verdict.hpp").read_text(), re.M)
    if len(names) < 40:
        sys.exit("verdict.hpp does not look as expected")
    files = [file for giver in GIVERS for path in [root / "tests" / giver] for file in ([path] if path.is_file() else path.rglob("*.cpp"))]
    tested = {name for file in files for name in re.findall(r"Verdict::(\w+)", file.read_text())}
    missing = [name for name in names if name not in tested]
    for name in missing:
        print(f"Verdict::{name} is not expected by any test in {', '.join(GIVERS)}")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
