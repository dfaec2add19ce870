// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/attached_program.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace wiretime {
namespace {

constexpr auto kTearDownTime = std::chrono::seconds{2};
constexpr auto kRetryInterval = std::chrono::milliseconds{20};

class Fd {
 public:
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

struct Owner {
  std::uint32_t pid = 0;
  std::uint64_t start = 0;
};

struct AttachedProgram {
  Fd fd;
  std::uint32_t id = 0;
  std::uint32_t mode_flag = 0;  // XDP_FLAGS_*_MODE it is attached in
  std::string name;
  std::optional<Owner> owner;  // set when the program is ours
};

// Start time of a living process, proc(5) stat field 22; nullopt for one that is gone or a zombie, which
// has closed its files already.
std::optional<std::uint64_t> process_start(std::uint32_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The command name in field 2 may hold spaces and parentheses: count from its last one.
  const auto command_end = line.rfind(')');
  if (command_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(command_end + 1));
  const std::vector<std::string> rest{std::istream_iterator<std::string>(fields), {}};
  constexpr std::size_t kState = 0;       // field 3
  constexpr std::size_t kStartTime = 19;  // field 22
  if (rest.size() <= kStartTime || rest[kState] == "Z" || rest[kState] == "X") return std::nullopt;
  return std::strtoull(rest[kStartTime].c_str(), nullptr, 10);
}

bool is_alive(const Owner& owner) {
  return owner.pid != 0 && process_start(owner.pid) == owner.start;
}

// Ours is a program whose maps include both our counters and our state.
std::optional<Owner> find_owner(int program_fd) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(program_fd, &info, &length) != 0) return std::nullopt;
  std::vector<std::uint32_t> ids(info.nr_map_ids);
  info = {};
  info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  length = sizeof info;
  if (bpf_obj_get_info_by_fd(program_fd, &info, &length) != 0) return std::nullopt;

  bool has_counters = false;
  std::optional<Owner> owner;
  for (const auto id : ids) {
    const Fd map{bpf_map_get_fd_by_id(id)};
    bpf_map_info map_info{};
    length = sizeof map_info;
    if (!map.valid() || bpf_obj_get_info_by_fd(map.get(), &map_info, &length) != 0) continue;
    const std::string_view map_name{map_info.name};
    if (map_name == STEER_COUNTERS_MAP_NAME) has_counters = true;
    steer_state state{};
    const std::uint32_t key = 0;
    if (map_name == STEER_STATE_MAP_NAME && map_info.value_size == sizeof state &&
        bpf_map_lookup_elem(map.get(), &key, &state) == 0) {
      owner = Owner{state.owner_pid, state.owner_start};
    }
  }
  return has_counters ? owner : std::nullopt;
}

Result<std::optional<AttachedProgram>> find_attached(const std::string& interface, unsigned ifindex) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof query;
  if (const int error = bpf_xdp_query(static_cast<int>(ifindex), 0, &query); error != 0) {
    return fail(fmt::format("{}: cannot ask for its XDP program: {}", interface, std::strerror(-error)));
  }
  AttachedProgram program{.fd = Fd{-1}, .id = 0, .mode_flag = 0, .name = {}, .owner = {}};
  if (query.drv_prog_id != 0) {
    program.id = query.drv_prog_id;
    program.mode_flag = XDP_FLAGS_DRV_MODE;
  } else if (query.skb_prog_id != 0) {
    program.id = query.skb_prog_id;
    program.mode_flag = XDP_FLAGS_SKB_MODE;
  } else if (query.hw_prog_id != 0) {
    program.id = query.hw_prog_id;
    program.mode_flag = XDP_FLAGS_HW_MODE;
  } else {
    return std::nullopt;
  }

  Fd fd{bpf_prog_get_fd_by_id(program.id)};
  if (!fd.valid() && errno == ENOENT) return std::nullopt;  // went in between
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (!fd.valid() || bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) {
    return fail(fmt::format("{}: cannot look at its XDP program (id {}): {}", interface, program.id,
                            errno == EPERM ? "not permitted; start as root" : std::strerror(errno)));
  }
  program.name = info.name;
  if (program.name == STEER_PROGRAM_NAME) program.owner = find_owner(fd.get());
  return AttachedProgram{std::move(fd), program.id, program.mode_flag, std::move(program.name),
                         program.owner};
}

// False when a bpf_link still holds the program: then the kernel has not finished with its process, or
// another process has it.
bool remove_stale(unsigned ifindex, const AttachedProgram& program) {
  bpf_xdp_attach_opts opts{};
  opts.sz = sizeof opts;
  opts.old_prog_fd = program.fd.get();  // atomically: this program or none
  return bpf_xdp_detach(static_cast<int>(ifindex), program.mode_flag | XDP_FLAGS_REPLACE, &opts) == 0;
}

}  // namespace

void set_owner(steer_state& state) {
  state.owner_pid = static_cast<std::uint32_t>(getpid());
  state.owner_start = process_start(state.owner_pid).value_or(0);
}

Result<void> make_room_for_program(const std::string& interface, unsigned ifindex) {
  const auto deadline = std::chrono::steady_clock::now() + kTearDownTime;
  for (;;) {
    auto found = find_attached(interface, ifindex);
    if (!found) return tl::make_unexpected(found.error());
    if (!found->has_value()) return {};
    const AttachedProgram& program = **found;
    if (!program.owner) {
      return fail(
          fmt::format("{0}: has somebody else's XDP program '{1}' (id {2}); stop the program that uses it, "
                      "or if nothing does: "
                      "ip link set dev {0} xdp off",
                      interface, program.name, program.id));
    }
    const bool alive = is_alive(*program.owner);
    if (!alive && remove_stale(ifindex, program)) return {};
    if (std::chrono::steady_clock::now() >= deadline) {
      if (alive) {
        return fail(fmt::format("{}: another wiretimed (pid {}) serves this interface; stop it first",
                                interface, program.owner->pid));
      }
      return fail(
          fmt::format("{0}: the steering program (id {1}) of another wiretimed (pid {2}, perhaps in another "
                      "container) is still held; "
                      "`bpftool link` and `bpftool prog show id {1}` name the holder",
                      interface, program.id, program.owner->pid));
    }
    std::this_thread::sleep_for(kRetryInterval);
  }
}

Result<std::optional<XdpProgram>> attached_program(const std::string& interface, unsigned ifindex) {
  auto found = find_attached(interface, ifindex);
  if (!found) return tl::make_unexpected(found.error());
  if (!found->has_value()) return std::nullopt;
  const AttachedProgram& program = **found;
  XdpProgram out{program.id, program.name, program.owner.has_value(), false, 0};
  if (program.owner) {
    out.alive = is_alive(*program.owner);
    out.owner = program.owner->pid;
  }
  return out;
}

}  // namespace wiretime
