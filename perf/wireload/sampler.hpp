// SPDX-License-Identifier: BSD-3-Clause
// Which replies are checked where one core cannot check all. Seven of eight are drawn by what they echo,
// which is as good as random and the same in each reply to one request: a second reply is checked with the
// first, and nothing beats in time with bursts. The eighth is by turn, for servers that always echo the same.
// Generator's core.
#pragma once

#include <cmath>
#include <cstdint>

namespace wiretime::load {

class Sampler {
 public:
  explicit Sampler(double share) noexcept { set(share); }

  // share: 0 to 1.
  void set(double share) noexcept {
    const auto all = static_cast<std::uint64_t>(std::llround(share * static_cast<double>(kWhole)));
    step_ = all == kWhole ? kWhole : all / 8;
    limit_ = all == kWhole ? kWhole : all - step_;
  }

  // `echo`: 32 bits of the reply's echo of its request.
  [[nodiscard]] bool takes(std::uint32_t echo) noexcept {
    phase_ += step_;
    const bool turn = phase_ >= kWhole;
    phase_ &= kWhole - 1;
    return turn || echo < limit_;
  }

 private:
  static constexpr std::uint64_t kWhole = std::uint64_t{1} << 32;

  std::uint64_t limit_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t phase_ = 0;
};

}  // namespace wiretime::load
