#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Symmetric keys: the daemon as a client of stock servers and as a server of stock clients, with every kind of key that both
have, with wrong ones, and with none."""
import re
import unittest

import agree
import lab as labs
import peers
import tap
import world
from e2e_sources import HOST, UP, Beside

# id: the key file's line, for both sides but where a test says otherwise
KEYS = {
    1: "MD5 ASCII:of-no-safety",
    2: "SHA1 HEX:101112131415161718191a1b1c1d1e1f20212223",
    3: "SHA256 HEX:303132333435363738393a3b3c3d3e3f",
    4: "AES128 HEX:404142434445464748494a4b4c4d4e4f",
    5: "AES256 HEX:505152535455565758595a5b5c5d5e5f505152535455565758595a5b5c5d5e5f",
    6: "SHA512 HEX:606162636465666768696a6b6c6d6e6f",
    7: "SHA384 HEX:707172737475767778797a7b7c7d7e7f",
}
WRONG, UNKNOWN, SPARE = 8, 9, 10  # another secret on the other side; not known there; not known here
WRONG_HERE, WRONG_THERE = "SHA1 HEX:ffffffffffffffffffff", "SHA1 HEX:00000000000000000000"
SPARE_KEY = "SHA1 HEX:aabbccddeeff00112233"


def key_file(lab, name, keys):
    path = lab.dir / name
    path.write_text("".join(f"{number} {key}\n" for number, key in keys.items()))
    path.chmod(0o640)
    return path


class Asking(Beside):
    """Sources with every kind of key, beside a stock client with the same."""
    GOOD = {number: UP.format(number) for number in KEYS}
    CUT, INTERLEAVED, BAD, NOT_THERE, NOT_HERE, PLAIN, WATCHED = (UP.format(n) for n in range(11, 18))

    @classmethod
    def serve(cls):
        there = key_file(cls.lab, "there.keys", KEYS | {WRONG: WRONG_THERE, SPARE: SPARE_KEY})
        cls.here = key_file(cls.lab, "here.keys", KEYS | {WRONG: WRONG_HERE, UNKNOWN: SPARE_KEY})
        peers.chronyd(cls.upstream, "up", "allow", "local stratum 2", f"keyfile {there}")

    @classmethod
    def setUpClass(cls):
        polls = "iburst minpoll 2 maxpoll 2"
        lines = [f"server {address} {polls} key {number} {'prefer' if number == 1 else ''}" for number, address in cls.GOOD.items()]
        lines += [f"server {cls.CUT} {polls} key 6 version 4", f"server {cls.INTERLEAVED} {polls} key 4 xleave",
                  f"server {cls.BAD} {polls} key {WRONG}", f"server {cls.NOT_THERE} {polls} key {UNKNOWN}",
                  f"server {cls.NOT_HERE} {polls} key {SPARE}", f"server {cls.PLAIN} {polls}",
                  f"server {cls.WATCHED} {polls} noselect"]
        heard = {*cls.GOOD.values(), cls.CUT, cls.INTERLEAVED, cls.PLAIN, cls.WATCHED}
        addresses = [*cls.GOOD.values(), *(UP.format(n) for n in range(11, 18))]
        cls.begin([f"{address}/24" for address in addresses], ["keyfile {dir}/here.keys", *lines], heard)

    def reach(self, of=None):
        return {row[2]: row[5] for row in peers.ask(self.host, "sources", of=of)}

    def test_authdata(self):
        """chronyc authdata agrees with a stock client's: mode, key, type and length of each"""
        self.same("authdata")

    def test_ntpdata(self):
        """chronyc ntpdata agrees, authenticated or not, interleaved, in version 3 where a digest is long"""
        self.agrees(agree.NTPDATA, "ntpdata", key="remote address")
        def says(address, line):
            labs.eventually(lambda: self.assertRegex(peers.chronyc(self.host, "ntpdata", address).text, f"(?m)^{line}$"))
        for address in (*self.GOOD.values(), self.CUT, self.INTERLEAVED):
            says(address, "Authenticated +: Yes")
        says(self.PLAIN, "Authenticated +: No")
        says(self.INTERLEAVED, "Interleaved +: Yes")

    def test_selectdata(self):
        """chronyc selectdata agrees on who is authenticated, and so on what authselectmode makes of them"""
        self.agrees(agree.SELECTDATA, "selectdata")

    def test_refused(self):
        """a source with a wrong secret, or a key that one side does not have, is never believed; the log names the missing one"""
        for of in (None, "stock"):
            for address in (self.BAD, self.NOT_THERE, self.NOT_HERE):
                self.assertEqual(self.reach(of)[address], "0", f"{address} of {of or 'ours'}")
        self.assertIn(f"Key {SPARE} used by source {self.NOT_HERE} is missing", self.daemon.log)
        self.assertRegex(peers.chronyc(self.host, "ntpdata", self.NOT_HERE).text, r"(?m)^Total TX +: 0$")

    def test_activity(self):
        """chronyc activity agrees: bursts without a valid answer have ended, one without a key has not begun"""
        self.same("activity")

    def test_unlocked(self):
        """chronyc rekey reads a key that was missing, and its source is heard"""
        before = self.here.read_text()
        try:
            self.here.write_text(before + f"{SPARE} {SPARE_KEY}\n")
            self.assertEqual(peers.chronyc(self.host, "rekey").text.strip(), "200 OK")
            labs.eventually(lambda: self.assertNotEqual(self.reach()[self.NOT_HERE], "0", self.daemon.log))
            self.here.rename(self.here.with_suffix(".away"))
            self.assertIn("500", peers.chronyc(self.host, "rekey").text)
            self.here.with_suffix(".away").rename(self.here)
        finally:
            self.here.write_text(before)
            peers.chronyc(self.host, "rekey")


class Peering(unittest.TestCase):
    """Two peers with one key, the other one stock."""

    def test_both_ways(self):
        """each believes the other's packets because of their MACs"""
        world.require()
        lab = labs.Lab()
        self.addCleanup(lab.close)
        there, here = lab.host("there"), lab.host("here")
        lab.wire(there, "up0", here, "down0")
        there.address("up0", UP.format(1) + "/24")
        here.address("down0", f"{HOST}/24")
        keys = key_file(lab, "keys", KEYS)
        peers.chronyd(there, "up", "allow", "local stratum 3", f"keyfile {keys}", f"peer {HOST} key 2 minpoll 1 maxpoll 1")
        daemon = here.spawn([world.wiretimed(), "-d", "-x", "user root", "allow", f"keyfile {keys}",
                             f"peer {UP.format(1)} key 2 minpoll 1 maxpoll 1"], name="daemon")
        self.assertTrue(daemon.wait_for("Selected source"), daemon.log)
        for host, other, of in ((here, UP.format(1), None), (there, HOST, "up")):
            where = ["-h", f"/run/{of}/sock"] if of else []
            def believes():
                text = peers.chronyc(host, *where, "ntpdata", other).text
                self.assertRegex(text, r"(?m)^Authenticated +: Yes$", daemon.log)
                self.assertRegex(text, r"(?m)^Mode +: Symmetric active$", daemon.log)
            labs.eventually(believes)


class Serving:
    """Stock clients with keys ask us."""
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        cls.world = world.of_class(cls, cls.transport, start=False)
        cls.ours = key_file(cls.world.lab, "ours.keys", KEYS | {WRONG: WRONG_HERE})
        cls.theirs = key_file(cls.world.lab, "theirs.keys", KEYS | {WRONG: WRONG_THERE, UNKNOWN: SPARE_KEY})
        cls.world.config = world.SERVE + world.ALLOW + f"keyfile {cls.ours}\n"
        cls.world.start()

    def authenticated(self):
        text = self.world.chronyc("serverstats").text
        return int(re.search(r"Authenticated NTP packets *: (\d+)", text).group(1))

    def query(self, options, server=world.V4, timeout=labs.PATIENCE):
        output = self.world.client.run(
            [peers.program("usr/sbin/chronyd"), "-Q", "-t", timeout, "user root", "pidfile /run/query.pid", f"keyfile {self.theirs}",
             f"server {server} {options}"], timeout + labs.PATIENCE, peers.environment())
        return peers.Answer(output.code == 0 and "System clock wrong by" in output.text, output)

    def test_right(self):
        """a stock chronyd takes the time with every kind of key, over IPv4 and IPv6, and serverstats counts its packets"""
        for number in KEYS:
            before = self.authenticated()
            answer = self.query(f"iburst key {number}", list(world.FAMILIES.values())[number % 2])
            self.assertTrue(answer, f"key {number}\n{answer}\n{self.world.daemon.log}")
            labs.eventually(lambda: self.assertGreaterEqual(self.authenticated() - before, 3), pause=0.05)

    def test_cut(self):
        """a long digest is cut in version 4"""
        answer = self.query("iburst version 4 key 6")
        self.assertTrue(answer, f"{answer}\n{self.world.daemon.log}")

    def test_wrong(self):
        """a wrong secret and an unknown key get no answer, are counted, and their sender is in the client log"""
        for number in (WRONG, UNKNOWN):
            dropped, counted = self.world.verdict("ntp_mac_invalid"), self.authenticated()
            for timeout in (3, 10, 30):  # it may take a busy machine a while to send anything
                self.assertFalse(self.query(f"iburst key {number}", timeout=timeout))
                if self.world.verdict("ntp_mac_invalid") > dropped:
                    break
            self.assertGreater(self.world.verdict("ntp_mac_invalid"), dropped)
            self.assertEqual(self.authenticated(), counted)
        self.assertIn(world.CLIENT_V4, self.world.clients())

    def test_ntpsec(self):
        """ntpsec's ntpdig verifies our MAC with a key of its own file"""
        path = self.world.lab.dir / "ntp.keys"
        path.write_text("1 MD5 of-no-safety\n2 SHA1 101112131415161718191a1b1c1d1e1f20212223\n")
        for number in (1, 2):
            output = self.world.client.run([peers.program("usr/bin/ntpdig"), "-d", "-t", "30", "-a", number, "-k", path, world.V4],
                                           env=peers.environment())
            self.assertIn("succeeded", output.text, str(output))
            self.assertRegex(output.text, r"\+/- .* s\d+ no-leap")

    def test_plain(self):
        """a client without a key is answered as ever, and not counted as authenticated"""
        before = self.authenticated()
        self.assertTrue(peers.chronyd_query(self.world.client, world.V4))
        self.assertEqual(self.authenticated(), before)


globals().update(world.per_transport(Serving, ("kernel", "af_packet", "af_xdp"), prefix="Serving"))


if __name__ == "__main__":
    tap.main()
