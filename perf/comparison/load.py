# SPDX-License-Identifier: BSD-3-Clause
"""wireload run against a started server; its step as a dictionary, with rates added."""
import json
import time

from links import CLIENTS, SERVER, labs

CLIENT_COUNT = 1 << 20
UNANSWERED = 1e9  # ns, of lone requests none of which had an answer
START_SECONDS = 60  # DPDK's start and end, the link, the client tables; far less, but on a busy machine


class Generator:
    def __init__(self, wireload, cpu, clients=CLIENT_COUNT):
        self.wireload, self.cpu, self.clients, self.serial = wireload, cpu, clients, 0

    def start(self, server, *mode):
        """`mode`: wireload's words for what to do. The process, to be given to result()."""
        link = server.link
        self.serial += 1
        path = link.lab.dir / f"load-{self.serial}.json"
        words = [self.wireload, "--port", link.generator, "--to", SERVER, "--from", CLIENTS, "--clients", self.clients,
                 *(["--server-mac", server.mac] if server.reflector else []), "--cpu", self.cpu, "--hugepages", "on", "--clock-bound", "30s",
                 "--label", server.title, "--json", path, *mode]
        if server.reflector:
            words.append("--reflector")
        process = link.client.spawn(["taskset", "-c", self.cpu, *words], name=f"wireload-{server.name}")
        process.json = path
        return process

    def result(self, process, seconds):
        """Its steps, once it has ended."""
        status = process.wait(seconds + START_SECONDS)
        process.stop()
        if status != 0 or not process.json.exists():
            end = f"ended with {status}" if status is not None else f"still ran after {seconds + START_SECONDS:.0f} s"
            raise labs.LabError(f"wireload {end}\n{' '.join(map(str, process.argv))}\n{process.log[-3000:]}")
        return self.so_far(process)

    def so_far(self, process):
        """The steps it has ended; where lone requests were timed, with "round_trips" before and after and "round_trip", the longer."""
        if not process.json.exists():
            return []
        steps = json.loads(process.json.read_text())["steps"]
        for step in steps:
            step["sent_rate"] = step["sent"] / max(step["seconds"], 1e-9)
            step["answered_rate"] = step["answered"] / max(step["seconds"], 1e-9)
            if trip := step.get("round_trip"):
                step["round_trips"] = [trip["before"] or UNANSWERED, trip["after"] or UNANSWERED]
                step["round_trip"] = max(step["round_trips"])
        return steps

    def run(self, server, *mode, seconds):
        """One step of `mode`."""
        return self.result(self.start(server, *mode, "--time", f"{seconds}s"), seconds)[0]


def wait(process, until):
    """Until that moment of time.monotonic(), or the end of the process."""
    while process.running() and time.monotonic() < until:
        time.sleep(0.05)
