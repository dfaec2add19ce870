// SPDX-License-Identifier: BSD-3-Clause
// What one step counted. The generator's core writes it; the control thread reads the result when the step is
// over, and Live meanwhile.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "perf/report/histogram.hpp"
#include "perf/wireload/verify.hpp"

namespace wiretime::load {

struct Tally {
  std::uint64_t sent = 0;      // requests that the port took
  std::uint64_t not_sent = 0;  // due, and given up
  std::array<std::uint64_t, kBadPackets> bad_sent{};
  std::array<std::uint64_t, kFindings> checked{};     // replies by what the check found
  std::array<std::uint64_t, kFindings> glanced{};     // replies that were not checked
  std::array<std::uint64_t, kBadPackets> provoked{};  // replies to bad packets
  std::uint64_t interleaved = 0;
  std::uint64_t sending_ticks = 0;
  report::Histogram response;             // ns
  report::Histogram receive_to_transmit;  // ns

  [[nodiscard]] std::uint64_t all(Finding f) const noexcept {
    const auto i = static_cast<std::size_t>(f);
    return checked[i] + glanced[i];
  }
  // The counts of another step; not its histograms.
  void merge(const Tally& other) noexcept {
    const auto add = [](auto& to, const auto& from) {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
    };
    sent += other.sent;
    not_sent += other.not_sent;
    add(bad_sent, other.bad_sent);
    add(checked, other.checked);
    add(glanced, other.glanced);
    add(provoked, other.provoked);
    interleaved += other.interleaved;
  }
  // Requests that got some reply, right or wrong.
  [[nodiscard]] std::uint64_t replied() const noexcept {
    std::uint64_t n = all(Finding::valid) + all(Finding::kiss);
    for (auto f = static_cast<std::size_t>(kFirstFault); f <= static_cast<std::size_t>(kLastFault); ++f)
      if (f != static_cast<std::size_t>(Finding::duplicate) &&
          f != static_cast<std::size_t>(Finding::unexpected))
        n += checked[f];
    return n;
  }
};

// For the eyes of somebody who waits. Writer: generator's core; reader: control thread.
struct alignas(64) Live {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> invalid{0};
  std::atomic<std::uint64_t> kiss{0};
  std::atomic<double> p99{0};  // response time of the step so far, ns
};

}  // namespace wiretime::load
