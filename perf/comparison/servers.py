# SPDX-License-Identifier: BSD-3-Clause
"""The servers that are measured: started on a link as their operators would, all of each on one CPU, and asked for the time once
before the generator comes."""
import re
import socket
import time

from links import SERVER, labs  # first: it makes the modules of tests/e2e known
import frames
import peers

ALLOW = "".join(f"allow {prefix}\n" for prefix in ("10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
                                                   "2001:db8::/32")) + "deny 10.128.0.0/9\ndeny 2001:db8:66::/48\n"


class Server:
    """`link`: where; `cpu`: the only one it may use."""
    reflector = False
    answers = b"\x24"  # first byte of a synchronised server's answer to version 4

    def __init__(self, link, cpu, programs):
        self.link, self.cpu, self.programs = link, cpu, programs
        self.process = None

    def start(self, timeout=30):
        self.link.reset()
        self.process = self.launch()
        deadline = time.monotonic() + timeout
        while not (self.link.ready() and self.ready()):
            if not self.process.running() or time.monotonic() > deadline:
                raise labs.LabError(f"{self.title} on {self.link.title} does not start\n{self.process.log[-3000:]}")
            time.sleep(0.05)

    def stop(self):
        if self.process:
            self.process.stop()
            self.process.release()
            self.process = None

    def spawn(self, argv, env=None, **how):
        return self.link.server.spawn(["taskset", "-c", self.cpu, *argv], env, f"{self.name}-{self.link.name}", **how)

    def file(self, text):
        path = self.link.lab.dir / f"{self.name}-{self.link.name}.conf"
        path.write_text(text)
        return path

    def ready(self):
        """Answers over the kernel, where the link has one; where not, the generator waits for the link."""
        if not self.link.kernel:
            return True
        with self.link.client.network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            try:
                sock.connect((SERVER, 123))
                sock.send(frames.ntp())
                return sock.recv(2048)[:1] == self.answers
            except OSError:
                return False

    @property
    def mac(self):
        return self.link.server_mac


class Wiretimed(Server):
    """With what operators leave on: access list, client log, rate limit; one pinned worker that polls; hugepages."""
    name = title = "wiretimed"
    extra = ""

    def launch(self):
        config = (ALLOW + "local stratum 10 orphan distance 0.1\nratelimit interval -10 burst 255\n" + self.link.dataplane
                  + f"workercpus {self.cpu}\ncontrolcpu {self.cpu}\nworkeridle spin\nhugepages on\nuser root\n" + self.extra)
        return self.spawn([self.programs.wiretimed, "-d", "-x", "-f", self.file(config)])

    def ready(self):
        return "data plane port opened" in self.process.log and super().ready()

    @property
    def mac(self):
        return re.search(r"data plane port opened .*mac=([0-9a-f:]+)", self.process.log).group(1)


class Testpmd(Server):
    """DPDK's packet mover sends each frame back with addresses and ports swapped: what link and drivers allow."""
    name, title, reflector, answers = "testpmd", "testpmd 5tswap", True, b"\x23"

    def launch(self):
        words = ["stdbuf", "-oL", peers.program("usr/bin/dpdk-testpmd"), "--in-memory", "--iova-mode=va", "--no-pci", "--no-telemetry",
                 f"--lcores=0@{self.cpu},1@{self.cpu}", f"--vdev={self.link.testpmd}", "--", "--forward-mode=5tswap", "--auto-start",
                 "--port-topology=loop", "--no-flush-rx", "--total-num-mbufs=16384", "--rxd=2048", "--txd=2048"]
        return self.spawn(words, peers.environment(), open_stdin=True)

    def ready(self):
        return "start packet forwarding" in self.process.log and super().ready()


class Chronyd(Server):
    name = title = "chronyd"

    def launch(self):
        config = ALLOW + "local stratum 10\ncmdport 0\nbindcmdaddress /run/stock/sock\npidfile /run/stock.pid\nuser root\n"
        return self.spawn([peers.program("usr/sbin/chronyd"), "-d", "-x", "-f", self.file(config)], peers.environment())


class Ntpd(Server):
    name, title = "ntpd", "ntpd (ntpsec)"

    def launch(self):
        config = "refclock local minpoll 4 maxpoll 4\ntos orphan 10 orphanwait 1\nrestrict default\nrestrict 10.0.0.0 mask 255.0.0.0\n"
        return self.spawn([peers.program("usr/sbin/ntpd"), "-n", "-g", "-c", self.file(config)], peers.environment())


SERVERS = {server.name: server for server in (Wiretimed, Testpmd, Chronyd, Ntpd)}
