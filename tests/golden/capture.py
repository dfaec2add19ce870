#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the golden captures: what stock NTP clients send, and what a stock chronyd answers, as seen on the client's wire.

Usage, as root: WIRETIME_PEERS=DIRECTORY/root tests/golden/capture.py   (deploy/lib/fetch_peers DIRECTORY fills that)
The unit tests replay the requests, so keep the scenarios here in step with tests/golden/README.md.
"""
import pathlib
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import frames  # noqa: E402
import lab as labs  # noqa: E402
import peers  # noqa: E402

ADDRESSES = {"v4": "192.0.2.1", "v6": "2001:db8::1"}
KEYS = "1 MD5 HEX:000102030405060708090a0b0c0d0e0f\n2 SHA1 HEX:101112131415161718191a1b1c1d1e1f20212223\n" \
       "3 AES128 HEX:202122232425262728292a2b2c2d2e2f\n"
SERVER = "local stratum 10\nallow all\nuser root\ndriftfile /run/drift\nkeyfile {keys}\n"


def chronyd(options, timeout=8):
    def run(host, server):
        host.run([peers.program("usr/sbin/chronyd"), "-Q", "-t", timeout, "user root", "pidfile /run/query.pid",
                  f"keyfile {host.lab.dir}/keys", f"server {server} {options}"], timeout + 5, peers.environment())
    return run


def chronyd_daemon(options, seconds, kind="server"):
    """A client that keeps going, without touching the clock: interleaved mode needs several exchanges."""
    def run(host, server):
        process = host.spawn([peers.program("usr/sbin/chronyd"), "-x", "-d", "user root", "pidfile /run/query.pid",
                              "bindcmdaddress /", "cmdport 0", f"{kind} {server} {options}"], peers.environment())
        time.sleep(seconds)
        process.stop()
    return run


SCENARIOS = {
    "chronyd": chronyd("iburst"),
    "chronyd-version3": chronyd("version 3"),
    "chronyd-version1": chronyd("version 1"),
    "chronyd-peer": chronyd_daemon("minpoll -2 maxpoll -2", 2, "peer"),
    "chronyd-xleave": chronyd_daemon("xleave minpoll -2 maxpoll -2", 2),
    "chronyd-md5": chronyd("key 1"),
    "chronyd-sha1": chronyd("key 2"),
    "chronyd-aes128": chronyd("key 3"),
    "ntpdate": peers.ntpdate,
    "ntpdig": peers.ntpdig,
    "busybox-ntpd": peers.busybox_ntpd,
    "systemd-timesyncd": peers.timesyncd,
    "ntpsec-ntpd": peers.ntpsec_ntpd,
}


def record(client, scenario, server):
    """Every NTP frame on the client's wire while `scenario` runs."""
    port, stop, seen = frames.RawPort(client, "cli0"), threading.Event(), []

    def collect():
        while not stop.is_set():
            received = port.receive(0.05)
            if received and frames.parse(received[0]):
                seen.append((time.time(), received[0]))

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        scenario(client, server)
        time.sleep(0.1)
    finally:
        stop.set()
        thread.join()
        port.close()
    return seen[:16]


def main():
    reason = labs.why_not() or peers.why_not()
    if reason:
        sys.exit(f"capture.py: {reason}")
    labs.exit_on_sigterm()
    with labs.Lab() as lab:
        server, client = lab.host("server"), lab.host("client")
        lab.wire(server, "srv0", client, "cli0")
        for host, interface, mac, last in ((server, "srv0", "02:00:00:00:00:01", 1), (client, "cli0", "02:00:00:00:00:02", 2)):
            host.must(["ip", "link", "set", interface, "address", mac])
            host.address(interface, f"192.0.2.{last}/24", f"2001:db8::{last}/64")
        (lab.dir / "keys").write_text(KEYS)
        (lab.dir / "chrony.conf").write_text(SERVER.format(keys=lab.dir / "keys"))
        daemon = server.spawn([peers.program("usr/sbin/chronyd"), "-x", "-d", "-f", lab.dir / "chrony.conf"],
                              peers.environment())
        if not daemon.wait_for("Running with root", 5):
            sys.exit(f"capture.py: chronyd does not start:\n{daemon.log}")
        time.sleep(0.5)
        for name, scenario in SCENARIOS.items():
            for family, address in ADDRESSES.items():
                seen = record(client, scenario, address)
                requests = sum(1 for _, frame in seen if frames.parse(frame).target == address)
                print(f"{name}-{family}: {requests} requests, {len(seen)} frames")
                if requests == 0 or requests == len(seen):
                    sys.exit(f"capture.py: {name} over {family}: no exchange seen")
                frames.write_pcap(HERE / f"{name}-{family}.pcap", seen)


if __name__ == "__main__":
    main()
