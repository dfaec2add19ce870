// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "catch.hpp"
#include "perf/report/histogram.hpp"
#include "perf/report/result.hpp"

using namespace wiretime::report;

namespace {

// The sample a quantile stands for: the smallest that at least a share q of all does not exceed.
std::uint64_t exact(std::vector<std::uint64_t> samples, std::uint64_t per_10000) {
  std::sort(samples.begin(), samples.end());
  const std::uint64_t rank = (per_10000 * samples.size() + 9999) / 10000;
  return samples[static_cast<std::size_t>(std::max<std::uint64_t>(rank, 1) - 1)];
}

bool within(double got, std::uint64_t want, double share) {
  return std::abs(got - static_cast<double>(want)) <= static_cast<double>(want) * share;
}

}  // namespace

TEST_CASE("a histogram's quantiles are within the stated error of the sorted samples") {
  STATIC_REQUIRE(Histogram::kRelativeError <= 0.02);
  std::mt19937_64 random{20261123};
  for (int round = 0; round < 200; ++round) {
    const double widest = std::uniform_real_distribution{0.0, std::log(1e11)}(random);
    std::uniform_real_distribution<double> log_ns{0.0, widest};
    std::vector<std::uint64_t> samples(1 + random() % 3000);
    Histogram h;
    for (auto& s : samples) h.record(s = static_cast<std::uint64_t>(std::exp(log_ns(random))));
    for (const std::uint64_t q : {0U, 1U, 1000U, 5000U, 9000U, 9900U, 9990U, 9999U, 10000U}) {
      CAPTURE(round, q, samples.size());
      CHECK(within(h.quantile(static_cast<double>(q) / 10000), exact(samples, q), Histogram::kRelativeError));
    }
    CHECK(h.count() == samples.size());
    CHECK(h.max() == *std::max_element(samples.begin(), samples.end()));
  }
}

TEST_CASE("every edge of a bucket from 1 ns to 100 s comes back within the stated error") {
  for (int octave = 0; octave < 37; ++octave) {
    for (std::uint64_t part = 64; part < 128; ++part) {
      for (const std::uint64_t around : {0U, 1U, 2U}) {
        const std::uint64_t ns = ((part << octave) >> 6) + around - 1;
        if (ns == 0 || ns > Histogram::kLast) continue;
        Histogram h;
        h.record(ns);
        h.record(Histogram::kLast);  // so that the maximum does not stand in for the bucket
        CAPTURE(ns);
        REQUIRE(within(h.quantile(0.5), ns, Histogram::kRelativeError));
      }
    }
  }
}

TEST_CASE("a time below 128 ns is counted exactly") {
  for (std::uint64_t ns = 0; ns < 128; ++ns) {
    Histogram h;
    h.record(ns);
    h.record(1000);
    CHECK(h.quantile(0.5) == static_cast<double>(ns));
  }
}

TEST_CASE("a time beyond the last bucket is counted, and is the maximum as it was") {
  Histogram h;
  h.record(5);
  h.record(~std::uint64_t{0});
  h.record(~std::uint64_t{0});
  CHECK(h.count() == 3);
  CHECK(h.max() == ~std::uint64_t{0});
  CHECK(h.quantile(0.5) > 100e9);
}

TEST_CASE("merged histograms are the histogram of all their samples") {
  std::mt19937_64 random{4};
  Histogram parts[3];
  Histogram whole;
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t ns = random() >> (27 + random() % 37);
    parts[random() % 3].record(ns);
    whole.record(ns);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.merge(part);
  CHECK(Latency::of(merged) == Latency::of(whole));
  CHECK(merged.count() == 5000);
  merged.clear();
  CHECK(merged.count() == 0);
  CHECK(merged.quantile(0.99) == 0);
}

TEST_CASE("one slow answer in a thousand is the maximum and p99.99, not p99.9") {
  Histogram h;
  for (int i = 0; i < 999; ++i) h.record(100);
  h.record(1'000'000);
  const Latency l = Latency::of(h);
  CHECK(l.p99_9 == 100);
  CHECK(l.p99_99 == 1'000'000);
  CHECK(l.max == 1'000'000);
}
