// SPDX-License-Identifier: BSD-3-Clause
// Runs the tests inside a network namespace of their own; without the rights for that, or for bpf(), says so
// and exits 77, which meson counts as skipped.
#include <bpf/bpf.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "catch_runner.hpp"

namespace {

int skip(const char* what) {
  std::printf("SKIP: %s: %s\n", what, std::strerror(errno));
  return 77;
}

}  // namespace

int main(int argc, char** argv) {
  if (unshare(CLONE_NEWNET) != 0) return skip("needs a network namespace of its own (run as root)");
  const int map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "probe", 4, 4, 1, nullptr);
  if (map < 0) return skip("needs bpf() and AF_XDP (run as root, kernel with CONFIG_XDP_SOCKETS)");
  close(map);
  if (std::system("ip link set lo up") != 0) {
    errno = ENOENT;
    return skip("needs the `ip` command (iproute2)");
  }
  return run_catch(argc, argv);
}
