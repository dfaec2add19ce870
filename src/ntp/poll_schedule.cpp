// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/poll_schedule.hpp"

#include <algorithm>
#include <cmath>

namespace wiretime::ntp {

double poll_seconds(int poll) noexcept {
  return std::ldexp(1.0, poll);
}

Nanoseconds from_seconds(double seconds) noexcept {
  return Nanoseconds{std::llround(seconds * 1e9)};
}

Nanoseconds randomised(double seconds, std::uint64_t random) noexcept {
  constexpr double kRandomness = 0.02;
  const double fraction = std::ldexp(static_cast<double>(random >> 11), -53);  // [0, 1)
  return from_seconds(seconds * (1.0 + kRandomness * fraction));
}

double separation(int poll) noexcept {
  return std::clamp(poll_seconds(poll) / 8, kMinSeparation, kMaxSeparation);
}

Nanoseconds first_free(std::span<const Nanoseconds> taken, Nanoseconds wanted, Nanoseconds apart) noexcept {
  for (const Nanoseconds at : taken)
    if (std::chrono::abs(at - wanted) < apart) wanted = at + apart;
  return wanted;
}

void ReachRegister::record(bool answered) noexcept {
  bits_ = static_cast<std::uint8_t>((bits_ << 1) | (answered ? 1 : 0));
  missed_ = answered ? 0 : missed_ + 1;
}

PollSchedule::PollSchedule(const SourceOptions& options) noexcept
    : min_(std::clamp(options.min_poll, kLowestPoll, kHighestPoll)),
      max_(std::clamp(options.max_poll, min_, kHighestPoll)),
      poll_(min_) {}

int PollSchedule::effective_poll(bool reachable) const noexcept {
  if (poll_ >= kMinDistantPoll) return poll_;
  const bool near = delay_count_ > 0 && min_delay() < kMaxLanDelay;
  return reachable && near ? poll_ : kMinDistantPoll;
}

void PollSchedule::adjust(double change) noexcept {
  if (!std::isfinite(change)) return;
  score_ += std::clamp(change, -32.0, 32.0);
  if (score_ < 0 || score_ >= 1) {
    const double whole = std::floor(score_);
    poll_ += static_cast<int>(whole);
    score_ -= whole;
  }
  if (poll_ < min_) {
    poll_ = min_;
    score_ = 0;
  } else if (poll_ > max_) {
    poll_ = max_;
    score_ =
        std::nextafter(1.0, 0.0);  // the next shortening needs no run-up, the next lengthening does nothing
  }
}

void PollSchedule::reset() noexcept {
  poll_ = min_;
  score_ = 0;
}

void PollSchedule::set_min_poll(int poll) noexcept {
  min_ = std::clamp(poll, kLowestPoll, kHighestPoll);
  max_ = std::max(max_, min_);
  poll_ = std::clamp(poll_, min_, max_);
}

void PollSchedule::set_max_poll(int poll) noexcept {
  max_ = std::clamp(poll, kLowestPoll, kHighestPoll);
  min_ = std::min(min_, max_);
  poll_ = std::clamp(poll_, min_, max_);
}

void PollSchedule::slow_down(int asked_poll) noexcept {
  // RFC 5905 section 7.4: reduce the rate, and again with each further kiss. A hostile or broken server must
  // not silence us for days, so not beyond kMaxKissPoll unless the operator polls slower anyway.
  const int wanted = std::max(std::min(asked_poll, kMaxKissPoll), std::min(poll_ + 1, kMaxKissPoll));
  if (wanted > min_) set_min_poll(wanted);
}

void PollSchedule::set_poll(int poll) noexcept {
  poll_ = std::clamp(poll, min_, max_);
  score_ = 0;
}

double PollSchedule::min_delay() const noexcept {
  if (delay_count_ == 0) return 0;
  return *std::min_element(delays_.data(), delays_.data() + std::min(delay_count_, kDelays));
}

void PollSchedule::note_delay(double peer_delay) noexcept {
  delays_[delay_count_ % kDelays] = peer_delay;
  ++delay_count_;
}

void PollSchedule::begin_burst(unsigned good, unsigned total) noexcept {
  burst_good_ = good;
  burst_total_ = total;
}

void PollSchedule::end_burst() noexcept {
  begin_burst(0, 0);
}

void PollSchedule::burst_request_sent() noexcept {
  if (burst_total_ > 0) --burst_total_;
}

void PollSchedule::burst_request_failed() noexcept {
  if (in_burst()) ++burst_total_;
}

bool PollSchedule::burst_sample_good() noexcept {
  if (burst_good_ > 0) --burst_good_;
  return burst_good_ == 0;
}

unsigned PollSchedule::poll_burst_total() const noexcept {
  const int longer = poll_ - min_;
  return longer >= 2 ? kMaxPollBurst : 1U << longer;
}

}  // namespace wiretime::ntp
