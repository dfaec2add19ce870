#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The stock chronyc, with no options but -n, reads and steers the daemon over its unix socket and over UDP."""
import re
import time

import lab as labs
import peers
import tap
import world


def fields(text):
    """`Name : value` lines as a dictionary."""
    return {key.strip(): value.strip() for key, value in re.findall(r"^([^:\n]+?) *: (.*)$", text, re.M)}


class Chronyc:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)

    def setUp(self):
        self.world = world.World(self.transport)
        self.addCleanup(self.world.close)

    def say(self, *command, expect=None, code=0):
        output = self.world.chronyc(*command)
        self.assertEqual(output.code, code, f"{output}\n--- log\n{self.world.daemon.log[-2000:]}")
        if expect is not None:
            self.assertIn(expect, output.text, str(output))
        return output.text

    def test_tracking(self):
        """tracking shows the local reference"""
        seen = fields(self.say("tracking"))
        self.assertEqual(seen["Reference ID"], "7F7F0101 ()")
        self.assertEqual(seen["Stratum"], "10")
        self.assertEqual(seen["Leap status"], "Normal")
        self.assertRegex(seen["Ref time (UTC)"], r"20\d\d$")
        self.assertEqual(seen["Root delay"], "0.000000000 seconds")

    def test_no_options(self):
        """chronyc finds the daemon without any option"""
        output = self.world.server.run([peers.program("usr/bin/chronyc"), "tracking"], env=peers.environment())
        self.assertEqual(output.code, 0, str(output))
        self.assertIn("Stratum         : 10", output.text)

    def test_sources(self):
        """activity, sources and sourcestats of a server without sources"""
        self.say("activity", expect="0 sources online")
        self.assertEqual(len(self.say("sources").strip().splitlines()), 2)
        self.assertEqual(len(self.say("sourcestats").strip().splitlines()), 2)

    def test_serverstats(self):
        """serverstats counts valid requests and command packets; denied clients are no requests, as with chronyd"""
        self.world.settle()
        before = fields(self.say("serverstats"))
        for _ in range(7):
            self.assertIsNotNone(self.world.ask(world.V4))
        self.world.client.address("cli0", "10.98.0.2/16", spare=True)
        self.world.server.must(["ip", "route", "add", "10.98.0.0/16", "via", world.CLIENT_V4])
        for _ in range(3):
            self.assertIsNone(self.world.ask(world.V4, source="10.98.0.2", timeout=0.2))

        def counted():
            after = fields(self.say("serverstats"))

            def grew(name):
                return int(after[name]) - int(before[name])
            self.assertEqual(grew("NTP packets received"), 7)
            self.assertEqual(grew("NTP packets dropped"), 0)
            self.assertGreaterEqual(grew("Command packets received"), 1)
            self.assertEqual(grew("Command packets dropped"), 0)
        labs.eventually(counted, pause=0.05)

    def served(self, address, timeout=0.4):
        return self.world.ask(address, timeout=timeout) is not None

    def test_access(self):
        """allow and deny take effect at once, and accheck tells what holds"""
        self.say("accheck", world.CLIENT_V4, expect="208 Access allowed")
        self.say("deny", world.CLIENT_V4, expect="200 OK")
        self.say("accheck", world.CLIENT_V4, expect="209 Access denied")
        self.settles(False, lambda: self.served(world.V4))
        self.assertTrue(self.served(world.V6, 20))
        self.say("allow", world.CLIENT_V4, expect="200 OK")
        self.settles(True, lambda: self.served(world.V4))
        self.say("deny", "all", expect="200 OK")
        self.say("accheck", world.CLIENT_V6, expect="209 Access denied")
        self.settles(False, lambda: self.served(world.V6))
        self.say("allow", "all", "fd99::/32", expect="200 OK")
        self.say("accheck", world.CLIENT_V6, expect="208 Access allowed")
        self.settles(True, lambda: self.served(world.V6))

    def test_command_access(self):
        """cmdallow and cmddeny rule the UDP command port, cmdaccheck tells"""
        self.say("cmdaccheck", world.CLIENT_V4, expect="209 Access denied")
        self.say("cmdallow", world.CLIENT_V4, expect="200 OK")
        self.say("cmdaccheck", world.CLIENT_V4, expect="208 Access allowed")
        self.say("cmddeny", world.CLIENT_V4, expect="200 OK")
        self.say("cmdaccheck", world.CLIENT_V4, expect="209 Access denied")

    def test_udp_is_read_only(self):
        """over UDP on loopback, reading works and changing is refused"""
        for address in ("127.0.0.1", "::1"):
            self.say("-h", address, "tracking", expect="Stratum         : 10")
            self.say("-h", address, "activity", expect="200 OK")
            self.say("-h", address, "deny", "all", expect="501 Not authorised", code=1)
            self.say("-h", address, "shutdown", expect="501 Not authorised", code=1)
        self.assertIsNotNone(self.world.ask(world.V4))

    def settles(self, wanted, read):
        """A command is done when chronyc says OK, but workers may take a tick to see it."""
        deadline = time.monotonic() + labs.PATIENCE
        while (seen := read()) != wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(seen, wanted)

    def leap_and_stratum(self):
        reply = self.world.ask(world.V4)
        return reply and (reply.leap, reply.stratum)

    def test_local(self):
        """local off makes the server say it is unsynchronised, local stratum N brings it back"""
        self.say("local", "off", expect="200 OK")
        self.settles((3, 0), self.leap_and_stratum)
        self.assertIn("Not synchronised", self.say("tracking"))
        self.say("local", "stratum", "7", expect="200 OK")
        self.settles((0, 7), self.leap_and_stratum)

    def test_housekeeping(self):
        """dump and cyclelogs are accepted"""
        self.say("dump", expect="200 OK")
        self.say("cyclelogs", expect="200 OK")

    def test_other_requests(self):
        """requests that make no sense here get a status, not silence"""
        for command in (("makestep",), ("burst", "1/1"), ("online",), ("offline",), ("reselect",), ("refresh",),
                        ("manual", "list"), ("rtcdata",), ("smoothing",), ("ntpdata", "192.0.2.9"), ("delete", "192.0.2.9"),
                        ("rekey",), ("selectdata",), ("authdata",), ("minstratum", "192.0.2.9", "2"), ("maxupdateskew", "10")):
            output = self.world.chronyc(*command)
            self.assertNotIn("506 Cannot talk to daemon", output.text, f"{' '.join(command)} was not answered")
            self.assertNotIn("508 Bad reply", output.text, str(output))
        self.say("tracking")

    def test_shutdown(self):
        """shutdown ends the daemon cleanly"""
        self.say("shutdown", expect="200 OK")
        self.assertEqual(self.world.daemon.wait(), 0, self.world.daemon.log)
        self.assertIsNone(self.world.ask(world.V4, timeout=0.3))


globals().update(world.per_transport(Chronyc, ("kernel", "af_xdp")))


if __name__ == "__main__":
    tap.main()
