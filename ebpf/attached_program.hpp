// SPDX-License-Identifier: BSD-3-Clause
// What XDP program an interface already has, whose it is, and making room for ours. Control thread, at
// start-up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "ebpf/steer.h"

namespace wiretime {

// Fills in the owner fields for the calling process.
void set_owner(steer_state& state);

// Success: the interface has no XDP program (now). A program that a dead wiretimed left is removed; any
// other is left alone and named in the error. Waits up to two seconds for the kernel to tear down a process
// just killed.
[[nodiscard]] Result<void> make_room_for_program(const std::string& interface, unsigned ifindex);

struct XdpProgram {
  std::uint32_t id = 0;
  std::string name;
  bool ours = false;        // a wiretimed's
  bool alive = false;       // that wiretimed runs, as far as can be seen from here
  std::uint32_t owner = 0;  // its process id
};
// Looks and leaves it alone. The error says why it cannot look.
[[nodiscard]] Result<std::optional<XdpProgram>> attached_program(const std::string& interface,
                                                                 unsigned ifindex);

}  // namespace wiretime
