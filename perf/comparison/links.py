# SPDX-License-Identifier: BSD-3-Clause
"""The links servers are measured on, each with a server host at one end and the generator's host at the other.

veth: a pair of Linux interfaces between two network namespaces; the generator, and the servers that can, use AF_XDP.
memif: shared memory between two processes; the server makes the socket, the generator joins.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/e2e"))
import lab as labs  # noqa: E402

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
CLIENTS = "10.64.0.0/12"  # whom the generator plays: 2^20 source addresses
RING = 2048  # slots of a link each way


class Veth:
    name, title = "veth", "veth + AF_XDP"
    dataplane, generator = "dataplane af_xdp srv0\n", "af_xdp cli0"
    testpmd = "net_af_xdp0,iface=srv0,busy_budget=0"
    kernel = True  # kernel sockets can be reached
    core_to_core = False  # a request's way is nothing but memory that two cores share

    def __init__(self, lab, server_name):
        self.lab = lab
        self.server, self.client = lab.host(f"{server_name}-veth"), lab.host(f"{server_name}-veth-load")
        lab.wire(self.server, "srv0", self.client, "cli0")
        self.server.address("srv0", f"{SERVER}/24")
        self.client.address("cli0", f"{CLIENT}/24")
        # While the generator has its interface nobody there answers ARP, and testpmd never does.
        for host, interface, address, mac in ((self.server, "srv0", CLIENT, self.client.mac("cli0")),
                                              (self.client, "cli0", SERVER, self.server.mac("srv0"))):
            host.must(["ip", "neighbor", "replace", address, "lladdr", mac, "dev", interface, "nud", "permanent"])
        self.server.must(["ip", "route", "add", CLIENTS, "via", CLIENT])
        for key in ("all", "srv0"):
            self.server.must(["sysctl", "-q", "-w", f"net.ipv4.conf.{key}.rp_filter=0"])
        self.server_mac = self.server.mac("srv0")

    def reset(self):
        pass

    def ready(self):
        return True


class Memif:
    name, title = "memif", "net_memif"
    kernel = False
    core_to_core = True

    def __init__(self, lab, server_name):
        self.lab = lab
        self.server, self.client = lab.host(f"{server_name}-memif"), lab.host(f"{server_name}-memif-load")
        self.path = lab.dir / f"{server_name}.sock"
        self.server_mac = "02:00:00:00:00:01"
        self.testpmd = f"net_memif0,role=server,id=0,socket={self.path},socket-abstract=no,rsize=11,mac={self.server_mac}"
        self.generator = f"memif {self.path} role client"
        self.dataplane = f"dataplane memif {self.path} role server address {SERVER}/24\n"

    def reset(self):
        self.path.unlink(missing_ok=True)

    def ready(self):
        return self.path.exists()


LINKS = {link.name: link for link in (Veth, Memif)}
