// SPDX-License-Identifier: BSD-3-Clause
// Receive stamps of each rung, by the worker that ships, against simulated true time.
#include "catch.hpp"
#include "rungs/measurements.hpp"

using namespace wiretime;
using namespace wiretime::dpdk::test;
using server::Stamp;

namespace {

// All that were asked were answered, each with a stamp of that kind.
void check_all(const Rig& rig, Stamp stamp) {
  CHECK(rig.receive.count() > 30'000);
  CHECK(rig.receive.count() == rig.asked);
  for (const Stamp s : {Stamp::receive_daemon, Stamp::receive_kernel, Stamp::receive_hardware})
    CHECK(rig.count(s) == (s == stamp ? rig.asked : 0));
}

}  // namespace

TEST_CASE(
    "receive stamps of a NIC whose clock drifts by 50 ppm are right to 10 ns on average, 100 ns always") {
  for (const double frequency : {50e-6, -50e-6}) {
    for (const unsigned bits : {64U, 32U}) {
      RigConfig config = own_nic(FrameMark::nic);
      config.nic.frequency = frequency;
      config.nic.bits = bits;
      const auto rig = served(config);
      INFO(frequency * 1e6 << " ppm, " << bits << " bits: " << text(rig->receive));
      check_all(*rig, Stamp::receive_hardware);
      CHECK(rig->receive.mean() < 10e-9);
      CHECK(rig->receive.most() < 100e-9);
    }
  }
}

TEST_CASE("receive stamps of the XDP program are late by what the kernel took, and no more") {
  const auto rig = served(kernel_nic(FrameMark::program));
  INFO(text(rig->receive));
  check_all(*rig, Stamp::receive_kernel);
  // 4.6 us at the least, 3 us more on average.
  CHECK(rig->receive.bias() == Approx(7.66e-6).epsilon(0.03));
  CHECK(rig->receive.most() < 100e-6);
}

TEST_CASE("receive stamps of the worker itself are late by the wait for it") {
  const auto own = served(own_nic(FrameMark::none));
  INFO(text(own->receive));
  check_all(*own, Stamp::receive_daemon);
  CHECK(own->receive.bias() > 600e-9);
  CHECK(own->receive.bias() < 5e-6);
  const auto kernel = served(kernel_nic(FrameMark::none));
  INFO(text(kernel->receive));
  check_all(*kernel, Stamp::receive_daemon);
  CHECK(kernel->receive.bias() > 12e-6);
  CHECK(kernel->receive.bias() < 50e-6);
}

TEST_CASE(
    "a NIC's clock in our care is within 100 ns RMS after a minute, from 1 ms and 20 ppm, by one step") {
  const ServoResult result = servo();
  INFO(result.errors.rms() * 1e9 << " ns RMS");
  CHECK(result.errors.rms() < 100e-9);
  CHECK(result.steps == 1);
}
