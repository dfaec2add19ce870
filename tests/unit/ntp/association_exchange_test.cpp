// SPDX-License-Identifier: BSD-3-Clause
// What an association measures: basic and interleaved exchanges with a server that is always right, over
// paths that are not.
#include <cmath>
#include <random>

#include "catch.hpp"
#include "ntp/association.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions server_options(bool xleave = false, int poll = 4) {
  SourceOptions options;
  options.min_poll = poll;
  options.max_poll = poll;
  options.xleave = xleave;
  return options;
}

std::function<double()> exponential(double base, double mean, std::uint64_t seed) {
  return [base, mean, random = std::mt19937_64{seed}]() mutable {
    return base + std::exponential_distribution<double>{1 / mean}(random);
  };
}

// What the local clock was behind true time at a sample's time.
double true_offset(const Simulation& sim, const clock::Sample& sample) {
  const double f = sim.world.local_frequency;
  const double local = clock::seconds_between(sim.world.epoch, sample.time);
  const double true_elapsed = (local - sim.world.local_offset) / (1 + f);
  return true_elapsed - local;
}

}  // namespace

TEST_CASE("basic mode finds the offset of a wrong clock exactly when the path is symmetric") {
  for (const double wrong : {-3600.0, -0.5, 0.0, 1e-3, 86400.0}) {
    Simulation sim{server_options()};
    sim.world.local_offset = wrong;
    sim.start();
    sim.run_for(200);
    REQUIRE(sim.samples.size() > 10);
    for (const auto& s : sim.samples) {
      CHECK(s.offset == Approx(-wrong).margin(5e-9 + std::fabs(wrong) * 1e-12));
      CHECK(s.peer_delay == Approx(2e-3).margin(1e-8));
    }
  }
}

TEST_CASE("interleaved mode is as exact, and starts as soon as the server has a stamp for us") {
  Simulation sim{server_options(true)};
  sim.world.local_offset = 0.25;
  sim.start();
  sim.run_for(10);
  CHECK_FALSE(sim.association.report().interleaved);
  sim.run_for(16.4);
  CHECK(sim.association.report().interleaved);
  sim.run_for(200);
  for (const auto& s : sim.samples) {
    CHECK(s.offset == Approx(-0.25).margin(5e-9));
    CHECK(s.peer_delay == Approx(2e-3).margin(1e-8));
  }
  CHECK(sim.samples.size() == sim.sends.size());
}

TEST_CASE("interleaved mode does not see what a server's late transmit stamp adds") {
  // The server writes its stamp 50 us before the packet leaves; later it says when that really was.
  for (const bool xleave : {false, true}) {
    Simulation sim{server_options(xleave)};
    sim.backward = [] { return 1e-3 + 50e-6; };
    sim.tamper = [&sim](Header& m) {
      const bool interleaved =
          timestamp(m.data(), offset::kOrigin) != timestamp(sim.sends.back().bytes.data(), offset::kTransmit);
      if (!interleaved) return;
      const auto t = timestamp(m.data(), offset::kTransmit);
      set_timestamp(m.data(), offset::kTransmit, t + NtpDuration::from(std::chrono::microseconds{50}));
    };
    sim.start();
    sim.run_for(100);
    REQUIRE(sim.samples.size() > 5);
    CHECK(sim.samples.back().offset == Approx(xleave ? 0 : -25e-6).margin(5e-9));
  }
}

TEST_CASE("an interleaved request names the last reply, with a random receive stamp") {
  Simulation sim{server_options(true)};
  sim.start();
  sim.run_for(100);
  for (std::size_t i = 1; i < sim.sends.size(); ++i) {
    const Reply request = read_reply(sim.sends[i].bytes);
    const Reply last = read_reply(sim.replies[i - 1]);
    CHECK(request.origin == last.receive);
    CHECK(request.receive.value != 0);
    CHECK(request.receive != request.transmit);
    CHECK(client_request(4, 4, {request.origin, request.receive, request.transmit}) == sim.sends[i].bytes);
  }
}

TEST_CASE("xleave needs version 4") {
  auto options = server_options(true);
  options.version = 3;
  Simulation sim{options};
  sim.start();
  sim.run_for(100);
  for (const auto& send : sim.sends) {
    CHECK(read_reply(send.bytes).origin.value == 0);
    CHECK(read_reply(send.bytes).version == 3);
  }
  CHECK(sim.samples.size() == sim.sends.size());
}

TEST_CASE("an asymmetric path shifts the offset by half the difference in either mode") {
  for (const bool xleave : {false, true}) {
    Simulation sim{server_options(xleave)};
    sim.forward = [] { return 4e-3; };
    sim.start();
    sim.run_for(200);
    for (const auto& s : sim.samples) {
      CHECK(s.offset == Approx(1.5e-3).margin(1e-8));
      CHECK(s.peer_delay == Approx(5e-3).margin(1e-8));
    }
  }
}

TEST_CASE("the offset option is added to every measurement") {
  auto options = server_options();
  options.offset_correction = 1e-4;
  Simulation sim{options};
  sim.start();
  sim.run_for(100);
  for (const auto& s : sim.samples) CHECK(s.offset == Approx(1e-4).margin(5e-9));
}

TEST_CASE("jitter, drift, loss and reordering never push the error beyond half the measured delay") {
  for (const bool xleave : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      Simulation sim{server_options(xleave, 0), seed};
      sim.world.local_offset = 0.1;
      sim.world.local_frequency = 100e-6;
      sim.forward = exponential(1e-4, 0.3, seed);  // often longer than the poll interval
      sim.backward = exponential(1e-4, 0.3, seed + 100);
      sim.lose = [random = std::mt19937_64{seed}]() mutable { return random() % 4 == 0; };
      sim.start();
      sim.run_for(2000);
      REQUIRE(sim.samples.size() > 300);
      CHECK(sim.refused(Refusal::origin) > 0);
      for (const auto& s : sim.samples) {
        const double error = s.offset - true_offset(sim, s);
        CHECK(std::fabs(error) <= s.peer_delay / 2 + s.peer_dispersion + 100e-6 * 4);
      }
    }
  }
}

TEST_CASE("duplicated and replayed replies change no sample and no poll") {
  for (const bool xleave : {false, true}) {
    Simulation clean{server_options(xleave), 5};
    Simulation noisy{server_options(xleave), 5};
    clean.start();
    noisy.start();
    std::mt19937_64 random{6};
    for (int i = 0; i < 400; ++i) {
      clean.step();
      noisy.step();
      // Randomness is drawn per event: replay through a copy, so that both worlds see the same numbers.
      if (noisy.replies.empty()) continue;
      const Header old = noisy.replies[random() % noisy.replies.size()];
      Association copy = noisy.association;
      Reception r;
      r.bytes = old;
      r.stamp = {noisy.world.local_time(noisy.world.now), 0, StampSource::daemon};
      Moment now;
      now.monotonic = noisy.world.now;
      for (const auto& action : copy.receive(now, r))
        CHECK(std::holds_alternative<ntp::PacketJudged>(action));  // only the log hears of it
      noisy.association = copy;
    }
    CHECK(noisy.samples == clean.samples);
    CHECK(noisy.sent_at == clean.sent_at);
    CHECK(noisy.refused(Refusal::duplicate) + noisy.refused(Refusal::origin) +
              noisy.refused(Refusal::answered) >
          300);
  }
}

TEST_CASE("interleaved mode falls back to basic when the server forgets or answers stop, and comes back") {
  Simulation sim{server_options(true)};
  sim.start();
  sim.run_for(100);
  CHECK(sim.association.report().interleaved);
  sim.server.forget();
  sim.run_for(16);
  CHECK_FALSE(sim.association.report().interleaved);
  sim.run_for(32);
  CHECK(sim.association.report().interleaved);

  sim.lose = [] { return true; };
  sim.run_for(16.4 * 8);
  CHECK(read_reply(sim.sends.back().bytes).origin.value == 0);
  sim.lose = [] { return false; };
  const auto samples = sim.samples.size();
  sim.run_for(100);
  CHECK(sim.association.report().interleaved);
  CHECK(sim.samples.size() >= samples + 5);
  for (const auto& s : sim.samples) CHECK(s.offset == Approx(0).margin(5e-9));
}

TEST_CASE("an interleaved answer after an unsynchronised one gives no sample") {
  Simulation sim{server_options(true)};
  sim.server.stratum = 0;
  sim.server.leap = 3;
  sim.start();
  sim.run_for(40);
  CHECK(sim.samples.empty());
  sim.server.stratum = 1;
  sim.server.leap = 0;
  sim.run_for(16);
  CHECK(sim.samples.empty());
  CHECK(sim.refused(Refusal::previous_exchange) == 1);
  sim.run_for(16);
  CHECK(sim.samples.size() == 1);
}

TEST_CASE("a server that only speaks basic mode serves an xleave client") {
  Simulation sim{server_options(true)};
  sim.server.interleaved = false;
  sim.start();
  sim.run_for(200);
  CHECK(sim.samples.size() == sim.sends.size());
  CHECK_FALSE(sim.association.report().interleaved);
}

TEST_CASE("when the round trip is long beside the poll, the interleaved sample uses the newer request") {
  Simulation sim{server_options(true, 0)};
  sim.forward = [] { return 0.2; };
  sim.backward = [] { return 0.2; };
  sim.world.local_offset = 0.5;
  sim.start();
  sim.run_for(60);
  CHECK(sim.association.report().interleaved);
  REQUIRE(sim.samples.size() > 20);
  for (std::size_t i = 3; i < sim.samples.size(); ++i) {
    CHECK(sim.samples[i].offset == Approx(-0.5).margin(1e-8));
    CHECK(sim.samples[i].peer_delay == Approx(0.4).margin(1e-8));
    // Midway between the last reply and this request, not in the middle of the exchange before.
    CHECK(clock::seconds_between(sim.world.local_time(sim.sent_at[i]), sim.samples[i].time) > -0.5);
  }
}

TEST_CASE("a kernel transmit stamp replaces ours, before or after the reply") {
  for (const bool late : {false, true}) {
    Simulation sim{server_options(true)};
    sim.start();
    sim.run_for(20);
    // The daemon read the clock 30 us before each packet left.
    while (sim.sends.size() < 4 && sim.step()) {
      if (sim.sends.empty()) continue;
    }
    const LocalStamp kernel{sim.world.local_time(sim.world.now) + std::chrono::microseconds{30}, 0,
                            StampSource::kernel};
    // As the kernel loops it back: behind the headers of the link, IP and UDP.
    std::vector<std::byte> request(42, std::byte{0xAA});
    request.insert(request.end(), sim.sends.back().bytes.begin(), sim.sends.back().bytes.end());
    if (!late) sim.association.transmit_stamp(request, kernel);
    const auto samples = sim.samples.size();
    while (sim.samples.size() == samples && sim.step()) {
    }
    if (late) sim.association.transmit_stamp(request, kernel);
    while (sim.samples.size() == samples + 1 && sim.step()) {
    }
    CHECK(sim.samples.back().offset == Approx(-15e-6).margin(5e-9));
    CHECK(sim.association.report().transmit_stamp == StampSource::kernel);
    CHECK(sim.association.report().transmit_stamps[1] == 1);
  }
}

TEST_CASE("the clock read at the send call counts, not the event's") {
  Simulation sim{server_options()};
  sim.send_latency = 5e-3;
  sim.start();
  sim.run_for(50);
  for (const auto& s : sim.samples) CHECK(s.peer_delay == Approx(2e-3).margin(1e-8));
}

TEST_CASE("the hardware's transmit stamp counts, in whatever order it and the kernel's come") {
  for (const bool kernel_last : {false, true}) {
    Simulation sim{server_options()};
    sim.start();
    while (sim.sends.empty() && sim.step()) {
    }
    const WallTime now = sim.world.local_time(sim.world.now);
    const LocalStamp kernel{now + std::chrono::microseconds{30}, 0, StampSource::kernel};
    const LocalStamp hardware{now + std::chrono::microseconds{50}, 0, StampSource::hardware};
    const auto request = sim.sends.back().bytes;
    sim.association.transmit_stamp(request, kernel_last ? hardware : kernel);
    sim.association.transmit_stamp(request, kernel_last ? kernel : hardware);
    while (sim.samples.empty() && sim.step()) {
    }
    CHECK(sim.samples.back().offset == Approx(-25e-6).margin(5e-9));
    CHECK(sim.association.report().transmit_stamp == StampSource::hardware);
  }
}

TEST_CASE("a transmit stamp of another packet, or of another clock, is not taken") {
  Simulation sim{server_options()};
  sim.start();
  while (sim.sends.empty() && sim.step()) {
  }
  Header other = sim.sends.back().bytes;
  set_timestamp(other.data(), offset::kTransmit, {99});
  const WallTime now = sim.world.local_time(sim.world.now);
  sim.association.transmit_stamp(other, {now + std::chrono::milliseconds{1}, 0, StampSource::kernel});
  sim.association.transmit_stamp(sim.sends.back().bytes,
                                 {now + std::chrono::seconds{37}, 0, StampSource::hardware});
  sim.association.transmit_stamp({other.data(), 20}, {now, 0, StampSource::kernel});
  sim.run_for(1);
  CHECK(sim.samples.back().offset == Approx(0).margin(5e-9));
  CHECK(sim.association.report().transmit_stamp == StampSource::daemon);
}

TEST_CASE("interleaved samples at one second stay within tens of nanoseconds of the truth") {
  Simulation sim{server_options(true, 0)};
  sim.forward = exponential(1e-6, 10e-9, 1);
  sim.backward = exponential(1e-6, 10e-9, 2);
  sim.start();
  sim.run_for(1000);
  double squares = 0;
  for (const auto& s : sim.samples) squares += s.offset * s.offset;
  // Half the difference of two exponential delays of mean 10 ns: 7.1 ns RMS, and a nanosecond of rounding.
  CHECK(std::sqrt(squares / static_cast<double>(sim.samples.size())) < 8e-9);
}
