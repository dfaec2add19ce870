/* SPDX-License-Identifier: BSD-3-Clause
 * The one header shared by the XDP steering program and user space: the receive time in front of each steered
 * frame, the reasons a frame was steered or passed, and what is kept in the program's maps.
 * Plain C, so that clang -target bpf and C++ both read it. Nothing here depends on the host's kernel headers
 * beyond <linux/types.h>.
 */
#ifndef WIRETIME_EBPF_STEER_H
#define WIRETIME_EBPF_STEER_H

#include <linux/types.h>

/* Which kernel clock `steer_metadata.time` was read from. */
enum steer_clock {
  /* bpf_ktime_get_tai_ns, CLOCK_TAI: CLOCK_REALTIME plus the kernel's TAI offset, which is 0 until somebody
   * sets it and 37 s today where somebody did. Subtract adjtimex(2)'s `tai` to get CLOCK_REALTIME. */
  STEER_CLOCK_TAI = 1,
  /* bpf_ktime_get_ns, CLOCK_MONOTONIC: kernels before 6.1. */
  STEER_CLOCK_MONOTONIC = 2,
};

/* Lies immediately before the first byte of the Ethernet header (in DPDK: before rte_pktmbuf_mtod). Its
 * presence is not signalled out of band and the buffer is reused, so the reader checks `magic` and sets it to
 * 0 once read; a frame of a driver without metadata support has none. Host byte order.
 *
 * Both times are there because the NIC's is useless to a reader that cannot map the NIC's clock, and because
 * the pair is a sample of that mapping. */
struct steer_metadata {
  __u32 magic; /* STEER_MAGIC */
  __u32 clock; /* enum steer_clock */
  __u64 time;  /* when the XDP program ran, nanoseconds of that clock */
  /* The NIC's receive stamp, nanoseconds of the NIC's own clock (its PHC); 0: none. It marks the start of the
   * frame, where NTP wants the end: add the wire time of the frame. */
  __u64 hardware_time;
};

#define STEER_MAGIC 0x57a17e5dU

/* What became of a frame. The names are those of the data plane's Verdict where they mean the same.
 * X(name, what an operator reads about it) */
#define STEER_REASONS(X)                                                                      \
  X(redirected_ipv4, "NTP over IPv4 handed to a worker")                                      \
  X(redirected_ipv6, "NTP over IPv6 handed to a worker")                                      \
  X(not_ip, "neither IPv4 nor IPv6, or more than two VLAN tags")                              \
  X(not_udp, "IP, but not UDP")                                                               \
  X(not_ntp_port, "UDP to another port than ours")                                            \
  X(not_our_address, "destination is not a unicast address of this host")                     \
  X(fragment, "IP fragment")                                                                  \
  X(ipv4_options, "IPv4 header with options")                                                 \
  X(ipv6_extension, "IPv6 with extension headers")                                            \
  X(ip_header_invalid, "IP version or header length makes no sense")                          \
  X(frame_truncated, "frame ends before the header that says whose it is")                    \
  X(link_broadcast, "NTP for us in a broadcast or multicast frame")                           \
  X(no_socket, "NTP for us on a receive queue that no worker serves")                         \
  X(peer, "symmetric NTP from a configured peer: the daemon's own, through the kernel")       \
  X(stamped_hardware, "handed to a worker with the NIC's and the XDP program's receive time") \
  X(stamped_software, "handed to a worker with the XDP program's receive time only")          \
  X(unstamped, "handed to a worker without receive time: the driver has no metadata room")

enum steer_reason {
#define X(name, text) STEER_##name,
  STEER_REASONS(X)
#undef X
      STEER_REASON_COUNT
};

/* Receive queues 0..STEER_MAX_QUEUES-1 can have a worker. */
#define STEER_MAX_QUEUES 256
/* Local unicast addresses, of each family. */
#define STEER_MAX_ADDRESSES 4096

/* Addresses of `peer` sources, of each family. */
#define STEER_MAX_PEERS 1024

/* Key of the IPv6 address maps; the IPv4 maps' key is the __be32 itself. Values are one byte, always 1. */
struct steer_ipv6 {
  __u8 bytes[16];
};

/* The program's constants, set before loading. */
struct steer_options {
  __be16 ntp_port;
  __u8 has_tai_clock; /* the kernel has bpf_ktime_get_tai_ns */
};

/* The program's writable data. libxdp wants an int reference count first: it counts its sockets on top of
 * ours, so with our 1 it never comes to 0 and libxdp leaves detaching to us. The owner is the process that
 * attached the program. */
struct steer_state {
  __s32 refcnt;
  __u32 owner_pid;
  __u64 owner_start; /* clock ticks after boot, /proc/PID/stat field 22: tells a reused pid */
};

/* Names by which libxdp recognises a program as one it may use (its library 1.3, xsk.c), and by which we
 * recognise ours: libxdp's own default program has no such counter map. */
#define STEER_PROGRAM_NAME "xsk_def_prog"
#define STEER_OBJECT_NAME "xsk_def_xdp_prog" /* libbpf names the data map after it: "xsk_def_.data" */
#define STEER_STATE_MAP_NAME "xsk_def_.data"
#define STEER_COUNTERS_MAP_NAME "wt_counters"

#endif
