// SPDX-License-Identifier: BSD-3-Clause
// What wiretimed and its data plane module share. DPDK and libbpf live in a module of their own, loaded when
// a `dataplane` line is configured: their libraries ask the machine about CPUs and memory the moment they are
// loaded, which a host on kernel sockets has no use for and a clock-and-network simulator does not allow.
// Both are built together and only work together.
#pragma once

#include <string_view>

#include "data_plane_wiring.hpp"

namespace wiretime {

inline constexpr const char* kDataPlaneModule = "wiretime-dataplane.so";
inline constexpr const char* kDataPlaneEntry = "wiretime_data_plane";

struct DataPlaneEntry {
  std::string_view version;
  decltype(&start_data_plane) start;
};

// The module, loaded for good; wiretimed and wiretime-doctor have it in their run path. The error says what
// to do.
[[nodiscard]] Result<const DataPlaneEntry*> load_data_plane();

}  // namespace wiretime
