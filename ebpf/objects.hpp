// SPDX-License-Identifier: BSD-3-Clause
// The two builds of steer.bpf.c as ELF images inside this library, made by clang and bpftool at build time.
#pragma once

#include <cstddef>
#include <span>

namespace wiretime {

[[nodiscard]] std::span<const std::byte> software_stamp_object();
// Loads only device-bound: see steer.bpf.c.
[[nodiscard]] std::span<const std::byte> hardware_stamp_object();

}  // namespace wiretime
