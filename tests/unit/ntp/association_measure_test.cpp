// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/association_measure.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds kEraEnd{2'085'978'496};  // 2036-02-07 06:28:16 UTC

ExchangeStamps exchange(WallTime t1, Nanoseconds there, Nanoseconds processing, Nanoseconds back,
                        Nanoseconds server_ahead) {
  ExchangeStamps s;
  s.local_transmit.time = t1;
  s.remote_receive = NtpTimestamp::from(t1 + there + server_ahead);
  s.remote_transmit = NtpTimestamp::from(t1 + there + processing + server_ahead);
  s.local_receive.time = t1 + there + processing + back;
  return s;
}

}  // namespace

TEST_CASE("a positive offset means that our clock is behind") {
  const auto m = measure(exchange(WallTime{1'800'000'000s}, 10ms, 1ms, 10ms, 5s), 1e-7, 0);
  CHECK(m.offset == Approx(5.0).margin(1e-9));
  CHECK(m.delay == Approx(0.020).margin(1e-9));
  CHECK(m.time == WallTime{1'800'000'000s} + 10500us);
}

TEST_CASE("asymmetric delays shift the offset by half the difference and never by more than half the delay") {
  std::mt19937_64 random{9};
  for (int i = 0; i < 2000; ++i) {
    const Nanoseconds there{static_cast<std::int64_t>(random() % 1'000'000'000)};
    const Nanoseconds back{static_cast<std::int64_t>(random() % 1'000'000'000)};
    const Nanoseconds ahead{static_cast<std::int64_t>(random() % 2'000'000'000) - 1'000'000'000};
    const auto m = measure(exchange(WallTime{1'800'000'000s}, there, 3us, back, ahead), 1e-9, 0);
    const double truth = std::chrono::duration<double>(ahead).count();
    CHECK(m.offset - truth == Approx(std::chrono::duration<double>(there - back).count() / 2).margin(2e-9));
    CHECK(std::fabs(m.offset - truth) <= m.delay / 2 + 2e-9);
  }
}

TEST_CASE("delay is never below the precision, dispersion grows with skew and stamp errors") {
  auto s = exchange(WallTime{1'800'000'000s}, 0ns, 0ns, 0ns, 0ns);
  CHECK(measure(s, 1e-6, 0).delay == 1e-6);
  CHECK(measure(s, 1e-6, 0).dispersion == 1e-6);
  s.local_receive.error = 3e-6;
  CHECK(measure(s, 1e-6, 0).dispersion == 3e-6);
  s.local_receive.time += 1s;
  CHECK(measure(s, 1e-6, 2e-5).dispersion == Approx(23e-6));
}

TEST_CASE("an exchange across the end of the era in 2036 is as good as any other") {
  for (const auto start : {kEraEnd - 1s, kEraEnd, kEraEnd + 1s}) {
    for (const auto ahead : {-3600s, 0s, 3600s}) {
      const auto m = measure(exchange(WallTime{start} - 5ms, 10ms, 0ms, 10ms, ahead), 1e-9, 0);
      CHECK(m.offset == Approx(std::chrono::duration<double>(ahead).count()).margin(1e-6));
      CHECK(m.delay == Approx(0.020).margin(1e-6));
    }
  }
}

TEST_CASE("a clock that boots in 1970 is sent to the right century after 2038") {
  const WallTime boot{60s};
  const WallTime now{std::chrono::seconds{2'240'000'000}};  // December 2040, more than 68 years on
  CHECK(remote_minus_local(NtpTimestamp::from(now), boot) == Approx(2'240'000'000.0 - 60));
  CHECK(remote_minus_local(NtpTimestamp::from(boot + 1s), boot) == Approx(1.0));
  CHECK(remote_minus_local(NtpTimestamp::from(WallTime{1'800'000'000s}), WallTime{now}) ==
        Approx(1'800'000'000.0 - 2'240'000'000.0));
}
