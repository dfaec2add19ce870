#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Stock chronyd clients in interleaved mode (RFC 9769), over every transport: chronyc ntpdata says so, and serverstats counts it."""
import re

import lab as labs
import peers
import tap
import world

# As a source over IPv4 and one over IPv6; polled every second.
SOURCES = [f"server {world.V4} iburst minpoll 0 maxpoll 0 xleave", f"server {world.V6} iburst minpoll 0 maxpoll 0 xleave"]


class Interleaved:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        cls.world = world.of_class(cls, cls.transport, world.SERVE + world.ALLOW)
        cls.client = peers.chronyd(cls.world.client, "xleave", "port 0", *SOURCES)

    def ntpdata(self, server):
        return peers.chronyc(self.world.client, "-h", "/run/xleave/sock", "ntpdata", server).text

    def test_interleaved(self):
        """ntpdata says Interleaved: Yes over both families, and nothing fails the client's tests"""
        for server in world.FAMILIES.values():
            def agrees():
                text = self.ntpdata(server)
                self.assertRegex(text, r"(?m)^Interleaved +: Yes$", f"{text}\n--- server\n{self.world.daemon.log[-2000:]}")
                self.assertRegex(text, r"(?m)^NTP tests +: 111 111 1")
                offset = float(re.search(r"(?m)^Offset +: ([-+0-9.e]+) seconds", text)[1])
                self.assertLess(abs(offset), 0.01)
            labs.eventually(agrees)

    def test_counted(self):
        """serverstats counts interleaved requests, and the stamps it holds for them: two clients'"""
        def figure(name):
            text = peers.chronyc(self.world.server, "serverstats").text
            return int(re.search(rf"(?m)^{name} *: (\d+)$", text)[1])
        before = figure("Interleaved NTP packets")
        labs.eventually(lambda: self.assertGreaterEqual(figure("Interleaved NTP packets"), before + 4))
        labs.eventually(lambda: self.assertGreaterEqual(figure("NTP timestamps held"), 2))

    def test_receive_stamps(self):
        """on af_xdp the log says whose receive time counts, and every request was stamped so"""
        if self.transport != "af_xdp":
            self.skipTest("only there an XDP program stamps requests")
        # veth hands stamps to XDP programs, but has no clock that makes any; older kernels hand none. Both say so.
        self.assertRegex(self.world.daemon.log, "srv0: receive time of requests: the XDP program's; (the interface has no hardware "
                         "clock|the driver gives XDP programs no hardware|the kernel has no hardware receive time)")
        def frames(reason):
            return self.world.metric("wiretime_xdp_frames_total", reason=reason)
        before = frames("stamped_software")
        for _ in range(5):
            self.assertIsNotNone(self.world.ask(world.V4))
        labs.eventually(lambda: self.assertGreaterEqual(frames("stamped_software"), before + 5), pause=0.05)
        self.assertEqual((frames("stamped_hardware"), frames("unstamped")), (0, 0))
        self.assertIn('timestamp_rung="receive: xdp', self.world.metrics_text())


globals().update(world.per_transport(Interleaved))


if __name__ == "__main__":
    tap.main()
