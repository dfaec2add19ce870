# SPDX-License-Identifier: BSD-3-Clause
"""Hosts made of Linux namespaces, joined by veth wires.

A Host is one process holding network, mount, IPC and PID namespaces of its own: its own interfaces, its own /run (so stock
chronyc finds its daemon with no options), its own shared memory and its own process tree. Ending the holder ends everything started in it, and
the holder dies with this process even if that is killed, so nothing is left behind. Nothing in a Host can set a clock:
every command runs without CAP_SYS_TIME.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
CLONE_NEWNET = 0x40000000
PATIENCE = 60  # s. For what comes sooner or later and ends the wait: machines may be busy. Never for what must not come.
_libc = ctypes.CDLL(None, use_errno=True)

# Runs as PID 1 of the host. Ignoring SIGCHLD makes the kernel reap whatever daemons leave behind.
HOLDER = """
trap '' CHLD
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
echo ready
exec sleep infinity
"""
NO_CLOCK = ["setpriv", "--pdeathsig", "KILL", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time", "--"]


class LabError(Exception):
    """The lab itself (not the daemon under test) does not work."""


def why_not():
    """A reason why hosts cannot be made here, or None."""
    if os.geteuid() != 0:
        return "needs root for network namespaces (deploy/check runs it through sudo)"
    for tool in ("ip", "unshare", "nsenter", "setpriv", "ethtool"):
        if shutil.which(tool, path=SYSTEM_PATH) is None:
            return f"{tool} is not installed"
    return None


def sh(argv, timeout=PATIENCE, check=True):
    result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env={"PATH": SYSTEM_PATH}, errors="replace")
    if check and result.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {result.stderr.strip() or result.stdout.strip()}")
    return result


class Output:
    """What a bounded command did. `text` is stdout and stderr as they came."""

    def __init__(self, argv, code, text, timed_out):
        self.argv, self.code, self.text, self.timed_out = argv, code, text, timed_out

    def __str__(self):
        end = "timed out" if self.timed_out else f"exit {self.code}"
        return f"$ {' '.join(map(str, self.argv))}\n{self.text.rstrip()}\n[{end}]"


class Process:
    """A command running in a Host; its output goes to a file."""

    def __init__(self, host, argv, popen, log):
        self.host, self.argv, self._popen, self._log = host, argv, popen, log

    @property
    def pid(self):
        """Process id as this process sees it: nsenter forks to enter the PID namespace, we want its child."""
        task = self._popen.pid
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                children = pathlib.Path(f"/proc/{task}/task/{task}/children").read_text().split()
                if children:
                    return int(children[0])
            if self._popen.poll() is not None:
                break
            time.sleep(0.01)
        raise LabError(f"{self.argv[0]} is not running: {self.log}")

    @property
    def log(self):
        return pathlib.Path(self._log).read_text(errors="replace")

    def running(self):
        return self._popen.poll() is None

    def wait(self, timeout=PATIENCE):
        """Exit status (negative: the signal), or None when still running after `timeout` seconds."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number):
        if self.running():
            with contextlib.suppress(ProcessLookupError, LabError):
                os.kill(self.pid, number)

    def stop(self, timeout=PATIENCE):
        """SIGTERM, then SIGKILL for the stubborn; returns the status, None if it had to be killed."""
        self.signal(signal.SIGTERM)
        status = self.wait(timeout)
        if status is None:
            self.signal(signal.SIGKILL)
            self.wait()
        return status

    def release(self):
        if self._popen.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._popen.stdin.close()

    def wait_for(self, text, timeout=PATIENCE):
        """True as soon as the output contains `text`; False when it ends or time is up."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if text in self.log:
                return True
            if not self.running():
                return text in self.log
            time.sleep(0.02)
        return False


class Host:
    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.interfaces = {}
        self._serial = 0
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child=KILL",
             "--mount-proc", "--propagation", "private", "/bin/sh", "-c", HOLDER],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": SYSTEM_PATH},
            cwd="/", start_new_session=True)
        if self._holder.stdout.readline().strip() != "ready":
            self._holder.kill()
            raise LabError(f"cannot make namespaces: {self._holder.communicate()[1].strip()}")
        task = self._holder.pid
        self.holder_pid = int(pathlib.Path(f"/proc/{task}/task/{task}/children").read_text().split()[0])

    def enter(self, *kinds):
        return ["nsenter", "-t", str(self.holder_pid), *kinds]

    def environment(self, extra=None):
        return {"PATH": SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/", **(extra or {})}

    def command(self, argv):
        return self.enter("-n", "-m", "-p", "-i", "-r", "-w") + NO_CLOCK + [str(word) for word in argv]

    def run(self, argv, timeout=PATIENCE, env=None):
        """Runs to completion, at most `timeout` seconds; never raises for what the command does."""
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(self.command(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env=self.environment(env), cwd=self.lab.dir)
            try:
                code, timed_out = process.wait(timeout), False
            except subprocess.TimeoutExpired:
                process.kill()  # --pdeathsig takes the command along
                code, timed_out = process.wait(), True
            out.seek(0)
            return Output(argv, code, out.read().decode(errors="replace"), timed_out)

    def must(self, argv, timeout=PATIENCE, env=None):
        result = self.run(argv, timeout, env)
        if result.code != 0:
            raise LabError(str(result))
        return result.text

    def spawn(self, argv, env=None, name=None, open_stdin=False):
        """`open_stdin`: for programs that read commands and end with their input."""
        self._serial += 1
        log = self.lab.dir / f"{self.name}-{self._serial}-{name or pathlib.Path(str(argv[0])).name}.log"
        with open(log, "wb") as out:
            popen = subprocess.Popen(self.command(argv), stdin=subprocess.PIPE if open_stdin else subprocess.DEVNULL,
                                     stdout=out, stderr=subprocess.STDOUT, env=self.environment(env), cwd=self.lab.dir)
        process = Process(self, argv, popen, log)
        self.lab.processes.append(process)
        return process

    @contextlib.contextmanager
    def network(self):
        """Sockets this process makes inside the block belong to the host's network namespace for good."""
        with open("/proc/thread-self/ns/net") as ours, open(f"/proc/{self.holder_pid}/ns/net") as theirs:
            if _libc.setns(theirs.fileno(), CLONE_NEWNET) != 0:
                raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")
            try:
                yield
            finally:
                _libc.setns(ours.fileno(), CLONE_NEWNET)

    def address(self, interface, *addresses, spare=False):
        """`spare` addresses are used only by sockets bound to them, never picked as a source by the kernel."""
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            extra += ["preferred_lft", "0"] if spare else []
            self.must(["ip", "address", "add", address, "dev", interface, *extra])

    def mac(self, interface):
        return self.must(["cat", f"/sys/class/net/{interface}/address"]).strip()

    def bind_file(self, text, target):
        """Puts `text` at an existing or new path, seen only inside this host."""
        self._serial += 1
        source = self.lab.dir / f"{self.name}-{self._serial}-{pathlib.Path(target).name}"
        source.write_text(text)
        source.chmod(0o644)
        self.must(["mount", "--bind", source, target])

    def hide_directory(self, target):
        """An empty private directory over an existing one."""
        self.must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", target])

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.holder_pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # a busy kernel takes namespaces apart when it can
            self._holder.wait(PATIENCE)
        self._holder.stdout.close()
        self._holder.stderr.close()


class Lab:
    """Owns hosts, wires, processes and a scratch directory; `with` ends them all, close_all() those that nobody has ended."""
    open = []

    def __init__(self):
        self.hosts, self.processes = [], []
        Lab.open.append(self)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"wte2e-{os.getpid()}-"))
        self.dir.chmod(0o755)

    def host(self, name):
        host = Host(self, name)
        self.hosts.append(host)
        return host

    def wire(self, left, left_name, right, right_name, queues=1):
        """One veth pair; what leaves by one end's transmit queue arrives on the other's receive queue of that number. Transmit checksum offload is off: a veth would hand over half-made checksums,
        which no real wire carries and AF_XDP would see as they are."""
        each = ["numrxqueues", str(queues), "numtxqueues", str(queues)]
        sh(left.enter("-n") + ["ip", "link", "add", left_name, *each, "type", "veth", "peer", "name", right_name, *each,
                               "netns", str(right.holder_pid)])
        for host, name in ((left, left_name), (right, right_name)):
            host.must(["ip", "link", "set", name, "up"])
            host.must(["ethtool", "-K", name, "tx", "off"])

    def slow_wire(self, left, left_name, right, right_name, delay):
        """A wire through a host of its own that holds every frame for `delay` seconds."""
        middle = self.host("wire")
        self.wire(left, left_name, middle, "left")
        self.wire(right, right_name, middle, "right")
        for end in ("left", "right"):
            middle.must(["sysctl", "-q", "-w", f"net.ipv6.conf.{end}.disable_ipv6=1"])
            middle.must(["ip", "link", "set", end, "promisc", "on"])
        script = pathlib.Path(__file__).with_name("slow_wire.py")
        if not middle.spawn(["/usr/bin/python3", script, "left", "right", delay]).wait_for("carrying"):
            raise LabError("the slow wire does not carry")

    def close(self):
        if self in Lab.open:
            Lab.open.remove(self)
        for process in reversed(self.processes):
            process.signal(signal.SIGKILL)
        for host in self.hosts:
            host.close()
        for process in self.processes:
            process.wait()
            process.release()
        if "WIRETIME_E2E_KEEP" in os.environ:
            print(f"# logs kept in {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def eventually(check, timeout=PATIENCE, pause=0.5):
    """What `check` returns, as soon as it does not fail any more."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(pause)


def close_all():
    for lab in reversed(Lab.open[:]):
        lab.close()


def exit_on_sigterm():
    """Lets `finally` and `with` blocks run when the test runner gives up on us."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
