// SPDX-License-Identifier: BSD-3-Clause
#include "clock/source_statistics.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"
#include "clock/poll_control.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

constexpr WallTime kStart{1'800'000'000s};

// A source over a path with exponential queues, seen by a clock that is `offset` behind and loses
// `frequency`.
struct Source {
  std::mt19937_64 random;
  double offset = 0, frequency = 0, jitter = 100e-6, interval = 16;
  double elapsed = 0, base = 1e-3;
  bool one_way = false;
  std::exponential_distribution<double> queue;

  explicit Source(std::uint64_t seed) : random{seed} {}

  Sample next() {
    elapsed += interval;
    const double there = jitter * queue(random);
    const double back = one_way ? 0 : jitter * queue(random);
    Sample s;
    s.time = advanced(kStart, elapsed);
    s.offset = truth() + (there - back) / 2;
    s.peer_delay = base + there + back;
    s.root_delay = s.peer_delay;
    s.root_dispersion = 1e-5;
    return s;
  }
  [[nodiscard]] double truth() const { return offset + frequency * elapsed; }
};

}  // namespace

TEST_CASE("offset and frequency come out within their error bars") {
  int offset_within = 0;
  int frequency_within = 0;
  double z2 = 0;
  constexpr int kRuns = 300;
  for (std::uint64_t seed = 0; seed < kRuns; ++seed) {
    Source source{seed};
    source.offset = 5e-3;
    source.frequency = -30e-6;
    SourceStatistics statistics{StatisticsConfig{}};
    for (int i = 0; i < 30; ++i) statistics.add(source.next());
    const SourceEstimate& e = statistics.estimate();
    offset_within += std::fabs(e.offset - source.truth()) < 3 * e.offset_sd;
    frequency_within += std::fabs(e.frequency - source.frequency) < e.skew;
    z2 += std::pow((e.offset - source.truth()) / e.offset_sd, 2) / kRuns;
    CHECK(std::fabs(e.offset - source.truth()) < 100e-6);
  }
  CHECK(offset_within > kRuns * 0.96);
  CHECK(frequency_within > kRuns * 0.90);
  CHECK(z2 < 2);
  CHECK(z2 > 0.3);
}

TEST_CASE("weighing by delay beats the plain line by half") {
  double filtered = 0;
  double plain = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Source source{seed};
    SourceStatistics statistics{StatisticsConfig{}};
    std::vector<Point> points;
    for (int i = 0; i < 20; ++i) {
      const Sample s = source.next();
      statistics.add(s);
      points.push_back({source.elapsed, s.offset, 1});
    }
    for (Point& p : points) p.time -= source.elapsed;
    filtered += std::pow(statistics.estimate().offset, 2);
    plain += std::pow(fit_line(points)->offset, 2);
  }
  CHECK(std::sqrt(filtered / plain) < 0.5);
}

TEST_CASE("an estimate never sees the corrections made on its behalf") {
  Source source{4};
  source.offset = 1e-2;
  source.frequency = 80e-6;
  SourceStatistics corrected{StatisticsConfig{}};
  SourceStatistics untouched{StatisticsConfig{}};
  double clock_offset = 0;     // what the corrected clock gained
  double clock_frequency = 0;  // and gains
  WallTime last = kStart;
  for (int i = 0; i < 100; ++i) {
    const Sample raw = source.next();
    untouched.add(raw);
    Sample seen = raw;
    clock_offset += seconds_between(last, raw.time) * clock_frequency;
    last = raw.time;
    seen.time = advanced(raw.time, clock_offset);
    seen.offset -= clock_offset;
    corrected.add(seen);
    if (i % 7 != 6) continue;
    const double df = corrected.estimate().frequency;
    const double doff = corrected.estimate().offset;
    corrected.shift({seen.time, df, doff});
    clock_offset += doff;
    clock_frequency = (1 + clock_frequency) * (1 + df) - 1;
    CHECK(std::fabs(corrected.estimate().offset) < 1e-12);
    CHECK(std::fabs(corrected.estimate().frequency) < 1e-12);
  }
  CHECK(corrected.estimate().offset + clock_offset == Approx(untouched.estimate().offset).margin(3e-7));
  CHECK(corrected.estimate().frequency + clock_frequency ==
        Approx(untouched.estimate().frequency).margin(3e-8));
  CHECK(corrected.samples() == 64);
}

TEST_CASE("a sample not later than the last is not taken") {
  Source source{1};
  SourceStatistics statistics{StatisticsConfig{}};
  const Sample s = source.next();
  CHECK(statistics.add(s));
  CHECK_FALSE(statistics.add(s));
  CHECK(statistics.samples() == 1);
}

TEST_CASE("one wild sample moves the estimate little, a source that jumped is followed from the third") {
  Source source{8};
  SourceStatistics statistics{StatisticsConfig{}};
  for (int i = 0; i < 30; ++i) statistics.add(source.next());
  Sample wild = source.next();
  wild.offset += 0.5;
  statistics.add(wild);
  CHECK(std::fabs(statistics.estimate().offset) < 1e-3);
  for (int i = 0; i < 10; ++i) statistics.add(source.next());
  CHECK(std::fabs(statistics.estimate().offset) < 1e-4);

  source.offset += 0.5;
  for (int i = 0; i < 3; ++i) statistics.add(source.next());
  CHECK(statistics.estimate().offset == Approx(0.5).margin(1e-3));
  CHECK(statistics.samples() == 3);
}

TEST_CASE("maxsamples bounds the window, down to one") {
  for (const std::size_t limit : {1U, 2U, 10U}) {
    Source source{2};
    StatisticsConfig config;
    config.max_samples = limit;
    SourceStatistics statistics{config};
    for (int i = 0; i < 50; ++i) statistics.add(source.next());
    CHECK(statistics.samples() == limit);
    CHECK(statistics.ready());
    CHECK(std::fabs(statistics.estimate().offset) < 2e-4);
  }
}

TEST_CASE("the best sample is the one with the least distance, older ones pay for their age") {
  SourceStatistics statistics{StatisticsConfig{}};
  Source source{3};
  source.jitter = 0;
  for (int i = 0; i < 5; ++i) {
    Sample s = source.next();
    if (i == 1) s.root_delay = 0.5e-3;
    statistics.add(s);
  }
  const WallTime now = advanced(kStart, source.elapsed);
  CHECK(statistics.best_sample(now, 0).root_delay == Approx(0.5e-3));
  // 48 s at 100 ppm outweighs a quarter of a millisecond.
  CHECK(statistics.best_sample(now, 100e-6).root_delay == Approx(1e-3));
}

TEST_CASE("a path that becomes longer is measured against its own least delay") {
  Source source{14};
  source.jitter = 10e-6;
  SourceStatistics statistics{StatisticsConfig{}};
  for (int i = 0; i < 30; ++i) statistics.add(source.next());
  CHECK(statistics.min_delay() == Approx(1e-3).epsilon(0.02));
  source.base = 20e-3;
  for (int i = 0; i < 7; ++i) statistics.add(source.next());
  CHECK(statistics.min_delay() == Approx(1e-3).epsilon(0.02));
  statistics.add(source.next());
  CHECK(statistics.min_delay() == Approx(20e-3).epsilon(0.02));
  for (int i = 0; i < 20; ++i) statistics.add(source.next());
  CHECK(statistics.estimate().offset_sd < 5e-6);
  source.base = 1e-3;  // and back: a shorter path is known by one sample
  statistics.add(source.next());
  CHECK(statistics.min_delay() == Approx(1e-3).epsilon(0.05));
}

TEST_CASE("jitter on one way only is corrected by its delay") {
  double corrected = 0;
  double given = 0;
  double ignored = 0;
  int found = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    StatisticsConfig config;
    SourceStatistics estimating{config};
    config.asymmetry = -0.5;
    SourceStatistics told{config};
    config.asymmetry = 0;
    SourceStatistics ignoring{config};
    Source source{seed};
    source.one_way = true;
    for (int i = 0; i < 60; ++i) {
      const Sample s = source.next();
      estimating.add(s);
      told.add(s);
      ignoring.add(s);
    }
    found += estimating.asymmetry() < -0.4;
    corrected += std::pow(estimating.estimate().offset, 2);
    given += std::pow(told.estimate().offset, 2);
    ignored += std::pow(ignoring.estimate().offset, 2);
  }
  CHECK(found >= 27);
  CHECK(corrected < 0.1 * ignored);
  CHECK(given < 0.1 * ignored);
}

TEST_CASE("first samples from before the clock ran evenly do not spoil those after") {
  Source source{3};
  source.jitter = 10e-6;
  source.base = 200e-6;
  SourceStatistics statistics{StatisticsConfig{}};
  for (int i = 0; i < 40; ++i) {
    source.interval = i < 4 ? 2 : 64;
    Sample s = source.next();
    // 400 ppm faster from the second sample on: none of it is in the offset of the first.
    if (i == 0) s.offset += 320e-6;
    statistics.add(s);
  }
  CHECK(statistics.samples() == 39);
  CHECK(std::fabs(statistics.estimate().offset - source.truth()) < 5e-6);
  CHECK(statistics.estimate().offset_sd < 5e-6);
}

TEST_CASE("samples of an even clock are kept from the first on") {
  int dropped = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Source source{seed};
    SourceStatistics statistics{StatisticsConfig{}};
    for (std::size_t i = 0; i < 20; ++i) statistics.add(source.next());
    dropped += statistics.samples() < 20;
  }
  CHECK(dropped < 300 / 20);
}

TEST_CASE("samples that took long widen the spread more than the standard deviation") {
  Source source{5};
  SourceStatistics statistics{StatisticsConfig{}};
  for (int i = 0; i < 40; ++i) statistics.add(source.next());
  CHECK(statistics.std_dev() > 0);
  CHECK(statistics.std_dev() < 0.6 * statistics.spread());
}

TEST_CASE("reset forgets everything") {
  Source source{6};
  SourceStatistics statistics{StatisticsConfig{}};
  for (int i = 0; i < 70; ++i) statistics.add(source.next());
  statistics.reset();
  CHECK(statistics.samples() == 0);
  CHECK_FALSE(statistics.ready());
  source.offset += 100;
  statistics.add(source.next());
  CHECK(statistics.estimate().offset == Approx(100).margin(1e-3));
}

TEST_CASE("polls become rare on a quiet clock and frequent when the clock starts to wander") {
  Source source{12};
  SourceStatistics statistics{StatisticsConfig{}};
  PollControl poll{PollConfig{}};
  for (int i = 0; i < 60; ++i) {
    source.interval = std::ldexp(1.0, poll.poll());
    statistics.add(source.next());
    poll.adapt(statistics);
  }
  CHECK(poll.poll() >= 8);
  std::normal_distribution<double> step{0, 1e-7};
  for (int i = 0; i < 100; ++i) {
    source.interval = std::ldexp(1.0, poll.poll());
    const double change = step(source.random) * std::sqrt(source.interval);
    source.frequency += change;
    source.offset -= change * source.elapsed;
    statistics.add(source.next());
    poll.adapt(statistics);
  }
  CHECK(poll.poll() == 6);
  poll.raise_min(9);
  CHECK(poll.poll() == 9);
}

TEST_CASE("no sequence of samples and corrections makes an estimate that is not a number") {
  std::mt19937_64 random{77};
  const auto magnitude = [&](double least, double most) {
    return std::exp(std::uniform_real_distribution<double>{std::log(least), std::log(most)}(random));
  };
  for (int run = 0; run < 60; ++run) {
    SourceStatistics statistics{StatisticsConfig{}};
    PollControl poll{PollConfig{}};
    WallTime now = kStart;
    const double offsets = magnitude(1e-10, 2e9);
    const double interval = magnitude(1e-3, 1e5);
    for (int i = 0; i < 150; ++i) {
      now = advanced(now, interval * magnitude(1e-6, 1));
      Sample s;
      s.time = now;
      s.offset = offsets * std::uniform_real_distribution<double>{-1, 1}(random);
      s.peer_delay = random() % 4 == 0 ? 0 : magnitude(1e-9, 1e3);
      s.peer_dispersion = random() % 4 == 0 ? 0 : magnitude(1e-9, 16);
      if (random() % 16 == 0) s.offset = 0;
      statistics.add(s);
      poll.adapt(statistics);
      const SourceEstimate& e = statistics.estimate();
      const double all = e.offset + e.offset_sd + e.frequency + e.frequency_sd + e.skew + e.correction +
                         statistics.offset_sd_at(now) + statistics.std_dev() + statistics.memory() +
                         statistics.best_sample(now, 1e-6).distance;
      REQUIRE(std::isfinite(all));
      REQUIRE(e.offset_sd > 0);
      REQUIRE(statistics.samples() <= 64);
      if (random() % 5 == 0) statistics.shift({now, std::clamp(e.frequency, -0.1, 0.1), e.offset / 2});
    }
  }
}
