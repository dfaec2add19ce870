#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ratelimit and cmdratelimit as a client and an operator see them, over every transport."""
import re
import select
import socket

import frames
import lab as labs
import tap
import world

REQUESTS = 400
LIMIT = "ratelimit interval 6 burst 8 leak 2 kod 1\n"


class RateLimit:
    transport = None

    @classmethod
    def setUpClass(cls):
        world.require(cls.transport)
        cls.world = world.of_class(cls, cls.transport, world.SERVE + world.ALLOW + LIMIT)

    def counts(self):
        return [self.world.verdict(verdict) for verdict in ("answered", "answered_kiss", "rate_limited")]

    def flood(self, server):
        """The answers to many requests from one port, sent as fast as they go, each waited for a little; and the kisses. They are as
        many as the server has counted."""
        self.world.settle()
        before, replies = self.counts(), []
        with self.world.client.network():
            asking = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        with asking:
            asking.connect((server, 123))

            def hear(timeout):
                while select.select([asking], [], [], timeout)[0]:
                    replies.append(asking.recv(2048))
                    timeout = 0
            for _ in range(REQUESTS):
                asking.send(frames.ntp())
                hear(0.02)

            def all_told():
                hear(0)
                answered, kissed, dropped = (now - was for now, was in zip(self.counts(), before))
                self.assertEqual(answered + kissed + dropped, REQUESTS)
                kisses = [reply for reply in replies if reply[1] == 0 and reply[12:16] == b"RATE"]
                self.assertEqual((len(replies) - len(kisses), len(kisses)), (answered, kissed))
                return len(replies) - len(kisses), kisses
            return labs.eventually(all_told, pause=0.1)

    def test_flood(self):
        """a client that asks far too often gets its burst and every fourth answer; some of the rest are told why"""
        for family, server in world.FAMILIES.items():
            with self.subTest(family):
                answers, kisses = self.flood(server)
                self.assertGreater(answers, 8)
                self.assertLess(answers, REQUESTS / 2)
                self.assertGreater(len(kisses), REQUESTS / 8)
                self.assertLess(answers + len(kisses), REQUESTS * 9 / 10)
                self.assertEqual({kiss[0] >> 6 for kiss in kisses}, {3})

    def test_told(self):
        """clients, serverstats and metrics count what was dropped"""
        self.flood(world.V4)
        row = next(line.split() for line in self.world.chronyc("clients").text.splitlines()
                   if line.startswith(world.CLIENT_V4))
        self.assertGreater(int(row[1]), REQUESTS / 2)
        self.assertGreater(int(row[2]), REQUESTS / 4)
        stats = self.world.chronyc("serverstats").text
        self.assertGreater(int(re.search(r"NTP packets dropped\s*: (\d+)", stats).group(1)), REQUESTS / 4)
        self.assertGreater(self.world.verdict("rate_limited"), REQUESTS / 4)
        self.assertGreater(self.world.verdict("answered_kiss"), 0)

    def test_bystander(self):
        """another client is answered as ever meanwhile"""
        self.flood(world.V4)
        self.world.client.address("cli0", "10.99.0.77/16")
        reply = self.world.ask(world.V4, source="10.99.0.77")
        self.assertIsNotNone(reply)
        self.assertNotEqual(reply.payload[1], 0)


globals().update(world.per_transport(RateLimit))


if __name__ == "__main__":
    tap.main()
