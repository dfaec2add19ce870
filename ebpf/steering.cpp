// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/steering.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/bytes.hpp"
#include "ebpf/attached_program.hpp"
#include "ebpf/driver_features.hpp"
#include "ebpf/libbpf_log.hpp"
#include "ebpf/objects.hpp"

// linux/bpf.h has it from 6.3; Debian 12's headers are older than the kernels it meets.
#ifndef BPF_F_XDP_DEV_BOUND_ONLY
#define BPF_F_XDP_DEV_BOUND_ONLY (1U << 6)
#endif

namespace wiretime {
namespace {

constexpr std::string_view kPermission =
    "not permitted; start as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN";

std::string reason_text(int error) {
  return error == EPERM || error == EACCES ? std::string{kPermission} : std::string{std::strerror(error)};
}

// Never the destination of a unicast request on a wire.
bool is_steerable(const IpAddress& a) {
  if (a.family == Family::unspecified || a.is_unspecified() || a.is_loopback() || a.is_multicast())
    return false;
  return a.family != Family::ipv4 || a.v4_host_order() != 0xFFFF'FFFFU;
}

std::vector<IpAddress> steerable(std::span<const IpAddress> addresses) {
  std::vector<IpAddress> result;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(result), is_steerable);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

// Kernels from 6.1. The probe loads a two-instruction program; libbpf has no cheaper way to know.
bool kernel_has_tai_clock() {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_ktime_get_tai_ns, nullptr) == 1;
}

// Kernels from 6.3; older ones, and those without BTF, cannot load the device-bound program.
bool kernel_has_receive_stamp() {
  btf* kernel_types = btf__load_vmlinux_btf();
  if (kernel_types == nullptr) return false;
  const bool found =
      btf__find_by_name_kind(kernel_types, "bpf_xdp_metadata_rx_timestamp", BTF_KIND_FUNC) >= 0;
  btf__free(kernel_types);
  return found;
}

// Why the program cannot ask for the NIC's stamp; empty: it can. The kernel would load it for a driver that
// gives none, and tell it so with every frame.
std::string stamp_obstacle(unsigned ifindex) {
  if (!kernel_has_receive_stamp())
    return "the kernel has no hardware receive time for XDP programs (Linux 6.3 and later, with BTF)";
  if (const auto features = driver_features(ifindex); features && !features->receive_stamps)
    return "the driver gives XDP programs no hardware receive time";
  return {};
}

template <typename T>
T* initial_value(bpf_object* object, const char* section) {
  std::size_t size = 0;
  auto* map = bpf_object__find_map_by_name(object, section);
  void* value = map == nullptr ? nullptr : const_cast<void*>(bpf_map__initial_value(map, &size));
  return size >= sizeof(T) ? static_cast<T*>(value) : nullptr;
}

}  // namespace

// One way to load and attach; attach() goes from the best to the one that always works.
struct Steering::Attempt {
  bool hardware_stamp;
  bool tai_clock;
  SteeringMode mode;
};

std::string_view name(SteeringMode mode) noexcept {
  return mode == SteeringMode::native ? "native" : "generic";
}

std::string_view name(steer_clock clock) noexcept {
  return clock == STEER_CLOCK_TAI ? "kernel-tai" : "kernel-monotonic";
}

namespace {
struct ReasonText {
  std::string_view name;
  std::string_view text;
};
constexpr std::array<ReasonText, STEER_REASON_COUNT> kReasonTexts{{
#define X(name, text) {#name, text},
    STEER_REASONS(X)
#undef X
}};
}  // namespace

std::string_view name(steer_reason reason) noexcept {
  return kReasonTexts[reason].name;
}
std::string_view describe(steer_reason reason) noexcept {
  return kReasonTexts[reason].text;
}

void Steering::CloseObject::operator()(bpf_object* object) const noexcept {
  bpf_object__close(object);
}

int Steering::Link::release() noexcept {
  return std::exchange(fd_, -1);
}

Steering::Link& Steering::Link::operator=(Link&& other) noexcept {
  if (this != &other) {
    detach();
    fd_ = other.release();
  }
  return *this;
}

void Steering::Link::detach() noexcept {
  if (fd_ < 0) return;
  // Detaching is synchronous, closing need not be. Where bpf() is refused by now, closing does it.
  (void)bpf_link_detach(fd_);
  close(release());
}

void Steering::detach() noexcept {
  link_.detach();
}

Result<Steering> Steering::attach(const SteeringConfig& config) {
  const unsigned ifindex = if_nametoindex(config.interface.c_str());
  if (ifindex == 0) {
    return fail(fmt::format("{}: no such network interface; `ip link` lists them", config.interface));
  }
  LibbpfLog log;
  if (auto room = make_room_for_program(config.interface, ifindex); !room)
    return tl::make_unexpected(room.error());

  const bool tai_clock = kernel_has_tai_clock();
  std::vector<Attempt> attempts{{false, tai_clock, SteeringMode::native},
                                {false, tai_clock, SteeringMode::generic}};
  std::string no_hardware_time = stamp_obstacle(ifindex);
  if (no_hardware_time.empty()) attempts.insert(attempts.begin(), {true, tai_clock, SteeringMode::native});

  std::string last_error;
  for (const Attempt& attempt : attempts) {
    auto loaded = load(config, ifindex, attempt);
    if (!loaded) {
      if (!attempt.hardware_stamp) return tl::make_unexpected(loaded.error());
      last_error = loaded.error().message;
      continue;
    }
    const int error = loaded->link_to(ifindex, attempt);
    if (error == 0) {
      loaded->say_what_is_missing(attempt, std::move(no_hardware_time), last_error);
      return loaded;
    }
    last_error = reason_text(error);
    if (error == EPERM || error == EBUSY || error == EEXIST) break;
  }
  return fail(fmt::format("{}: cannot attach the XDP steering program: {}", config.interface, last_error));
}

// `error`: why the attempt before this one failed.
void Steering::say_what_is_missing(const Attempt& attempt, std::string no_hardware_time,
                                   const std::string& error) {
  if (attempt.mode == SteeringMode::generic) {
    limitation_ = fmt::format(
        "driver refuses native XDP ({}; often the MTU is too large): generic mode, slower", error);
    no_hardware_time_ = "in generic mode XDP programs have no hardware receive time";
  } else if (!attempt.hardware_stamp) {
    no_hardware_time_ = no_hardware_time.empty() ? "the driver refuses a program bound to it: " + error
                                                 : std::move(no_hardware_time);
  }
}

Result<Steering> Steering::load(const SteeringConfig& config, unsigned ifindex, const Attempt& attempt) {
  const auto error = [&](int code, std::string_view detail) {
    std::string text =
        fmt::format("{}: cannot load the XDP steering program: {}", config.interface, reason_text(code));
    if (code != EPERM && !detail.empty()) text += fmt::format(" ({})", detail);
    return fail(std::move(text));
  };
  const auto bytes = attempt.hardware_stamp ? hardware_stamp_object() : software_stamp_object();
  bpf_object_open_opts open{};
  open.sz = sizeof open;
  open.object_name = STEER_OBJECT_NAME;
  Steering steering;
  steering.object_.reset(bpf_object__open_mem(bytes.data(), bytes.size(), &open));
  bpf_object* object = steering.object_.get();
  if (object == nullptr) return error(errno, LibbpfLog::last_line());

  auto* program = bpf_object__find_program_by_name(object, STEER_PROGRAM_NAME);
  auto* options = initial_value<steer_options>(object, ".rodata");
  auto* state = initial_value<steer_state>(object, ".data");
  if (program == nullptr || options == nullptr || state == nullptr) return error(EINVAL, "incomplete object");
  options->ntp_port = byte_swap(config.port);
  options->has_tai_clock = attempt.tai_clock ? 1 : 0;
  set_owner(*state);
  if (attempt.hardware_stamp) {
    bpf_program__set_ifindex(program, ifindex);
    bpf_program__set_flags(program, BPF_F_XDP_DEV_BOUND_ONLY);
  }
  if (const int code = bpf_object__load(object); code != 0) return error(-code, LibbpfLog::last_line());

  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length) == 0) steering.program_id_ = info.id;
  if (auto set = steering.set_local_addresses(config.local_addresses); !set)
    return tl::make_unexpected(set.error());
  return steering;
}

int Steering::link_to(unsigned ifindex, const Attempt& attempt) {
  bpf_link_create_opts options{};
  options.sz = sizeof options;
  options.flags = attempt.mode == SteeringMode::native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  const auto* program = bpf_object__find_program_by_name(object_.get(), STEER_PROGRAM_NAME);
  const int fd = bpf_link_create(bpf_program__fd(program), static_cast<int>(ifindex), BPF_XDP, &options);
  if (fd < 0) return errno;
  link_ = Link{fd};
  mode_ = attempt.mode;
  receive_clock_ = attempt.tai_clock ? STEER_CLOCK_TAI : STEER_CLOCK_MONOTONIC;
  return 0;
}

int Steering::map_fd(const char* name) const noexcept {
  return bpf_object__find_map_fd_by_name(object_.get(), name);
}

Result<void> Steering::change_address(const AddressMaps& maps, const IpAddress& address, bool present) {
  const int map = map_fd(address.family == Family::ipv4 ? maps.ipv4 : maps.ipv6);
  const std::uint8_t one = 1;
  if (present ? bpf_map_update_elem(map, address.bytes.data(), &one, BPF_ANY) == 0
              : bpf_map_delete_elem(map, address.bytes.data()) == 0 || errno == ENOENT) {
    return {};
  }
  if (errno == E2BIG)
    return fail(fmt::format("{}: no room for more than {} addresses", address.to_string(), maps.held.size()));
  return fail(
      fmt::format("{}: cannot change the steered addresses: {}", address.to_string(), reason_text(errno)));
}

Result<void> Steering::set_addresses(const AddressMaps& maps, std::span<const IpAddress> addresses) {
  const auto next = steerable(addresses);
  std::vector<IpAddress>& held = maps.held;
  std::vector<IpAddress> added;
  std::vector<IpAddress> removed;
  std::set_difference(next.begin(), next.end(), held.begin(), held.end(), std::back_inserter(added));
  std::set_difference(held.begin(), held.end(), next.begin(), next.end(), std::back_inserter(removed));
  for (const auto& address : removed) {
    if (auto done = change_address(maps, address, false); !done) return done;
    held.erase(std::lower_bound(held.begin(), held.end(), address));
  }
  for (const auto& address : added) {
    if (auto done = change_address(maps, address, true); !done) return done;
    held.insert(std::lower_bound(held.begin(), held.end(), address), address);
  }
  return {};
}

Result<void> Steering::set_local_addresses(std::span<const IpAddress> addresses) {
  return set_addresses({"wt_local_ipv4", "wt_local_ipv6", addresses_}, addresses);
}

Result<void> Steering::set_peers(std::span<const IpAddress> addresses) {
  return set_addresses({"wt_peers_ipv4", "wt_peers_ipv6", peers_}, addresses);
}

Result<SteeringCounters> Steering::counters() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return fail(fmt::format("cannot count this host's CPUs: {}", std::strerror(-cpus)));
  const int map = map_fd(STEER_COUNTERS_MAP_NAME);
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(cpus));
  SteeringCounters sums{};
  for (std::uint32_t reason = 0; reason < sums.size(); ++reason) {
    if (bpf_map_lookup_elem(map, &reason, per_cpu.data()) != 0) {
      return fail(fmt::format("cannot read the XDP counters: {}", reason_text(errno)));
    }
    for (const auto value : per_cpu) sums[reason] += value;
  }
  return sums;
}

}  // namespace wiretime
