#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A real PCI card under the data plane: QEMU's igb (82576), which has a clock of its own.

The guest has two on one wire. DPDK drives the first, bound to uio_pci_generic or vfio-pci; the other stays with the kernel,
whose igb stamps what it sends in hardware. Both are on one clock here, the guest's, so their times must agree.
"""
import collections
import json
import os
import re
import unittest

import vm  # first: it finds tests/e2e
import lab as labs
import peers
import tap
import world

CARD, OTHER, ABSENT, NOT_A_CARD = "0000:01:00.0", "0000:02:00.0", "0000:09:00.0", "0000:00:00.0"
MAC = "52:54:00:00:00:01"
OURS, THEIRS, OURS6, THEIRS6 = "10.96.0.1", "10.96.0.2", "fd96::1", "fd96::2"
KERNELS = "10.96.0.9"
TAGGED, TAGGED_THEIRS = "10.97.0.1", "10.97.0.2"
AT = f"dataplane pci {CARD} address {OURS}/24 address {OURS6}/64"
SERVE = ("local stratum 3", "allow", "workeridle nap", "metricsport 9123")
CLOSE = 0.05  # s: two emulated CPUs share what this machine has left
MAP_NS = 20e3     # of stamps told in the guest's time: the median, and the bound given
PHC_CLOSE = 1e-4  # s, of a clock that is kept on the guest's: mostly it is some microseconds
DRIFT = "/run/drift"
MODULES = (*vm.MODULES, "igb", "vfio-pci", "vfio_iommu_type1", "uio_pci_generic", "8021q")


def card(number):
    return ["-device", f"pcie-root-port,id=rp{number},chassis={number + 1},slot={number + 1}",
            "-netdev", f"hubport,hubid=0,id=wire{number}",
            "-device", f"igb,id=card{number},bus=rp{number},netdev=wire{number},mac=52:54:00:00:00:0{number + 1},romfile="]


class Pci(vm.Case):
    DRIVER, PARAMETERS, DEVICES = None, "", []

    @classmethod
    def setUpClass(cls):
        reason = vm.why_not() or vm.why_no_device("igb") or world.why_not("pci")
        if reason:
            raise unittest.SkipTest(reason)
        cls.lab = labs.Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.guest = vm.Guest(cls.lab, memory=1024, modules=MODULES, parameters=f"hugepages=128 {cls.PARAMETERS}",
                             extra=[*cls.DEVICES, *card(0), *card(1)])
        peers.chronyd(cls.guest.host, "right", "local stratum 1", "allow")
        cls.guest.must("ip link set eth2 up; ip address add 10.96.0.2/24 dev eth2; ip address add fd96::2/64 dev eth2 nodad; "
                       "ip link add link eth2 name eth2.7 type vlan id 7; ip link set eth2.7 up; "
                       "ip address add 10.97.0.2/24 dev eth2.7")

    def setUp(self):
        self.stop()
        self.bind(self.DRIVER)

    def bind(self, driver, address=CARD):
        self.guest.must(f"{vm.SCRIPTS}/bind_pci {address} {driver}")

    def serve(self, *directives, plane=AT):
        self.start(*SERVE, plane, *directives, options="-x")
        self.until_logged("data plane link")  # all of DPDK's drivers over 9p

    def ping(self, address, count=3, timeout=60):
        return self.guest.run(f"ping -n -c {count} -i 0.2 -w {timeout} {address}")

    def refused(self, plane, *directives):
        output = self.guest.run(f"timeout 150 {world.wiretimed()} -d -x 'user root' 'cmdport 0' '{plane}' "
                                + " ".join(f"'{d}'" for d in directives), 160)
        self.assertEqual(output.code, 1, str(output))
        self.assertEqual(output.text.strip().splitlines()[-1][:11], "wiretimed: ", str(output))
        return output.text.strip().splitlines()[-1]

    def metrics(self):
        return self.guest.must(f"{vm.root()}/bin/busybox wget -q -O - http://127.0.0.1:9123/metrics")

    def verdicts(self):
        counts = collections.Counter()
        for verdict, count in re.findall(rf'wiretime_packets_total{{port="{CARD}",.*verdict="(\w+)"}} (\d+)', self.metrics()):
            counts[verdict] += int(count)
        return counts

    def check_serves(self, *addresses):
        for address in addresses:
            self.assertEqual(self.ping(address).code, 0, f"{address}\n{self.log()}")
            labs.eventually(lambda: self.assertLess(abs(self.guest.offset(address)), CLOSE))

    def client(self, command):
        """Runs a second daemon until the end of the test."""
        self.guest.must("mkdir -p /run/client; chmod 700 /run/client")
        self.guest.must(f"setsid {command} >/run/client.log 2>&1 & echo $! >/run/client.daemon")
        self.addCleanup(self.guest.run, "kill $(cat /run/client.daemon); while kill -0 $(cat /run/client.daemon); do sleep 0.1; done")

    def client_says(self, command):
        return self.guest.chronyc(f"-h /run/client/sock {command}").text

    def check_client_stamps(self):
        def stamped():
            report = self.client_says(f"ntpdata {OURS}")
            return re.search(r"TX timestamping : Hardware", report) and re.search(r"Total good RX +: ([5-9]|\d\d)", report)
        self.until("the client uses hardware stamps", stamped)

        def agrees():
            report = self.client_says(f"ntpdata {OURS}")
            self.assertIn("RX timestamping : Kernel", report)  # igb stamps only PTP on the way in
            self.assertLess(abs(float(re.search(r"(?m)^Offset +: (\S+) seconds", report).group(1))), CLOSE, report)
        labs.eventually(agrees)

    def state(self):
        return f"{self.log()}\n--- client\n{self.guest.run('cat /run/client.log').text}\n{self.client_says(f'ntpdata {OURS}')}"

    def figures(self, line):
        """name=value, of what a program prints."""
        print(f"# {line}")
        return {name: float(value) for name, value in re.findall(r"(\w+)=(-?[\d.]+)(?= |$)", line)}

    def phc(self, name="eth1", shift=""):
        """A PTP clock of the kernel's, read past the daemon."""
        return self.figures(self.guest.must(f"{vm.SCRIPTS}/phc_clock {name} {shift}").strip())

    def nic_clock(self, port):
        """What the metrics say of a port's clock."""
        return {f"{name} {event}".strip(): float(value) for name, event, value in re.findall(
            rf'(?m)^wiretime_nic_clock_(\w+){{port="{port}"(?:,event="(\w+)")?}} (\S+)$', self.metrics())}

    def doctor(self, *directives):
        """What wiretime-doctor says with these directives as configuration: {(about, topic): what}."""
        self.guest.must("printf '%s\\n' " + " ".join(f"'{d}'" for d in directives) + " >/run/doctor.conf")
        text = self.guest.run(f"{os.environ['WIRETIME_DOCTOR']} --json -f /run/doctor.conf").text
        return {(f["about"], f["topic"]): f["what"] for f in json.loads(text)["findings"]}

    def give_to_kernel(self):
        """The card, under the kernel's own driver, in a namespace of its own until the end of the test."""
        self.bind("igb")
        now = self.phc()
        self.assertLess(abs(now["ahead"]), CLOSE + now["width"])  # which the kernel sets then
        self.guest.must(f"ip netns add other; ip link set eth1 netns other; ip -n other link set eth1 up; "
                        f"ip -n other address add {KERNELS}/24 dev eth1")
        self.addCleanup(self.until, "the card is back", lambda: self.guest.run("ip link show eth1").code == 0)
        self.addCleanup(self.guest.must, "ip netns delete other")
        self.until("the link is up", lambda: "state UP" in self.guest.run("ip -n other link show eth1").text)

    def check_kernel_has_it(self):
        """The card works under the kernel's own driver."""
        self.give_to_kernel()
        self.assertEqual(self.ping(KERNELS).code, 0)


class Uio(Pci):
    DRIVER = "uio_pci_generic"

    def test_serves(self):
        """uio_pci_generic: ARP, ND and ping are answered, IPv4 and IPv6 clients get the time, and it is the guest's own"""
        self.guest.must("ip neighbour flush dev eth2")
        self.serve()
        self.check_serves(OURS, OURS6)
        neighbors = self.guest.must("ip neighbour")
        for address in (OURS, OURS6):
            self.assertRegex(neighbors, rf"(?m)^{address} dev eth2 lladdr {MAC} ")
        counts = self.verdicts()
        for verdict, least in (("answered", 24), ("arp_answered", 1), ("nd_answered", 1), ("echo_answered", 6)):
            self.assertGreaterEqual(counts[verdict], least, verdict)

    def test_doctor(self):
        """wiretime-doctor says who has the card, what its clock is, and on which rungs the port stands while it is served"""
        self.bind("igb")
        found = self.doctor(*SERVE, AT)
        self.assertIn("the kernel's driver igb still has the card as eth1", found[CARD, "pci"])
        self.assertTrue(found[CARD, "receive"].startswith("tsc, not hardware: "), found)
        found = self.doctor(*SERVE, "dataplane af_packet eth1")
        self.assertRegex(found["eth1", "clock"], "^/dev/ptp[01], read by extended cross timestamps$")
        self.assertRegex(found["eth1", "stamps"], "^the hardware can stamp received PTP, what is sent; now ")
        self.bind(self.DRIVER)
        self.serve()
        self.until("the NIC clock is usable", lambda: "NIC clock usable" in self.log())
        self.until_logged("receive rung")
        found = self.doctor(*SERVE, AT)
        self.assertEqual(found[CARD, "pci"], f"DPDK may have it, through {self.DRIVER}")
        for direction in ("receive", "transmit"):
            rung = re.search(rf'(?m)^wiretime_{direction}_rung{{port="{CARD}",rung="(\w+)"}} 1$', self.metrics()).group(1)
            self.assertRegex(found[CARD, f"{direction} now"], rf"^{rung}\b")
        self.assertIn("can be told in time", found[CARD, "clock now"])

    def test_vlan(self):
        """a port with a vlan serves tagged clients and nobody else"""
        self.serve(plane=f"dataplane pci {CARD} address {TAGGED}/24 address {OURS}/24 vlan 7")
        self.check_serves(TAGGED)
        self.assertNotEqual(self.ping(OURS, 1, 5).code, 0)

    def test_queues(self):
        """two queues: every client is served, whichever it meets"""
        self.serve(plane=AT + " queues 2")
        sources = [f"10.96.0.{100 + n}" for n in range(4)]
        self.guest.must("; ".join(f"ip address add {a}/24 dev eth2" for a in sources))
        for source in sources:
            self.assertEqual(self.guest.run(f"ping -n -c 1 -w 60 -I {source} {OURS}").code, 0, source)
        self.check_serves(OURS, OURS6)
        self.guest.must("; ".join(f"ip address delete {a}/24 dev eth2" for a in sources))

    def test_link(self):
        """a link that goes and comes back is noticed, neighbours are told where we are, and service goes on"""
        self.serve()
        self.check_serves(OURS)
        self.guest.monitor("set_link card0 off")
        self.until_logged("state=down")
        self.guest.must(f"ip neighbour replace {OURS} lladdr 02:00:00:00:00:99 dev eth2 nud stale; "
                        f"ip neighbour replace {OURS6} lladdr 02:00:00:00:00:99 dev eth2 nud stale")
        self.guest.monitor("set_link card0 on")
        self.until("the link is up again", lambda: self.log().count("state=up") == 2)
        for address in (OURS, OURS6):
            self.until(f"{address} was announced", lambda: MAC in self.guest.run(f"ip neighbour show {address}").text)
        self.check_serves(OURS, OURS6)

    def test_restart(self):
        """a restart after SIGKILL finds the card as it should be, and the kernel takes it back"""
        for signal in ("KILL", "TERM"):
            self.serve()
            self.check_serves(OURS)
            self.stop(signal)
        self.check_kernel_has_it()

    def test_stock_client(self):
        """chronyd on the other card, sending with its hardware's times, agrees with ours"""
        self.serve()
        self.client("env " + self.guest.stock(
            "usr/sbin/chronyd -d -x 'user root' 'pidfile /run/client.pid' 'cmdport 0' 'port 0' 'bindcmdaddress /run/client/sock' "
            f"'hwtimestamp eth2' 'server {OURS} minpoll -1 maxpoll -1 iburst'"))
        self.check_client_stamps()

    def test_our_client(self):
        """hwtimestamp: our own client on the other card sends with its hardware's times, and agrees"""
        self.serve()
        self.client(f"{world.wiretimed()} -d -x 'user root' 'pidfile /run/client.pid' 'cmdport 0' 'port 0' "
                    f"'bindcmdaddress /run/client/sock' 'hwtimestamp *' 'server {OURS} minpoll -1 maxpoll -1 iburst'")
        self.check_client_stamps()

    def test_hardware_server(self):
        """hwtimestamp without a data plane: interleaved replies tell when the hardware sent the last one, and are counted so"""
        self.give_to_kernel()
        self.start("local stratum 3", "allow", "hwtimestamp eth2", "metricsport 9123", options="-x")
        self.until_logged("Accepting commands")
        self.client("ip netns exec other env " + self.guest.stock(
            "usr/sbin/chronyd -d -x 'user root' 'pidfile /run/client.pid' 'cmdport 0' 'port 0' 'bindcmdaddress /run/client/sock' "
            f"'server {THEIRS} minpoll -1 maxpoll -1 iburst xleave'"))

        def interleaved():
            report = self.client_says(f"ntpdata {THEIRS}")
            return re.search(r"Interleaved +: Yes", report) and re.search(r"Total good RX +: ([5-9]|\d\d)", report)
        self.until("the client is interleaved", interleaved)

        def counts():
            return {name: int(count) for name, count in re.findall(r"(?m)^chrony_serverstats_(\w+)_total (\d+)$", self.metrics())}
        # The first replies leave before the card's clock is known well enough.
        self.until("replies tell the hardware's time", lambda: counts()["ntp_hw_tx_timestamps"] > 2)
        now = counts()
        self.assertGreater(now["interleaved_ntp_packets"], 2, now)
        self.assertEqual(now["ntp_hw_rx_timestamps"], 0, now)  # igb stamps only PTP on the way in
        self.assertGreater(now["ntp_kernel_rx_timestamps"], 5, now)

    def test_phc_refclock(self):
        """refclock PHC: the other card's clock is read and believed"""
        self.client(f"{world.wiretimed()} -d -x 'user root' 'pidfile /run/client.pid' 'cmdport 0' 'port 0' "
                    "'bindcmdaddress /run/client/sock' 'refclock PHC eth2 poll 0 refid CARD'")
        self.until("the clock is selected", lambda: "#* CARD" in self.client_says("sources"))
        labs.eventually(lambda: self.assertLess(abs(float(self.client_says("-c sources").split(",")[7])), CLOSE))

    def test_nic_clock(self):
        """DPDK's clock of the card is mapped to the guest's to within microseconds, also after it was set; it cannot be steered"""
        labs.eventually(self.probe_fits, timeout=300)
        self.serve()
        self.until("the daemon's map is ready", lambda: self.nic_clock(CARD).get("ready") == 1)
        self.assertIn('method="timesync",phc="free"', self.metrics())

        def fits():
            now = self.nic_clock(CARD)
            self.assertLess(now["error_bound_seconds"], MAP_NS * 1e-9)
            self.assertGreater(now["readings_total taken"], 8)
            self.assertNotIn("offset_seconds", now)  # nobody keeps it on any time
        labs.eventually(fits)
        self.stop()
        self.assertIn("the frequency of this NIC's clock cannot be set through this DPDK and driver", self.refused(AT + " phc utc"))

    def probe_fits(self):
        probe = os.environ["WIRETIME_NIC_CLOCK_PROBE"]
        lines = self.guest.must(f"{probe} {CARD}").strip().splitlines()[-2:]
        for phase, line in zip(("free", "stepped"), lines):
            self.assertTrue(line.startswith(phase), lines)
            now = self.figures(line)
            self.assertEqual(now["ready"], 1)
            self.assertGreater(now["count"], 30)
            self.assertLess(now["median_ns"], MAP_NS)
            self.assertLess(now["bound_ns"], MAP_NS)
            self.assertLess(abs(now["fast_ppm"]), 500)  # both count the same seconds; the guest's are slewed
            self.assertEqual(now["restarted"], int(phase == "stepped"))

    def check_both_clocks(self):
        self.until("the guest's clock is right", lambda: abs(self.guest.offset()) < CLOSE)
        self.until("the card's clock is on it", lambda: abs(self.phc()["ahead"]) < PHC_CLOSE)

    def test_both_clocks(self):
        """1000 s off, the guest's clock is set and steered, the card's is kept on it, and both recover when somebody sets them"""
        self.bind("igb")
        self.addCleanup(self.guest.run, f"{vm.SCRIPTS}/kernel_clock 0")
        # QEMU's card jumps when its frequency is changed (by the change times its uptime): the kernel's clock on top of it does not.
        phc = self.guest.must("ls /sys/class/net/eth1/device/ptp").strip()
        self.guest.must(f"ip link set eth1 up; cd /sys/class/ptp/{phc} && echo 1 >n_vclocks && mount --bind /dev/$(ls | grep ^ptp) /dev/{phc}")
        self.addCleanup(self.guest.run, f"umount /dev/{phc}")
        self.addCleanup(self.stop)
        self.guest.must(f"rm -f {DRIFT}; {vm.SCRIPTS}/shift_clock 1000")
        self.assertGreater(abs(self.phc()["ahead"]), 1000)
        self.start(f"server {vm.HOST} iburst minpoll 0 maxpoll 1", "makestep 0.1 -1", "rtcsync", "allow", "workeridle nap",
                   "metricsport 9123", "dataplane af_packet eth1 phc utc", f"driftfile {DRIFT} interval 5")
        self.until_logged("System clock was stepped by")
        self.check_both_clocks()
        self.assertEqual(self.guest.kernel_clock()["unsync"], 0)
        self.until("the metrics say so", lambda: abs(self.nic_clock("eth1").get("offset_seconds", 1)) < PHC_CLOSE)
        self.assertGreaterEqual(self.nic_clock("eth1")["steps_total"], 1)

        self.guest.must("date -s 'now -2 hours'")
        self.until_logged("was set by")
        self.check_both_clocks()
        self.phc(shift=0.7)
        self.until("its having been set is counted", lambda: self.nic_clock("eth1")["readings_total restarted"] >= 1)
        self.check_both_clocks()

        self.until("the drift file", lambda: self.guest.run(f"[ -s {DRIFT} ]").code == 0)
        self.stop()
        drift = float(self.guest.must(f"cat {DRIFT}").split()[0])
        self.assertAlmostEqual(self.guest.kernel_clock()["ppm"], -drift, delta=1)
        self.assertLess(abs(self.phc()["ppm"]), 500)

    def test_refused(self):
        """what is wrong with a card is said in one line, with what to do about it"""
        self.assertRegex(self.refused(f"dataplane pci {ABSENT} address {OURS}/24"),
                         rf"^wiretimed: command line:\d: dataplane pci {ABSENT}: there is no such PCI device \(network cards here:.* {CARD} {OTHER}\)$")
        self.assertIn("this PCI device is no network card", self.refused(f"dataplane pci {NOT_A_CARD} address {OURS}/24"))
        self.assertIn("the kernel's driver igb still has the card as eth2; this host has no IOMMU for vfio-pci: ",
                      self.refused(f"dataplane pci {OTHER} address {OURS}/24"))
        self.assertIn("bound to uio_pci_generic without an IOMMU the card needs hugepages", self.refused(AT, "hugepages off"))
        self.assertIn("17 queues asked for, the device has ", self.refused(AT + " queues 17"))
        self.bind("none")
        self.assertIn("no kernel driver hands the card out; this host has no IOMMU for vfio-pci: ", self.refused(AT))


class Vfio(Pci):
    DRIVER = "vfio-pci"
    PARAMETERS = "intel_iommu=on iommu=pt"
    DEVICES = ["-device", "intel-iommu,intremap=on,caching-mode=on"]

    def test_serves(self):
        """vfio-pci behind an IOMMU serves with hugepages and without, and the kernel takes the card back"""
        for hugepages in ("on", "off"):
            self.serve(f"hugepages {hugepages}")
            self.check_serves(OURS, OURS6)
            self.stop()
        self.check_kernel_has_it()

    def test_refused(self):
        """a card that the kernel or another instance has says so"""
        self.assertIn("bind it with `modprobe vfio-pci && dpdk-devbind.py -b vfio-pci",
                      self.refused(f"dataplane pci {OTHER} address {OURS}/24"))
        self.serve()
        self.assertIn(f"dataplane pci {CARD}: ", self.refused(AT, "port 11123", "pidfile /run/second.pid", "bindcmdaddress /"))
        self.check_serves(OURS)


if __name__ == "__main__":
    tap.main()
