# SPDX-License-Identifier: BSD-3-Clause
"""A virtual machine whose kernel, clock and network cards are its own, with the host's file system (read-only) as its own.

QEMU and Debian's kernel come from WIRETIME_GUEST, which deploy/lib/fetch_guest fills; neither is installed. The guest runs
inside a lab Host (tests/e2e/lab.py), joined to it by a tap interface: what listens in the Host serves the guest, and nothing of
the guest reaches the machine's network or its clock. There is no KVM here, so it is slow (TCG) and its clock jitters.
"""
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import lab as labs  # noqa: E402
import peers  # noqa: E402
import world  # noqa: E402

HOST, GUEST = "10.95.0.1", "10.95.0.2"
SCRIPTS = pathlib.Path(__file__).resolve().parent / "guest"
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "virtio_net")
BOOT_SECONDS = 200  # 4 to 8 on an idle machine
QUICK = 0.03        # s, for an exchange between guest and host


def root():
    path = os.environ.get("WIRETIME_GUEST")
    return pathlib.Path(path) if path else None


def why_not():
    """A reason why no guest can run here, or None."""
    if root() is None:
        return "WIRETIME_GUEST is not set (deploy/lib/fetch_guest fills a directory)"
    for part in ("usr/bin/qemu-system-x86_64", "bin/busybox"):
        if not (root() / part).exists():
            return f"no {part} in {root()} (run deploy/lib/fetch_guest)"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun for the guest's network"
    return labs.why_not() or peers.why_not()


def environment():
    triplet = f"{os.uname().machine}-linux-gnu"
    return {"LD_LIBRARY_PATH": f"{root()}/usr/lib/{triplet}:{root()}/lib/{triplet}", "QEMU_MODULE_DIR": f"{root()}/usr/lib/{triplet}/qemu"}


def why_no_device(name):
    """A reason why this QEMU cannot emulate such a device, or None."""
    qemu = root() / "usr/bin/qemu-system-x86_64"
    known = subprocess.run([qemu, "-device", "help"], env=environment(), capture_output=True, text=True, check=False).stdout
    return None if f'name "{name}"' in known else f"this QEMU has no {name} (deploy/lib/fetch_guest found no bookworm-backports)"


def module_files(names):
    """The kernel's modules in the order in which they can be loaded."""
    files = {path.stem.replace("-", "_"): path for path in root().glob("lib/modules/*/kernel/**/*.ko")}
    order = []

    def add(name):
        path = files[name.replace("-", "_")]
        needs = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes()).group(1).decode()
        for need in filter(None, needs.split(",")):
            add(need)
        if path not in order:
            order.append(path)
    for name in names:
        add(name)
    return order


def make_initramfs(directory, modules=MODULES):
    tree = directory / "initramfs"
    for place in ("bin", "dev", "modules"):
        (tree / place).mkdir(parents=True)
    contents = {"bin/busybox": root() / "bin/busybox", "init": SCRIPTS / "init"}
    for number, path in enumerate(module_files(modules)):
        contents[f"modules/{number:02}-{path.name}"] = path
    for name, path in contents.items():
        (tree / name).write_bytes(path.read_bytes())
        (tree / name).chmod(0o755)
    os.mknod(tree / "dev/console", 0o600 | 0o020000, os.makedev(5, 1))
    archive = directory / "initramfs.cpio"
    subprocess.run(f"find . | {shlex.quote(str(root() / 'bin/busybox'))} cpio -o -H newc >{shlex.quote(str(archive))}",
                   shell=True, check=True, cwd=tree, stderr=subprocess.DEVNULL, env={"PATH": labs.SYSTEM_PATH})
    return archive


class GuestError(Exception):
    """The guest itself (not what is tested in it) does not work."""


class Guest:
    """A running guest. `rtc`: what its battery clock says at the start (UTC), or "utc" for the host's time."""

    def __init__(self, lab, rtc="utc", memory=512, modules=MODULES, parameters="", extra=()):
        self.lab = lab
        self.host = lab.host("guesthost")
        self.host.must(["ip", "tuntap", "add", "vm0", "mode", "tap"])
        self.host.must(["ip", "link", "set", "vm0", "up"])
        self.host.address("vm0", f"{HOST}/24")
        self.rtc, self.memory, self.parameters, self.extra = rtc, memory, parameters, list(extra)
        self.initramfs = make_initramfs(lab.dir, modules)
        self.channel = None
        try:
            self.boot()
        except GuestError:  # TCG guests hang at boot now and then on a busy machine
            self.boot()

    def command(self, agent):
        kernel = next(iter(sorted(root().glob("boot/vmlinuz-*"))))
        share = root() / "usr/share"
        return [root() / "usr/bin/qemu-system-x86_64", "-M", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-smp", "1", "-cpu", "max",
                "-m", self.memory, "-nodefaults", "-display", "none", "-no-reboot", "-rtc", f"base={self.rtc},clock=host",
                "-L", share / "qemu", "-L", share / "seabios",
                "-kernel", kernel, "-initrd", self.initramfs,
                "-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no_timer_check net.ifnames=0 "
                           f"agent={SCRIPTS / 'agent'} address={GUEST}/24 {self.parameters}",
                "-serial", "stdio", "-chardev", f"socket,id=agent,path={agent},server=on,wait=off", "-serial", "chardev:agent",
                "-fsdev", "local,id=host,path=/,security_model=none,multidevs=remap,readonly=on",
                "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
                "-chardev", f"socket,id=monitor,path={agent}.monitor,server=on,wait=off", "-mon", "monitor",
                "-netdev", "tap,id=n0,ifname=vm0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0,romfile=",
                *self.extra]

    def boot(self):
        agent = self.lab.dir / "agent.sock"
        agent.unlink(missing_ok=True)
        self.process = self.host.spawn(self.command(agent), environment(), "qemu")
        deadline = time.monotonic() + BOOT_SECONDS
        self.channel = socket.socket(socket.AF_UNIX)
        while self.channel.connect_ex(str(agent)) != 0:  # not there, or not listened to yet
            if time.monotonic() > deadline or not self.process.running():
                raise GuestError(f"QEMU does not start\n{self.process.log[-3000:]}")
            time.sleep(0.05)
        try:
            self.await_record(BOOT_SECONDS)
        except GuestError:
            self.process.stop(0.1)
            raise

    def await_record(self, timeout):
        """What the agent says up to its next record separator."""
        deadline = time.monotonic() + timeout
        data = b""
        while not data.endswith(b"\x1e"):
            self.channel.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                piece = self.channel.recv(1)
            except socket.timeout:
                piece = b""
            if not piece:
                raise GuestError(f"the guest says nothing more within {timeout} s: {data!r}\n--- console\n{self.process.log[-3000:]}")
            data += piece
        return data[:-1].decode(errors="replace")

    def monitor(self, command):
        """Tells QEMU something, as one would at its own prompt."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(f"{self.lab.dir}/agent.sock.monitor")
            channel.settimeout(labs.PATIENCE)
            heard = b""
            for said in (None, command):
                if said:
                    channel.sendall(said.encode() + b"\n")
                while not heard.endswith(b"(qemu) "):
                    heard += channel.recv(4096)
                heard = b""

    def run(self, command, timeout=180):
        """A shell command line in the guest, run to its end; never raises for what the command does."""
        assert "\n" not in command
        self.channel.sendall(command.encode() + b"\n")
        text = self.await_record(timeout)
        return labs.Output([command], int(self.await_record(timeout)), text, False)

    def must(self, command, timeout=180):
        output = self.run(command, timeout)
        if output.code != 0:
            raise GuestError(str(output))
        return output.text

    def stock(self, command):
        """The command line that runs a program of the stock peers."""
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in peers.environment().items())
        return f"{settings} {peers.root()}/{command}"

    def chronyc(self, *words):
        return self.run(self.stock("usr/bin/chronyc -n " + " ".join(words)))

    def offset(self, server=HOST):
        """By how many seconds the guest's clock is behind that of a server in the Host; good to some ms, as soon as the machine lets
        one exchange be that quick."""
        for _ in range(20):
            offset, delay = map(float, self.must(f"{SCRIPTS}/ntp_offset {server}").split())
            if delay < QUICK:
                break
        return offset

    def kernel_clock(self):
        return {name: float(value) for name, value in (pair.split("=") for pair in self.must(f"{SCRIPTS}/kernel_clock").split())}


class Case(unittest.TestCase):
    """Tests of the daemon in the class's guest."""
    guest = None
    LOG = "/run/wiretimed.log"

    def start(self, *directives, options=""):
        """The daemon in the guest; what it logs is in log()."""
        words = " ".join(shlex.quote(word) for word in ("user root", *directives))
        self.guest.must(f"setsid {world.wiretimed()} -d {options} {words} >{self.LOG} 2>&1 & echo $! >/run/daemon")

    def stop(self, signal="TERM"):
        self.guest.run(f"[ -e /run/daemon ] && kill -{signal} $(cat /run/daemon) && while kill -0 $(cat /run/daemon); do sleep 0.1; done; "
                       "rm -f /run/daemon")

    def log(self):
        return self.guest.run(f"cat {self.LOG}").text

    def state(self):
        """For the report of a failure."""
        return self.log()

    def until(self, what, holds, timeout=180):
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                self.fail(f"not within {timeout} s: {what}\n{self.state()}")
            time.sleep(0.5)

    def until_logged(self, text, timeout=180):
        self.until(f"'{text}' in the log", lambda: text in self.log(), timeout)
