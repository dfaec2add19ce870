// SPDX-License-Identifier: BSD-3-Clause
// What is measured of each rung, once: tests hold it to its numbers, the table prints it.
#pragma once

#include <memory>
#include <string>

#include "rungs/rig.hpp"

namespace wiretime::dpdk::test {

// A NIC of our own at 10 Gbit/s, half loaded, whose clock drifts by 50 ppm; its map is refreshed at 10 Hz.
[[nodiscard]] RigConfig own_nic(FrameMark mark);
// An interface that the kernel keeps, the same wire.
[[nodiscard]] RigConfig kernel_nic(FrameMark mark);

// The rig after a minute of requests.
[[nodiscard]] std::unique_ptr<Rig> served(const RigConfig& config);

// A PHC in our care, 1 ms and 20 ppm off in the beginning: how far off from 60 s on, for two minutes.
struct ServoResult {
  Errors errors;
  int steps = 0;
};
[[nodiscard]] ServoResult servo();

[[nodiscard]] std::string text(const Errors& errors);  // ns, for messages

}  // namespace wiretime::dpdk::test
