// SPDX-License-Identifier: BSD-3-Clause
// Where a port's receive stamps come from, best first, and which of these the port stands on now. Control
// thread; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/counters.hpp"
#include "clock/nic_snapshot.hpp"
#include "clock/stamp_trust.hpp"

namespace wiretime::clock {

enum class ReceiveRung : std::uint8_t {
  hardware,     // the NIC
  xdp_program,  // in the kernel, as early as the driver hands the frame out
  tsc,          // this program, when it takes a burst of frames
};
inline constexpr std::size_t kReceiveRungs = 3;

[[nodiscard]] constexpr std::string_view name(ReceiveRung rung) {
  return rung == ReceiveRung::hardware ? "hardware" : rung == ReceiveRung::xdp_program ? "xdp" : "tsc";
}

// Frames by what their stamp of a rung turned out to be.
using StampCounts = Counters<StampVerdict>::Values;
struct StampSums {
  std::uint64_t good = 0;  // those on probation too
  std::uint64_t refused = 0;
};
[[nodiscard]] StampSums sums_of(const StampCounts& stamps);

// A port's rung, and how it got there: plain values for log and metrics.
struct ReceiveStatus {
  // What the port can have besides the TSC.
  bool offers_hardware = false;
  bool offers_xdp_program = false;
  ReceiveRung rung = ReceiveRung::tsc;
  std::uint64_t changes = 0;
  StampCounts hardware{};
  StampCounts xdp_program{};

  [[nodiscard]] std::uint64_t refused() const {
    return sums_of(hardware).refused + sums_of(xdp_program).refused;
  }
};

class ReceiveLadder {
 public:
  ReceiveLadder(bool hardware, bool xdp_program) {
    status_.offers_hardware = hardware;
    status_.offers_xdp_program = xdp_program;
  }

  struct Change {
    ReceiveRung from;
    ReceiveRung to;
    StampTrust::Reason reason;  // of a step down
  };
  // About once a second; the first look finds the rung to begin with, from that to that.
  // `nic_clock`: it can be told in time.
  std::optional<Change> look(Nanoseconds now, bool nic_clock, const StampCounts& hardware,
                             const StampCounts& xdp_program);

  [[nodiscard]] const ReceiveStatus& status() const { return status_; }
  // The NIC's stamps are to be judged, and not used.
  [[nodiscard]] bool hardware_on_probation() const {
    return !hardware_.trusted() && hardware_.reason() != StampTrust::Reason::none;
  }

 private:
  ReceiveStatus status_;
  StampTrust hardware_;
  StampTrust xdp_program_;
  bool begun_ = false;
};

}  // namespace wiretime::clock
