#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration itself (deploy/demo builds first and runs this as root): a server host and a client host made of
namespaces, the same lab the end-to-end tests use. WIRETIMED and WIRETIME_PEERS say where the programs are."""
import os
import pathlib
import re
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/e2e"))
import lab as labs  # noqa: E402
import peers  # noqa: E402

SERVER, CLIENT = ("192.0.2.1", "2001:db8::1"), ("192.0.2.2", "2001:db8::2")
CONFIG = """\
# Answer NTP in DPDK workers; the kernel keeps the interface.
dataplane af_xdp eth0
# Who may ask.
allow 192.0.2.0/24
allow 2001:db8::/64
# Nothing to synchronise to here: serve our own clock.
local stratum 10 orphan distance 0.1
# Prometheus.
metricsport 9123
user root
"""


class Failed(Exception):
    pass


def step(number, text):
    print(f"\n{number}. {text}", flush=True)


def show(text, keep=lambda line: True):
    for line in text.strip().splitlines():
        if keep(line):
            print(f"     {line}")
    sys.stdout.flush()


def need(ok, what, detail=""):
    if not ok:
        raise Failed(f"{what}\n{detail}")


def start_server(lab, server):
    config = lab.dir / "wiretime.conf"
    config.write_text(CONFIG)
    daemon = server.spawn([os.environ["WIRETIMED"], "-d", "-f", config])
    deadline = time.monotonic() + 30
    while "clients see this server as" not in daemon.log and daemon.running() and time.monotonic() < deadline:
        time.sleep(0.1)
    need(daemon.running(), "wiretimed did not start", daemon.log)
    return daemon


def scrape(server):
    with server.network(), urllib.request.urlopen("http://127.0.0.1:9123/metrics", timeout=5) as reply:
        return reply.read().decode()


def by_workers(text):
    """Requests the DPDK workers answered."""
    return sum(int(count) for count in
               re.findall(r'wiretime_packets_total\{port="eth0".*verdict="answered"\} (\d+)', text))


def demonstrate(lab):
    server, client = lab.host("server"), lab.host("client")
    lab.wire(server, "eth0", client, "eth0")
    for host, (v4, v6) in ((server, SERVER), (client, CLIENT)):
        host.address("eth0", f"{v4}/24", f"{v6}/64")

    step(1, "wiretimed starts on the server's eth0. This is its whole configuration:")
    show(CONFIG)
    daemon = start_server(lab, server)
    print("   and this is what it says:")
    show(re.sub(r"^\S+Z ", "", daemon.log, flags=re.M), lambda line: not line.startswith("wiretimed version"))

    step(2, "A stock chronyd on the client asks for the time (chronyd -Q: prints, changes nothing):")
    for address in SERVER:
        answer = peers.chronyd_query(client, address)
        need(answer, "chronyd got no time", f"{answer}\n{daemon.log}")
        show(answer.output.text, lambda line: "System clock wrong" in line)

    step(3, "A stock ntpdate -q (ntpsec) asks too:")
    for address in SERVER:
        answer = peers.ntpdate(client, address)
        need(answer, "ntpdate got no time", f"{answer}\n{daemon.log}")
        show(answer.output.text)

    step(4, "On the server, the stock chronyc, with no options, says what is served (chronyc tracking):")
    output = server.run([peers.program("usr/bin/chronyc"), "tracking"], 15, peers.environment())
    need(output.code == 0 and "Leap status     : Normal" in output.text, "chronyc tracking failed", output)
    show(output.text, lambda line: line.startswith(("Reference ID", "Stratum", "Root d", "Leap")))

    step(5, "and who has asked (chronyc clients):")
    output = peers.chronyc(server, "clients")
    need(all(address in output.text for address in CLIENT), "chronyc clients does not list the client", output)
    show(output.text)

    step(6, "One Prometheus scrape, http://127.0.0.1:9123/metrics, says who did the work:")
    text = scrape(server)
    show(text, lambda line: not line.startswith("#") and not line.endswith(" 0") and line.startswith(
        ("chrony_up", "chrony_tracking_stratum", "chrony_serverstats_ntp_packets_received", "wiretime_packets_total", "wiretime_port_info")))
    need(by_workers(text) > 0, "the requests were not answered through AF_XDP", daemon.log)

    ping = client.run(["ping", "-c", "3", "-i", "0.2", "-W", "1", SERVER[0]])
    need(ping.code == 0, "ping does not work on the served interface", ping)
    status = daemon.stop()
    need(status == 0, f"wiretimed did not exit cleanly (status {status})", daemon.log)
    print(f"""
What you saw: two stock NTP clients, over IPv4 and IPv6, took their time from wiretimed. An XDP program in the kernel picked
their requests out of eth0's traffic and {by_workers(text)} of them were answered by a DPDK worker; everything else (ping was tried)
stayed with the kernel. chronyc and Prometheus read the daemon just as they read chronyd. The server has stopped, its XDP
program is gone with it, and this machine's clock, time daemon and interfaces were not touched.

Next:  deploy/demo IFACE   serves a real interface until Ctrl-C
       deploy/check        runs every test""")


def main():
    reason = labs.why_not() or peers.why_not()
    if reason:
        sys.exit(f"demo: {reason}")
    labs.exit_on_sigterm()
    print("\nA time server and a client, made of network namespaces and joined by a virtual cable. Nothing in them can set a clock.")
    try:
        with labs.Lab() as lab:
            demonstrate(lab)
    except (Failed, labs.LabError) as failure:
        sys.exit(f"\ndemo: FAILED: {failure}")
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted, everything is cleaned up")


if __name__ == "__main__":
    main()
