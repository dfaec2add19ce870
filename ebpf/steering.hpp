// SPDX-License-Identifier: BSD-3-Clause
// The XDP steering program on one interface: loads it, attaches it, keeps its local addresses, reads its
// counters, detaches it. Control thread only. dpdk's net_af_xdp port, started after attach() and without
// xdp_prog=, adopts the attached program and enters its sockets in the program's map by itself.
//
// What the interface needs, measured with DPDK 22.11 and libxdp 1.3:
// - veth: one receive and one transmit queue (numrxqueues 1 numtxqueues 1): the PMD serves queue 0 only, and
//   what arrives on another goes to the kernel (no_socket). Frames from the same host carry just the
//   pseudo-header's sum as UDP checksum. An MTU over 3506 at the peer means generic mode.
// - VLAN tags that the NIC takes off (ethtool -k: rx-vlan-offload) are invisible here and to the worker: its
//   answer would leave untagged. To serve VLANs: ethtool -K IFACE rxvlan off.
// - generic mode: the port needs force_copy=1, else a zero-copy driver binds and never receives.
//
// The program hangs on a bpf_link whose only holder is this process: it goes with the process, however that
// ends, and detaching needs no privilege.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "ebpf/steer.h"

struct bpf_object;

namespace wiretime {

struct SteeringConfig {
  std::string interface;
  std::uint16_t port = 123;
  std::vector<IpAddress> local_addresses;  // see set_local_addresses
};

enum class SteeringMode : std::uint8_t {
  native,   // in the driver
  generic,  // in the network stack, for drivers without XDP: slower, and AF_XDP must copy (force_copy=1)
};

// Indexed by enum steer_reason; sums over all CPUs since attach.
using SteeringCounters = std::array<std::uint64_t, STEER_REASON_COUNT>;

[[nodiscard]] std::string_view name(SteeringMode mode) noexcept;
[[nodiscard]] std::string_view name(steer_clock clock) noexcept;
[[nodiscard]] std::string_view name(steer_reason reason) noexcept;
[[nodiscard]] std::string_view describe(steer_reason reason) noexcept;

class Steering {
 public:
  // Needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN, and must run in the process that stays (after
  // daemonizing). Replaces a program that a killed wiretimed left behind (waiting up to two seconds for the
  // kernel to finish with that process); fails, touching nothing, when a living wiretimed or anybody else's
  // program is attached.
  [[nodiscard]] static Result<Steering> attach(const SteeringConfig& config);

  // Steer requests to these addresses from now on, and to no others. Addresses that cannot be a unicast
  // destination on a wire (unspecified, loopback, multicast, 255.255.255.255) are left out. An address in
  // both the old and the new list is never missing in between. After an error the map holds a mixture; call
  // again.
  [[nodiscard]] Result<void> set_local_addresses(std::span<const IpAddress> addresses);

  // Symmetric packets (modes 1 and 2) from these addresses are left to the kernel's socket, where the daemon
  // listens for its `peer` sources. As above.
  [[nodiscard]] Result<void> set_peers(std::span<const IpAddress> addresses);

  [[nodiscard]] Result<SteeringCounters> counters() const;

  [[nodiscard]] SteeringMode mode() const noexcept { return mode_; }
  // The kernel clock of every frame's receive time.
  [[nodiscard]] steer_clock receive_clock() const noexcept { return receive_clock_; }
  // Why the program does not ask the driver for the NIC's stamp as well, for the log; empty: it does. That
  // the driver can give one does not mean that it does: the NIC's receive stamping may be off, and veth has
  // none. The stamped_* counters tell.
  [[nodiscard]] const std::string& no_hardware_time() const noexcept { return no_hardware_time_; }
  // Why the mode is not the best there is, for the log; empty when it is.
  [[nodiscard]] const std::string& limitation() const noexcept { return limitation_; }
  [[nodiscard]] std::uint32_t program_id() const noexcept { return program_id_; }

  // Idempotent. Call it before the DPDK port is closed: the PMD, too, removes the interface's program on
  // closing, and finding ours still held by its link it would log an error.
  void detach() noexcept;

  Steering(Steering&&) noexcept = default;
  Steering& operator=(Steering&&) noexcept = default;
  ~Steering() = default;

 private:
  struct CloseObject {
    void operator()(bpf_object* object) const noexcept;
  };
  class Link {
   public:
    explicit Link(int fd = -1) noexcept : fd_(fd) {}
    Link(Link&& other) noexcept : fd_(other.release()) {}
    Link& operator=(Link&& other) noexcept;
    ~Link() { detach(); }
    void detach() noexcept;
    [[nodiscard]] bool attached() const noexcept { return fd_ >= 0; }

   private:
    int release() noexcept;
    int fd_;
  };
  struct Attempt;

  Steering() = default;
  [[nodiscard]] static Result<Steering> load(const SteeringConfig& config, unsigned ifindex,
                                             const Attempt& attempt);
  [[nodiscard]] int link_to(unsigned ifindex, const Attempt& attempt);
  void say_what_is_missing(const Attempt& attempt, std::string no_hardware_time, const std::string& error);
  [[nodiscard]] int map_fd(const char* name) const noexcept;
  // What a pair of address maps is to hold, and what it holds.
  struct AddressMaps {
    const char* ipv4;
    const char* ipv6;
    std::vector<IpAddress>& held;  // sorted
  };
  [[nodiscard]] Result<void> set_addresses(const AddressMaps& maps, std::span<const IpAddress> addresses);
  [[nodiscard]] Result<void> change_address(const AddressMaps& maps, const IpAddress& address, bool present);

  std::unique_ptr<bpf_object, CloseObject> object_;
  Link link_;                         // after object_: detached first
  std::vector<IpAddress> addresses_;  // what the address maps hold, sorted
  std::vector<IpAddress> peers_;
  SteeringMode mode_ = SteeringMode::native;
  steer_clock receive_clock_ = STEER_CLOCK_TAI;
  std::uint32_t program_id_ = 0;
  std::string no_hardware_time_;
  std::string limitation_;
};

}  // namespace wiretime
