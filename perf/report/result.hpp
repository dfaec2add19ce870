// SPDX-License-Identifier: BSD-3-Clause
// What one load test found: a Run holds its Steps, one for each rate offered. wireload fills it, the writers
// beside this header turn it into a table, JSON and a picture. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "perf/report/histogram.hpp"

namespace wiretime::report {

struct Latency {  // nanoseconds; all 0 when count is
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p99_9 = 0;
  double p99_99 = 0;
  double max = 0;
  std::uint64_t count = 0;

  [[nodiscard]] static Latency of(const Histogram& h) noexcept {
    return {h.quantile(0.5),   h.quantile(0.9),    h.quantile(0.99),
            h.quantile(0.999), h.quantile(0.9999), static_cast<double>(h.max()),
            h.count()};
  }
  friend bool operator==(const Latency&, const Latency&) = default;
};

struct Reason {
  std::string name;  // "origin", "checksum", "duplicate", ...
  std::uint64_t count = 0;
  friend bool operator==(const Reason&, const Reason&) = default;
};

// Median response time, in ns, of requests sent one after the other, so that none waits for another, just
// before and just after a step: what the machine was like meanwhile. 0: none was answered.
struct RoundTrip {
  double before = 0;
  double after = 0;
  friend bool operator==(const RoundTrip&, const RoundTrip&) = default;
};

// Counts are of this step's own requests: an answer belongs to the step that sent its request, and the step
// is closed after the last request has had its time to be answered.
struct Step {
  double offered_rate = 0;  // requests a second that were asked for; 0: as many as possible (floods, window)
  double seconds = 0;       // time spent sending, without the wait for the last answers
  std::uint64_t sent = 0;   // requests the port took
  std::uint64_t not_sent = 0;  // requests that were due and that generator or port could not send: not lost
  std::uint64_t answered = 0;  // time answers that passed every check made of them
  std::uint64_t lost = 0;      // requests without any reply
  std::uint64_t invalid = 0;   // replies that failed a check, the sum of the reasons
  std::uint64_t kiss = 0;      // kiss-o'-death replies
  std::uint64_t checked = 0;   // replies that were checked in full; the others are counted unread
  std::vector<Reason> invalid_reasons;  // only those that occurred
  Latency response_time;  // request due to reply received, so that a stalled generator shows (no omission)
  std::optional<RoundTrip> round_trip;  // where asked for
  Latency receive_to_transmit;  // as the server stamped them: transmit minus receive timestamp of its replies

  [[nodiscard]] double sent_rate() const noexcept { return per_second(sent); }
  [[nodiscard]] double answered_rate() const noexcept { return per_second(answered); }
  [[nodiscard]] double lost_share() const noexcept {  // of the requests sent
    return sent == 0 ? 0 : static_cast<double>(lost) / static_cast<double>(sent);
  }
  // The server was offered noticeably less than asked for: by more than 1 %.
  [[nodiscard]] bool fell_short() const noexcept {
    return static_cast<double>(not_sent) > 0.01 * (static_cast<double>(sent) + static_cast<double>(not_sent));
  }
  friend bool operator==(const Step&, const Step&) = default;

 private:
  [[nodiscard]] double per_second(std::uint64_t n) const noexcept {
    return seconds > 0 ? static_cast<double>(n) / seconds : 0;
  }
};

struct Run {
  std::string label;    // the server, as legends and tables call it
  std::string mode;     // "sweep", "rate", "flood", "overload", "window"
  std::string target;   // address and UDP port
  std::string port;     // the generator's port, as on its command line: "af_packet eth1"
  std::string started;  // ISO 8601, UTC: 2026-11-23T10:30:00Z
  std::string machine;  // processor and cores
  std::uint64_t clients = 0;
  double check_share = 1;  // share of the replies that is checked, 0 to 1
  std::vector<Step> steps;
  friend bool operator==(const Run&, const Run&) = default;
};

}  // namespace wiretime::report
