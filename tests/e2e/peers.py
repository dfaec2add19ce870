# SPDX-License-Identifier: BSD-3-Clause
"""The stock NTP programs, run inside a Host: each returns an Answer that says whether the client accepted the time.

They come from WIRETIME_PEERS, the directory deploy/lib/fetch_peers filled. None of them can set a clock (see lab.py); those
that try say so in their output, after they have accepted a reply, and that is what we look for.
"""
import os
import pathlib
import re
import time

import lab as labs


class Answer:
    def __init__(self, ok, output):
        self.ok, self.output = ok, output

    def __bool__(self):
        return self.ok

    def __str__(self):
        return str(self.output)


def root():
    path = os.environ.get("WIRETIME_PEERS")
    return pathlib.Path(path) if path else None


def why_not():
    """A reason why the stock programs cannot be used, or None."""
    if root() is None:
        return "WIRETIME_PEERS is not set (deploy/lib/fetch_peers fills a directory)"
    if not (root() / "usr/sbin/chronyd").exists():
        return f"no stock programs in {root()} (run deploy/lib/fetch_peers)"
    return None


def program(path):
    return str(root() / path)


def environment(top=None):
    top = top or root()
    libraries = [f"{base}/{os.uname().machine}-linux-gnu{sub}" for base in ("usr/lib", "lib") for sub in ("", "/systemd")]
    return {
        "PATH": f"{top}/usr/sbin:{top}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": ":".join(f"{top}/{path}" for path in libraries if (root() / path).is_dir()),
        "PYTHONPATH": f"{top}/usr/lib/python3/dist-packages",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def chronyd_query(host, server, options="iburst", timeout=labs.PATIENCE):
    """chronyd -Q: one synchronisation, printed and not applied."""
    output = host.run([program("usr/sbin/chronyd"), "-Q", "-t", timeout, "user root", "pidfile /run/query.pid",
                       f"server {server} {options}"], timeout + labs.PATIENCE, environment())
    return Answer(output.code == 0 and "System clock wrong by" in output.text, output)


def ntpdate(host, server, timeout=30):
    output = host.run([program("usr/sbin/ntpdate"), "-q", "-t", timeout, server], timeout + labs.PATIENCE, environment())
    return Answer(output.code == 0 and re.search(r"\+/- .* s\d+ no-leap", output.text) is not None, output)


def ntpdig(host, server, timeout=30):
    output = host.run([program("usr/bin/ntpdig"), "-t", timeout, server], timeout + labs.PATIENCE, environment())
    return Answer(output.code == 0 and re.search(r"\+/- .* s\d+ no-leap", output.text) is not None, output)


def busybox_ntpd(host, server, timeout=labs.PATIENCE):
    """busybox ntpd -n -q -p: exits once it has accepted replies and asked for the clock to be set (which is refused)."""
    output = host.run([program("usr/bin/busybox"), "ntpd", "-dd", "-n", "-q", "-p", server], timeout, environment())
    return Answer(not output.timed_out and "reply from" in output.text, output)


def timesyncd(host, server, timeout=labs.PATIENCE):
    """systemd-timesyncd as an ordinary user, until it has printed what it makes of the first reply."""
    if not pathlib.Path("/etc/systemd").is_dir():
        host.hide_directory("/etc")
        host.must(["mkdir", "/etc/systemd"])
    host.hide_directory("/etc/systemd")
    (host_path := pathlib.Path(f"/proc/{host.holder_pid}/root/etc/systemd/timesyncd.conf")).write_text(
        f"[Time]\nNTP={server}\nFallbackNTP=\n")
    host_path.chmod(0o644)
    host.must(["mkdir", "-p", "/run/systemd/timesync", "/run/stock"])
    host.must(["mount", "--bind", root(), "/run/stock"])  # the way to the original may be closed to that user
    process = host.spawn(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                          "/run/stock/lib/systemd/systemd-timesyncd"],
                         {**environment(pathlib.Path("/run/stock")), "SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_TARGET": "console"})
    ok = process.wait_for("Contacted time server", timeout)
    process.stop()
    return Answer(ok and "NTP response:" in process.log, process.log)


def ntpsec_ntpd(host, server, timeout=labs.PATIENCE):
    """ntpd -n -q: exits when it has a time; needs several replies."""
    config = host.lab.dir / f"ntpsec-{time.monotonic_ns()}.conf"
    config.write_text(f"server {server} iburst minpoll 3\nrestrict default\n")
    output = host.run([program("usr/sbin/ntpd"), "-n", "-q", "-g", "-d", "-c", config], timeout, environment())
    return Answer("ntpd: time" in output.text or "set_offset" in output.text, output)


def chronyc(host, *command, timeout=labs.PATIENCE):
    """The stock chronyc with no options beyond -n (do not look addresses up)."""
    return host.run([program("usr/bin/chronyc"), "-n", *command], timeout, environment())


def chronyd(host, name, *directives, fast_by=0.0, gains_ppm=0.0):
    """A stock chronyd that touches no clock and by default serves nobody. Several fit in one host: its files are /run/NAME.pid
    and, for ask(), /run/NAME/sock. `fast_by`: seconds its clock is ahead of the machine's at its start, `gains_ppm`: how it goes on
    (tests/support/clock_shift.c)."""
    env = environment()
    if fast_by or gains_ppm:
        env |= {"LD_PRELOAD": os.environ["WIRETIME_CLOCK_SHIFT"], "CLOCK_SHIFT": str(fast_by), "CLOCK_DRIFT": str(gains_ppm)}
    return host.spawn([program("usr/sbin/chronyd"), "-d", "-x", "user root", f"pidfile /run/{name}.pid", "cmdport 0",
                       f"bindcmdaddress /run/{name}/sock", *directives], env, name)


def ask(host, *command, of=None):
    """What chronyc -c says of the daemon under test, or of the chronyd named `of`: a list of rows of fields."""
    where = ["-h", f"/run/{of}/sock"] if of else []
    output = chronyc(host, *where, "-c", *command)
    if output.code != 0:
        raise AssertionError(str(output))
    return [line.split(",") for line in output.text.splitlines()]


CLIENTS = {"chronyd -Q": chronyd_query, "ntpdate -q": ntpdate, "ntpdig": ntpdig, "busybox ntpd": busybox_ntpd,
           "systemd-timesyncd": timesyncd}
