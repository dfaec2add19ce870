#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Carries every frame between two interfaces SECONDS later: slow_wire.py LEFT RIGHT SECONDS. (Kernels without netem exist.)"""
import collections
import select
import socket
import sys
import time

ETH_P_ALL = 3


def main():
    delay = float(sys.argv[3])
    ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) for _ in range(2)]
    for end, name in zip(ends, sys.argv[1:3]):
        end.bind((name, ETH_P_ALL))
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    under_way = collections.deque()  # (when it arrives, socket, frame)
    print("carrying", flush=True)
    while True:
        wait = max(under_way[0][0] - time.monotonic(), 0) if under_way else None
        for end in select.select(ends, [], [], wait)[0]:
            frame, address = end.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                under_way.append((time.monotonic() + delay, other[end], frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, frame = under_way.popleft()
            end.send(frame)


main()
