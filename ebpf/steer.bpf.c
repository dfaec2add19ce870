// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
// XDP steering: NTP requests to this host's unicast addresses go to the worker that serves the receive
// queue, with the receive time in front of the frame; every other frame goes to the kernel untouched. It
// decides only whose a frame is. Whether a request deserves an answer is the worker's business.
//
// Built twice: with STEER_HARDWARE the program also asks the NIC for its receive stamp, which the kernel
// allows only in a program loaded for one device. In a plain program the verifier refuses that call even in
// dead code.
#include "steer.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IPV4_FRAGMENT_BITS 0x3fff  // more-fragments flag and offset
#define VLAN_TAGS 2                // 802.1Q inside 802.1ad
#define NEXT_HEADER_MOBILITY 135
#define NEXT_HEADER_HIP 139
#define NEXT_HEADER_SHIM6 140

struct vlan_tag {
  __be16 control;
  __be16 ethertype;
};

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, STEER_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, STEER_REASON_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} wt_counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, STEER_MAX_ADDRESSES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __be32);
  __type(value, __u8);
} wt_local_ipv4 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, STEER_MAX_ADDRESSES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct steer_ipv6);
  __type(value, __u8);
} wt_local_ipv6 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, STEER_MAX_PEERS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __be32);
  __type(value, __u8);
} wt_peers_ipv4 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, STEER_MAX_PEERS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct steer_ipv6);
  __type(value, __u8);
} wt_peers_ipv6 SEC(".maps");

// Set by the loader before loading; the verifier then drops the branches not taken.
const volatile struct steer_options options SEC(".rodata") = {};

volatile struct steer_state state SEC(".data") = {.refcnt = 1};

#ifdef STEER_HARDWARE
extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md* ctx, __u64* timestamp) __ksym;
#endif

static __always_inline void count(__u32 reason) {
  __u64* value = bpf_map_lookup_elem(&wt_counters, &reason);
  if (value) ++*value;
}

static __always_inline enum steer_reason judge_udp(const struct udphdr* udp, const void* end) {
  if ((const void*)(udp + 1) > end) return STEER_frame_truncated;
  return udp->dest == options.ntp_port ? STEER_REASON_COUNT : STEER_not_ntp_port;
}

// Modes 1 and 2. An ordinary request costs this look at one byte and no map.
static __always_inline bool is_symmetric(const struct udphdr* udp, const void* end) {
  const __u8* first = (const void*)(udp + 1);
  if ((const void*)(first + 1) > end) return false;
  __u8 mode = *first & 7;
  return mode == 1 || mode == 2;
}

static __always_inline enum steer_reason judge_ipv4(const struct iphdr* ip, const void* end) {
  if ((const void*)(ip + 1) > end) return STEER_frame_truncated;
  if (ip->version != 4 || ip->ihl < 5) return STEER_ip_header_invalid;
  if (ip->protocol != IPPROTO_UDP) return STEER_not_udp;
  if (ip->frag_off & bpf_htons(IPV4_FRAGMENT_BITS)) return STEER_fragment;
  if (ip->ihl != 5) return STEER_ipv4_options;
  enum steer_reason reason = judge_udp((const struct udphdr*)(ip + 1), end);
  if (reason != STEER_REASON_COUNT) return reason;
  __be32 destination = ip->daddr;
  if (!bpf_map_lookup_elem(&wt_local_ipv4, &destination)) return STEER_not_our_address;
  __be32 source = ip->saddr;
  bool peer =
      is_symmetric((const struct udphdr*)(ip + 1), end) && bpf_map_lookup_elem(&wt_peers_ipv4, &source);
  return peer ? STEER_peer : STEER_redirected_ipv4;
}

static __always_inline enum steer_reason judge_ipv6(const struct ipv6hdr* ip, const void* end) {
  if ((const void*)(ip + 1) > end) return STEER_frame_truncated;
  if (ip->version != 6) return STEER_ip_header_invalid;
  switch (ip->nexthdr) {
    case IPPROTO_UDP:
      break;
    case IPPROTO_FRAGMENT:
      return STEER_fragment;
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_ESP:
    case IPPROTO_AH:
    case IPPROTO_DSTOPTS:
    case NEXT_HEADER_MOBILITY:
    case NEXT_HEADER_HIP:
    case NEXT_HEADER_SHIM6:
      return STEER_ipv6_extension;
    default:
      return STEER_not_udp;
  }
  enum steer_reason reason = judge_udp((const struct udphdr*)(ip + 1), end);
  if (reason != STEER_REASON_COUNT) return reason;
  struct steer_ipv6 destination;
  __builtin_memcpy(&destination, &ip->daddr, sizeof destination);
  if (!bpf_map_lookup_elem(&wt_local_ipv6, &destination)) return STEER_not_our_address;
  struct steer_ipv6 source;
  __builtin_memcpy(&source, &ip->saddr, sizeof source);
  bool peer =
      is_symmetric((const struct udphdr*)(ip + 1), end) && bpf_map_lookup_elem(&wt_peers_ipv6, &source);
  return peer ? STEER_peer : STEER_redirected_ipv6;
}

// redirected_* when the frame is a worker's, else why it is the kernel's.
static __always_inline enum steer_reason judge(const struct xdp_md* ctx) {
  const void* begin = (const void*)(long)ctx->data;
  const void* end = (const void*)(long)ctx->data_end;

  const struct ethhdr* ethernet = begin;
  if ((const void*)(ethernet + 1) > end) return STEER_frame_truncated;
  __be16 ethertype = ethernet->h_proto;
  const void* next = ethernet + 1;
#pragma unroll
  for (int i = 0; i < VLAN_TAGS; ++i) {
    if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD)) break;
    const struct vlan_tag* tag = next;
    if ((const void*)(tag + 1) > end) return STEER_frame_truncated;
    ethertype = tag->ethertype;
    next = tag + 1;
  }

  enum steer_reason reason = STEER_not_ip;
  if (ethertype == bpf_htons(ETH_P_IP)) {
    reason = judge_ipv4(next, end);
  } else if (ethertype == bpf_htons(ETH_P_IPV6)) {
    reason = judge_ipv6(next, end);
  }
  bool ours = reason == STEER_redirected_ipv4 || reason == STEER_redirected_ipv6;
  // The group bit: a request that names our address inside a broadcast frame is somebody's amplifier.
  return ours && (ethernet->h_dest[0] & 1) ? STEER_link_broadcast : reason;
}

// Writes the receive time before the frame; which counter tells how that went. Packet pointers are invalid
// after.
static __always_inline enum steer_reason stamp(struct xdp_md* ctx) {
  __u64 time = options.has_tai_clock ? bpf_ktime_get_tai_ns() : bpf_ktime_get_ns();
  __u64 hardware_time = 0;
#ifdef STEER_HARDWARE
  // Drivers answer "no stamp on this frame" with an error, veth also with 0.
  if (bpf_xdp_metadata_rx_timestamp(ctx, &hardware_time)) hardware_time = 0;
#endif

  if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct steer_metadata))) return STEER_unstamped;
  struct steer_metadata* metadata = (void*)(long)ctx->data_meta;
  if ((void*)(metadata + 1) > (void*)(long)ctx->data) return STEER_unstamped;
  metadata->magic = STEER_MAGIC;
  metadata->clock = options.has_tai_clock ? STEER_CLOCK_TAI : STEER_CLOCK_MONOTONIC;
  metadata->time = time;
  metadata->hardware_time = hardware_time;
  return hardware_time ? STEER_stamped_hardware : STEER_stamped_software;
}

SEC("xdp")
int xsk_def_prog(struct xdp_md* ctx) {
  // 0 is libxdp's mark of a program that is about to be detached.
  if (!state.refcnt) return XDP_PASS;

  enum steer_reason reason = judge(ctx);
  if (reason != STEER_redirected_ipv4 && reason != STEER_redirected_ipv6) {
    count(reason);
    return XDP_PASS;
  }
  // Looked up before stamping: metadata on a frame for the kernel would keep it from being merged by GRO.
  __u32 queue = ctx->rx_queue_index;
  if (!bpf_map_lookup_elem(&xsks_map, &queue)) {
    count(STEER_no_socket);
    return XDP_PASS;
  }
  count(reason);
  count(stamp(ctx));
  return bpf_redirect_map(&xsks_map, queue, XDP_PASS);
}

// libxdp adopts an attached program only with this entry in its BTF; 1 is the version of its own default
// program.
__uint(xsk_prog_version, 1) SEC("xdp_metadata");

// The kernel lets only a GPL-compatible program call its functions (the NIC's receive stamp), and knows it
// by this.
char program_license[] SEC("license") = "Dual BSD/GPL";
