// SPDX-License-Identifier: BSD-3-Clause
// When the next request goes out: poll interval with its fraction, bursts, presend, and the reach register
// (RFC 5905 section 13; chrony.conf's minpoll, maxpoll, iburst, burst, presend). Control thread; pure.
//
// The poll is log2 seconds. Between whole polls lives a score in [0, 1]: whoever judges samples adds
// fractions of a poll, and only a full step changes the interval, so that it does not flap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/time.hpp"
#include "ntp/source_options.hpp"

namespace wiretime::ntp {

inline constexpr double kInitialDelay = 0.2;     // s from start to the first request
inline constexpr double kBurstInterval = 2.0;    // s between requests of a burst, at most;
inline constexpr double kBurstPollRatio = 0.25;  // with short polls this part of one
inline constexpr double kPresendInterval = 2.0;  // s between the warm-up packet and the request
inline constexpr double kMinSeparation = 0.002;  // s between requests to two sources,
inline constexpr double kMaxSeparation = 0.2;    // so that one does not wait behind another on the way
inline constexpr double kMaxLanDelay = 0.01;     // s; sub-second polls only to servers nearer than this
inline constexpr int kMinDistantPoll = 0;        // for all others
inline constexpr int kMaxKissPoll = 10;          // a RATE kiss raises minpoll no further
inline constexpr int kLowestPoll = -7;
inline constexpr int kHighestPoll = 24;
inline constexpr unsigned kInitialBurstGood = 4;   // iburst: stop after this many samples
inline constexpr unsigned kInitialBurstTotal = 8;  // or this many requests
inline constexpr unsigned kMaxPollBurst = 4;       // burst option: requests a poll

[[nodiscard]] double poll_seconds(int poll) noexcept;
[[nodiscard]] Nanoseconds from_seconds(double seconds) noexcept;
// `seconds` and up to 2 % more, so that clients started together spread out. All 64 random bits count.
[[nodiscard]] Nanoseconds randomised(double seconds, std::uint64_t random) noexcept;
// s to keep between a request at this poll and those to other sources: eight sources fit into one poll.
[[nodiscard]] double separation(int poll) noexcept;
// The first moment from `wanted` on with at least `apart` to each of `taken`, which ascend.
[[nodiscard]] Nanoseconds first_free(std::span<const Nanoseconds> taken, Nanoseconds wanted,
                                     Nanoseconds apart) noexcept;

// The last eight polls, newest in the lowest bit: 1 is an answer from a synchronised source.
class ReachRegister {
 public:
  void record(bool answered) noexcept;
  void clear() noexcept { *this = {}; }
  void restore(std::uint8_t bits) noexcept { bits_ = bits; }
  [[nodiscard]] std::uint8_t bits() const noexcept { return bits_; }
  // Polls in a row without an answer; counts on after the register is empty.
  [[nodiscard]] unsigned missed() const noexcept { return missed_; }
  // True each time another eight polls went unanswered: the moment to look for a replacement.
  [[nodiscard]] bool needs_help() const noexcept { return missed_ > 0 && missed_ % 8 == 0; }

 private:
  std::uint8_t bits_ = 0;
  unsigned missed_ = 0;
};

class PollSchedule {
 public:
  explicit PollSchedule(const SourceOptions& options) noexcept;

  // The poll to use: sub-second only when the source is reachable and known to be near.
  [[nodiscard]] int effective_poll(bool reachable) const noexcept;
  [[nodiscard]] int poll() const noexcept { return poll_; }
  [[nodiscard]] double score() const noexcept { return score_; }  // [0, 1]
  [[nodiscard]] int min_poll() const noexcept { return min_; }
  [[nodiscard]] int max_poll() const noexcept { return max_; }

  void adjust(double change) noexcept;   // in polls, may be any finite number
  void reset() noexcept;                 // back to minpoll
  void set_min_poll(int poll) noexcept;  // raises maxpoll if need be; chronyc minpoll
  void set_max_poll(int poll) noexcept;  // lowers minpoll if need be; chronyc maxpoll
  // The server said it is asked too often, and perhaps how often would be right.
  void slow_down(int asked_poll) noexcept;
  void set_poll(int poll) noexcept;  // within the limits; what an adaptation outside has found
  void note_delay(double peer_delay) noexcept;
  [[nodiscard]] double min_delay() const noexcept;  // of the last eight, s; 0 before the first

  // Bursts. `good` samples or `total` requests end one.
  void begin_burst(unsigned good, unsigned total) noexcept;
  void end_burst() noexcept;
  [[nodiscard]] bool in_burst() const noexcept { return burst_total_ > 0 || burst_good_ > 0; }
  [[nodiscard]] unsigned burst_total() const noexcept { return burst_total_; }
  void burst_request_sent() noexcept;
  void burst_request_failed() noexcept;  // after all: it does not count
  // True when that was the last sample the burst needed.
  [[nodiscard]] bool burst_sample_good() noexcept;
  // How many requests the burst option allows at this poll without going below minpoll on average.
  [[nodiscard]] unsigned poll_burst_total() const noexcept;

 private:
  static constexpr std::size_t kDelays = 8;

  int min_;
  int max_;
  int poll_;
  double score_ = 0;  // [0, 1]
  unsigned burst_good_ = 0;
  unsigned burst_total_ = 0;
  std::array<double, kDelays> delays_{};  // newest round trips, s
  std::size_t delay_count_ = 0;
};

}  // namespace wiretime::ntp
