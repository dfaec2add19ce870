// SPDX-License-Identifier: BSD-3-Clause
// A closed loop: so many requests are kept under way. One that is not answered for a while is given up, so
// that lost requests do not bring the loop to a halt; if its answer comes after all, it is not counted off
// twice. Generator's core.
#pragma once

#include <algorithm>
#include <cstdint>

#include "perf/wireload/answered.hpp"

namespace wiretime::load {

class Window {
 public:
  // `patience` in ticks: a request is given up after once to twice as long.
  explicit Window(std::uint64_t patience) noexcept : patience_{patience} {}

  // Requests from `sequence` on.
  void begin(std::uint64_t sequence, std::uint64_t now) noexcept {
    oldest_ = mark_ = sequence;
    marked_at_ = now;
    settled_ = 0;
  }

  // A first reply to this request.
  void replied(std::uint64_t sequence) noexcept { settled_ += sequence >= oldest_ ? 1U : 0U; }

  // How many requests may follow the `sent` of this step, the next one being `sequence`. Numbers that carry
  // no request to be answered count as taken in `answered`.
  [[nodiscard]] std::uint64_t room(std::uint64_t size, std::uint64_t sent, std::uint64_t sequence,
                                   std::uint64_t now, const Answered& answered) noexcept {
    if (now - marked_at_ > patience_) {
      settled_ += answered.missing(oldest_, mark_);
      oldest_ = mark_;
      mark_ = sequence;
      marked_at_ = now;
    }
    const std::uint64_t under_way = sent - std::min(sent, settled_);
    return size - std::min(size, under_way);
  }

 private:
  std::uint64_t patience_;
  std::uint64_t oldest_ = 0;     // what is below is settled
  std::uint64_t mark_ = 0;       // what was sent next at marked_at_
  std::uint64_t marked_at_ = 0;  // ticks
  std::uint64_t settled_ = 0;    // requests answered or given up
};

}  // namespace wiretime::load
