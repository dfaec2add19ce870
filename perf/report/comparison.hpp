// SPDX-License-Identifier: BSD-3-Clause
// Servers side by side, as perf/compare measures them in alternating rounds: answers a second for each server
// on each link. Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wiretime::report {

struct Bar {
  std::string name;   // the server
  double median = 0;  // answers a second, over the rounds
  double min = 0;
  double max = 0;
  std::uint64_t rounds = 0;
  friend bool operator==(const Bar&, const Bar&) = default;
};

struct Link {
  std::string name;  // "memif, one worker core"
  std::vector<Bar> bars;
  std::string ceiling;    // the bar that shows what the link can carry: ratios are of it
  std::string reference;  // the bar others are compared with too, "stock chronyd"; may be empty
  friend bool operator==(const Link&, const Link&) = default;
};

struct Comparison {
  std::string title;
  std::string date;
  std::string machine;
  std::vector<Link> links;
  friend bool operator==(const Comparison&, const Comparison&) = default;
};

}  // namespace wiretime::report
