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

// A NIC of our own that has what this rung needs, and not what the better ones do.
[[nodiscard]] RigConfig replying(clock::TransmitRung rung);
// The same with a wire that is nearly full, and with more requests than the worker can answer, at 25 Gbit/s.
[[nodiscard]] RigConfig full_wire(RigConfig config);
[[nodiscard]] RigConfig full_worker(RigConfig config);
// And with a worker that is kept from its work five thousand times a second, for up to 10 us.
[[nodiscard]] RigConfig interrupted(RigConfig config);
inline constexpr double kFullSeconds = 10;

// The rig after that many seconds with requests, from when it stands on the best rung that it offers.
[[nodiscard]] std::unique_ptr<Rig> served(const RigConfig& config, double seconds = 60);

// A PHC in our care, 1 ms and 20 ppm off in the beginning: how far off from 60 s on, for two minutes.
struct ServoResult {
  Errors errors;
  int steps = 0;
};
[[nodiscard]] ServoResult servo();

[[nodiscard]] std::string text(const Errors& errors);  // ns, for messages

}  // namespace wiretime::dpdk::test
