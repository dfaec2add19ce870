// SPDX-License-Identifier: BSD-3-Clause
#include "rungs/measurements.hpp"

#include <fmt/format.h>

namespace wiretime::dpdk::test {

using clock::TransmitRung;

RigConfig own_nic(FrameMark mark) {
  RigConfig config;
  config.mark = mark;
  return config;
}

RigConfig kernel_nic(FrameMark mark) {
  RigConfig config = own_nic(mark);
  config.link.through_kernel = true;
  return config;
}

RigConfig replying(TransmitRung rung) {
  RigConfig config = own_nic(FrameMark::nic);
  config.launches = rung == TransmitRung::launch;
  config.stamps_replies = rung != TransmitRung::plain;
  return config;
}

RigConfig full_wire(RigConfig config) {
  config.link.load = 0.95;
  config.polls = 64;
  return config;
}

RigConfig full_worker(RigConfig config) {
  config = full_wire(config);
  config.link.speed = 25e9;
  return config;
}

RigConfig interrupted(RigConfig config) {
  config.interruptions = 5000;
  config.interruption = 10e-6;
  config.polls = 128;
  config.nic.seed = config.link.seed = 2;
  return config;
}

std::unique_ptr<Rig> served(const RigConfig& config, double seconds) {
  auto rig = std::make_unique<Rig>(config);
  rig->settle(3);
  rig->run(1);
  const TransmitRung best = config.launches         ? TransmitRung::launch
                            : config.stamps_replies ? TransmitRung::predicted
                                                    : TransmitRung::plain;
  for (int i = 0; i < 10 && rig->transmit_status().rung != best; ++i) rig->run(0.2);
  rig->begin_anew();
  rig->run(seconds);
  return rig;
}

ServoResult servo() {
  RigConfig config;
  config.role = clock::NicRole::utc;
  config.nic.frequency = 20e-6;
  config.nic.max_adjustment = 500e-6;
  config.nic.start += 1'000'000;
  Rig rig{config};
  rig.settle(60);
  ServoResult result;
  for (int i = 0; i < 12'000; ++i) {
    rig.settle(0.01);
    result.errors.add(rig.clock_error());
  }
  result.steps = rig.nic().steps;
  return result;
}

std::string text(const Errors& e) {
  return fmt::format("mean {:.1f} ns, median {:.1f}, p99 {:.1f}, max {:.1f}, bias {:.1f}, {} stamps",
                     e.mean() * 1e9, e.median() * 1e9, e.quantile(0.99) * 1e9, e.most() * 1e9, e.bias() * 1e9,
                     e.count());
}

}  // namespace wiretime::dpdk::test
