// SPDX-License-Identifier: BSD-3-Clause
// A NIC's clock for tests: an oscillator with offset, drift and wander that counts, perhaps in 32 bits, can
// be steered, takes time to be read, and breaks in all the ways that NICs do. True time is that of the CPU's
// counter, which is perfect here.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "clock/nic_clock.hpp"

namespace wiretime::test {

// True time and the counter that shows it.
struct Cpu {
  double hertz = 2.6e9;
  double now = 0;  // s

  [[nodiscard]] Ticks ticks() const {
    return {kStart + static_cast<std::uint64_t>(std::llround(now * hertz))};
  }
  [[nodiscard]] double seconds_at(Ticks t) const {
    return static_cast<double>(static_cast<std::int64_t>(t.value - kStart)) / hertz;
  }
  static constexpr std::uint64_t kStart = 5'000'000'000;
};

struct NicConfig {
  std::uint64_t start = 1'800'000'000'000'000'000;  // at true time 0
  double frequency = 50e-6;                         // s/s, runs fast by this
  double wander = 2e-9;                             // s/s in the root of a second: random walk
  double swing = 0;                                 // s/s, amplitude of a slow change (temperature)
  double swing_period = 600;                        // s
  double nominal = 1e9;                             // ticks a second
  unsigned bits = 64;
  double read_delay = 300e-9;  // s, each way
  double read_jitter = 20e-9;  // s, mean, each way
  double interrupted = 0.03;   // share of readings that take 5 us longer
  double max_adjustment = 0;   // s/s
  std::uint64_t seed = 1;
};

class SimulatedNic final : public clock::NicClock {
 public:
  SimulatedNic(const NicConfig& config, Cpu& cpu)
      : config_{config}, cpu_{cpu}, random_{config.seed}, frequency_{config.frequency}, at_{cpu.now} {}

  // What it shows now: what it would stamp a frame with.
  [[nodiscard]] std::uint64_t value() { return value_at(cpu_.now); }
  // And at another moment, s, so near that its frequency is the same.
  [[nodiscard]] std::uint64_t value_at(double when) {
    advance();
    if (frozen) return frozen_value_;
    if (zero) return 0;
    const double ticks = std::floor(phase_at(when));
    const std::uint64_t v = config_.start + static_cast<std::uint64_t>(static_cast<std::int64_t>(ticks));
    frozen_value_ = config_.bits == 32 ? v & 0xFFFF'FFFFU : v;
    return frozen_value_;
  }
  // s, when it will show that much, or did: near now.
  [[nodiscard]] double when(std::uint64_t shown) {
    advance();
    const double ahead = static_cast<double>(static_cast<std::int64_t>(shown - config_.start)) - phase_;
    return at_ + ahead / ((1 + rate()) * config_.nominal);
  }
  // s, what it shows less `origin` and true time.
  [[nodiscard]] double error(std::uint64_t origin) {
    advance();
    const double ticks = phase_at(cpu_.now);
    return (static_cast<double>(static_cast<std::int64_t>(config_.start - origin)) + ticks) /
               config_.nominal -
           cpu_.now;
  }
  [[nodiscard]] double rate() const { return (1 + frequency_ + swing()) * (1 + correction_) - 1; }
  // Somebody else sets it.
  void set(double seconds) {
    config_.start += static_cast<std::uint64_t>(std::llround(seconds * config_.nominal));
  }

  [[nodiscard]] std::string_view method() const override { return "simulated"; }
  [[nodiscard]] Result<std::span<const clock::NicReading>> read() override {
    if (gone) return fail("No such device");
    readings_.clear();
    for (int i = 0; i < 10; ++i) {
      clock::NicReading r;
      r.before = cpu_.ticks();
      cpu_.now += delay();
      r.nic = value() + glitch;
      cpu_.now += delay();
      r.after = cpu_.ticks();
      readings_.push_back(r);
    }
    glitch = 0;
    return std::span<const clock::NicReading>{readings_};
  }
  [[nodiscard]] unsigned counter_bits() const override { return config_.bits; }
  [[nodiscard]] double max_adjustment() const override { return config_.max_adjustment; }
  [[nodiscard]] Result<void> set_frequency(double frequency) override {
    if (gone) return fail("No such device");
    advance();
    correction_ = frequency;
    ++frequency_changes;
    return {};
  }
  [[nodiscard]] Result<void> step(Nanoseconds by) override {
    if (gone) return fail("No such device");
    advance();
    set(static_cast<double>(by.count()) * 1e-9);
    ++steps;
    return {};
  }

  bool gone = false;
  bool frozen = false;
  bool zero = false;
  std::uint64_t glitch = 0;  // added to the next set of readings
  int steps = 0;
  int frequency_changes = 0;

 private:
  [[nodiscard]] double phase_at(double when) const {
    return phase_ + (when - at_) * (1 + rate()) * config_.nominal;
  }
  [[nodiscard]] double swing() const {
    return config_.swing * std::sin(2 * 3.14159265358979 * at_ / config_.swing_period);
  }
  [[nodiscard]] double delay() {
    const double tail = std::exponential_distribution<double>{1 / config_.read_jitter}(random_);
    const bool late = std::uniform_real_distribution<double>{}(random_) < config_.interrupted;
    return config_.read_delay + tail + (late ? 5e-6 : 0);
  }
  void advance() {
    constexpr double kStep = 0.01;
    while (at_ < cpu_.now) {
      const double next = std::min(cpu_.now, (std::floor(at_ / kStep) + 1) * kStep);
      const double passed = std::max(next - at_, 1e-12);
      phase_ += passed * (1 + rate()) * config_.nominal;
      at_ = std::max(next, at_ + 1e-12);
      frequency_ += std::normal_distribution<double>{0, config_.wander * std::sqrt(passed)}(random_);
    }
  }

  NicConfig config_;
  Cpu& cpu_;
  std::mt19937_64 random_;
  double frequency_;
  double correction_ = 0;
  double phase_ = 0;  // ticks since `start`: apart, for the sake of its precision
  double at_;         // s, true time of phase_
  std::uint64_t frozen_value_ = 0;
  std::vector<clock::NicReading> readings_;
};

}  // namespace wiretime::test
