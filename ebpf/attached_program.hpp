// SPDX-License-Identifier: BSD-3-Clause
// What XDP program an interface already has, whose it is, and making room for ours. Control thread, at
// start-up.
#pragma once

#include <cstdint>
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

}  // namespace wiretime
