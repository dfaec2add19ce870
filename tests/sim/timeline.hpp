// SPDX-License-Identifier: BSD-3-Clause
// True time and what happens when. True time is an integer number of picoseconds from the start of the run,
// so that a simulated day is as exact at its end as at its beginning.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ratio>

#include "base/time.hpp"

namespace wiretime::sim {

using TrueTime = std::chrono::duration<std::int64_t, std::pico>;  // up to 106 days

inline constexpr WallTime kStart{
    std::chrono::seconds{1'800'000'000}};  // of true time 0, unless told otherwise

[[nodiscard]] inline double seconds(TrueTime t) {
  return static_cast<double>(t.count()) * 1e-12;
}
[[nodiscard]] inline TrueTime true_time(double s) {
  return TrueTime{std::llround(s * 1e12)};
}

class Timeline {
 public:
  [[nodiscard]] TrueTime now() const { return now_; }
  // Events of the same time happen in the order in which they were entered.
  void at(TrueTime when, std::function<void()> what) {
    events_.emplace(when < now_ ? now_ : when, std::move(what));
  }
  void after(double s, std::function<void()> what) { at(now_ + true_time(s), std::move(what)); }

  [[nodiscard]] std::optional<TrueTime> next() const {
    if (events_.empty()) return std::nullopt;
    return events_.begin()->first;
  }
  void advance(TrueTime to) { now_ = to; }
  void run_next() {
    const auto first = events_.begin();
    now_ = first->first;
    const auto what = std::move(first->second);
    events_.erase(first);
    what();
  }

 private:
  TrueTime now_{0};
  std::multimap<TrueTime, std::function<void()>> events_;
};

}  // namespace wiretime::sim
