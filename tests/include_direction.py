#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who may include whom (CONTRIBUTING.md): fails with file:line for every include that points the wrong way."""
import pathlib
import re
import sys

# module: the modules it may include besides itself and base
ALLOWED = {
    "base": set(),
    "net": set(),
    "clock": set(),
    "ntp": {"clock", "net"},
    "nts": {"ntp"},
    "server": {"nts", "ntp", "net", "clock"},
    "status": {"clock", "ntp"},
    "os": {"clock"},
    "control": {"os", "status", "clock", "ntp", "nts", "server", "net"},
    "dpdk": {"server", "clock", "os", "net", "ntp"},
    "ebpf": set(),
    "perf/report": set(),
    "perf/wireload": {"perf/report", "control", "server", "net", "ntp", "os", "dpdk"},
    "deploy/doctor": {"control", "dpdk", "ebpf", "os", "server", "clock"},
    "main": {"control", "dpdk", "ebpf", "os", "server", "status", "clock", "ntp", "net"},
}
SYSTEM_CALLS = re.compile(r"^(sys/(socket|ioctl|un|mman|timerfd|timex|epoll|prctl)|netinet/|net/if|linux/|arpa/inet|ifaddrs|"
                          r"netdb|poll|unistd|fcntl|signal|pthread|sched|bpf/|cap-ng|seccomp)")
# where operating-system headers may appear
OS_ROOMS = {"os", "ebpf", "dpdk", "perf/wireload"}
OS_EXCEPTIONS = {"src/base/ip_address.cpp": {"arpa/inet.h"}}
PURE = {"net", "clock", "ntp", "nts", "server", "status", "perf/report"}
PURE_EXCEPTIONS = {"perf/report/plot_main.cpp"}
IMPURE_STD = re.compile(r"^(thread|fstream|iostream|filesystem|random|mutex|condition_variable)$")


def module_of(path):
    parts = path.parts
    if parts[0] == "src":
        return "main" if len(parts) == 2 else parts[1]
    return "/".join(parts[:2]) if parts[0] in ("deploy", "perf") else parts[0]


def target_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] in ("deploy", "perf") else parts[0]


def problems(root):
    for top in ("src", "dpdk", "ebpf", "perf/report", "perf/wireload", "deploy/doctor"):
        for path in sorted((root / top).rglob("*.[ch]pp")) + sorted((root / top).rglob("*.h")):
            rel = path.relative_to(root)
            module = module_of(rel)
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
                if not match:
                    continue
                system, name = match.group(1) == "<", match.group(2)
                where = f"{rel}:{number}: "
                if not system:
                    target = target_of(name)
                    if target not in ALLOWED and "/" in name:
                        yield where + f'"{name}": project headers are named from src/ or the top, as "module/file.hpp"'
                    elif name == "ebpf/steer.h" and module == "dpdk":
                        continue  # the one header that kernel program and user side share
                    elif target in ALLOWED and target not in ALLOWED[module] | {module, "base"}:
                        yield where + f"{module} may not include {target}"
                    continue
                if name.startswith("rte_") and module not in ("dpdk", "perf/wireload"):
                    yield where + f"<{name}>: DPDK headers belong under dpdk/ (and perf/wireload)"
                if SYSTEM_CALLS.match(name) and module not in OS_ROOMS and name not in OS_EXCEPTIONS.get(str(rel), ()):
                    yield where + f"<{name}>: operating-system headers belong under src/os (or dpdk/, ebpf/)"
                if module in PURE and IMPURE_STD.match(name) and str(rel) not in PURE_EXCEPTIONS:
                    yield where + f"<{name}>: {module} is pure: no I/O, threads or randomness of its own"


def main():
    found = list(problems(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "include direction: ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
