// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/objects.hpp"

// bpftool writes C that calls itself C++.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#include "ebpf/steer.h"
//
#include "steer_hardware.skel.h"
#include "steer_software.skel.h"
#pragma GCC diagnostic pop

namespace wiretime {
namespace {

template <typename Skeleton>
std::span<const std::byte> image() {
  std::size_t size = 0;
  const auto* bytes = static_cast<const std::byte*>(Skeleton::elf_bytes(&size));
  return {bytes, size};
}

}  // namespace

std::span<const std::byte> software_stamp_object() {
  return image<steer_software>();
}
std::span<const std::byte> hardware_stamp_object() {
  return image<steer_hardware>();
}

}  // namespace wiretime
