// SPDX-License-Identifier: BSD-3-Clause
// What the tests of ebpf/ share: interfaces in the private network namespace that main() has entered, and a
// look behind an attached program.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "ebpf/steering.hpp"

namespace wiretime::test {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {
    if (fd < 0) throw std::runtime_error("no file descriptor");
  }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

inline void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
}

// Two ends of a wire, one queue each, without addresses: enough for attaching and for raw frames.
class Wire {
 public:
  Wire() {
    shell(
        "ip link add wtserver address 02:00:00:00:00:01 numrxqueues 1 numtxqueues 1 type veth "
        "peer name wtclient address 02:00:00:00:00:02 numrxqueues 1 numtxqueues 1");
    for (const char* side : {"wtserver", "wtclient"}) {
      shell(fmt::format("sysctl -q -w net.ipv6.conf.{}.disable_ipv6=1 2>/dev/null || true", side));
      shell(fmt::format("ip link set {} up", side));
    }
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { (void)!std::system("ip link del wtserver"); }
};

inline std::uint32_t program_on(const char* interface) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof query;
  if (bpf_xdp_query(static_cast<int>(if_nametoindex(interface)), 0, &query) != 0)
    throw std::runtime_error("query");
  return query.drv_prog_id != 0 ? query.drv_prog_id : query.skb_prog_id;
}

inline Fd program_map(std::uint32_t program_id, std::string_view name) {
  const Fd program{bpf_prog_get_fd_by_id(program_id)};
  std::vector<std::uint32_t> ids(64);
  bpf_prog_info info{};
  info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
  info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
  std::uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(program.get(), &info, &length) != 0) throw std::runtime_error("program info");
  for (std::uint32_t i = 0; i < info.nr_map_ids; ++i) {
    Fd map{bpf_map_get_fd_by_id(ids[i])};
    bpf_map_info map_info{};
    length = sizeof map_info;
    if (bpf_obj_get_info_by_fd(map.get(), &map_info, &length) == 0 && name == map_info.name) return map;
  }
  throw std::runtime_error("no such map");
}

// Runs `body` in a child process; true when it returned true. The child never returns into the test runner.
template <typename Body>
bool in_child(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace wiretime::test
