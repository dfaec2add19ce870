#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the machine's time, wrong by what is asked for, to SOCK and SHM reference clocks: what gpsd does with a receiver's.

Arguments: sock:PATH:SECONDS, pulse:PATH:SECONDS and shm:UNIT:SECONDS, any number. Four times a second, until killed; pulses
once a second, when the reference clock's second begins."""
import ctypes
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
IPC_CREAT, KEY, SIZE = 0o1000, 0x4E545030, 96


class Sock:
    """struct sock_sample: timeval, offset, pulse, leap, padding, magic."""

    def __init__(self, path, offset):
        self.path, self.offset = path, float(offset)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def send(self, at, offset, pulse):
        try:
            self.socket.sendto(struct.pack("@qqdiiii", at // 10**9, at // 1000 % 10**6, offset, pulse, 0, 0, 0x534F434B), self.path)
        except OSError:
            pass  # no daemon yet

    def write(self):
        self.send(time.time_ns(), self.offset, 0)


class Pulse(Sock):
    last = 0

    def write(self):
        shift = round(self.offset * 1e9)
        second = (time.time_ns() + shift) // 10**9
        if second == self.last:
            return
        self.last, here = second, second * 10**9 - shift
        self.send(here, here % 10**9 / 1e9, 1)


class Shm:
    """struct shmTime, mode 1: count is odd while the rest is written."""

    def __init__(self, unit, offset):
        self.offset = round(float(offset) * 1e9)
        segment = libc.shmget(KEY + int(unit), SIZE, IPC_CREAT | 0o600)
        address = libc.shmat(segment, None, 0)
        if segment < 0 or address in (None, 2**64 - 1):
            sys.exit(f"no shared memory segment {unit}: errno {ctypes.get_errno()}")
        self.memory = (ctypes.c_char * SIZE).from_address(address)
        self.count = 0

    def write(self):
        here = time.time_ns()
        there = here + self.offset
        struct.pack_into("@i", self.memory, 48, 0)
        self.count += 1
        struct.pack_into("@ii", self.memory, 0, 1, self.count)
        struct.pack_into("@qi", self.memory, 8, there // 10**9, there // 1000 % 10**6)
        struct.pack_into("@qiiii", self.memory, 24, here // 10**9, here // 1000 % 10**6, 0, -20, 3)
        struct.pack_into("@II", self.memory, 52, there % 10**9, here % 10**9)
        self.count += 1
        struct.pack_into("@i", self.memory, 4, self.count)
        struct.pack_into("@i", self.memory, 48, 1)


def main():
    writers = []
    for word in sys.argv[1:]:
        kind, where, offset = word.split(":")
        writers.append({"sock": Sock, "pulse": Pulse, "shm": Shm}[kind](where, offset))
    while True:
        for writer in writers:
            writer.write()
        time.sleep(0.25)


if __name__ == "__main__":
    main()
