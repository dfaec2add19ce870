#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An NTP server at stratum 1 whose clock is wrong by the given seconds: liar.py ADDRESS SECONDS."""
import socket
import struct
import sys
import time

UNIX = 2208988800


def stamp(seconds):
    return struct.pack("!II", (int(seconds) + UNIX) & 0xFFFFFFFF, int(seconds % 1 * 2**32))


def main():
    wrong = float(sys.argv[2])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((sys.argv[1], 123))
    while True:
        request, peer = sock.recvfrom(1024)
        now = time.time() + wrong
        sock.sendto(b"\x24\x01" + request[2:3] + b"\xec" + struct.pack("!II4s", 0, 10, b"LIE\0") + stamp(now - 1)
                    + request[40:48] + stamp(now) + stamp(time.time() + wrong), peer)


main()
