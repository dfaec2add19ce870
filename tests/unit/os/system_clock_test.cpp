// SPDX-License-Identifier: BSD-3-Clause
// Never the machine's clock: only how a frequency is told to the kernel, and names without a network.
#include "os/system_clock.hpp"

#include <chrono>
#include <cmath>
#include <thread>

#include "catch.hpp"
#include "os/async_resolver.hpp"
#include "os/resolver.hpp"

using namespace wiretime;

TEST_CASE("a frequency survives the way through tick and freq, within what the kernel resolves") {
  for (const double ppm : {0.0, 0.001, -37.5, 49.9, 50.1, -250.0, 499.0, 12'345.678, -83'333.0}) {
    const auto k = os::KernelFrequency::from(ppm * 1e-6);
    CHECK(std::fabs(k.value() * 1e6 - ppm) < 1.0 / 65536);
    CHECK(std::labs(k.freq) <= 50L * 65536);  // the kernel takes 500 ppm
  }
  CHECK(os::KernelFrequency::from(0).tick == 10'000);
  CHECK(os::KernelFrequency::from(1).tick < 11'000);
  CHECK(os::KernelFrequency::from(-1).tick > 9'000);
}

TEST_CASE("a name is looked up without waiting for it") {
  os::AsyncResolver resolver;
  CHECK_FALSE(resolver.take());
  REQUIRE(resolver.start("127.0.0.1", Family::unspecified));
  CHECK(resolver.busy());
  std::optional<Result<std::vector<IpAddress>>> answer;
  for (int i = 0; i < 60'000 && !answer; ++i) {
    answer = resolver.take();
    if (!answer) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  REQUIRE(answer);
  REQUIRE(*answer);
  CHECK(**answer == std::vector{*IpAddress::parse("127.0.0.1")});
  CHECK_FALSE(resolver.busy());
}

TEST_CASE("an address with its interface is no name") {
  const auto loopback = os::numeric_address("fe80::1%lo");
  REQUIRE(loopback);
  CHECK(loopback->scope != 0);
  CHECK(os::numeric_address("192.0.2.1")->scope == 0);
  CHECK_FALSE(os::numeric_address("ntp.example"));
}
