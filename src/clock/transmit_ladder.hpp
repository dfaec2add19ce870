// SPDX-License-Identifier: BSD-3-Clause
// Which rung of the transmit ladder a port stands on: the best one that its driver offers and that evidence
// does not speak against. Down at once, up again after a quiet time that doubles with each fall. Control
// thread; pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "clock/transmit_plan.hpp"

namespace wiretime::clock {

class TransmitLadder {
 public:
  struct Offer {
    bool launch = false;  // the driver sends at the time in the mbuf
    bool stamps = false;  // it says when a flagged frame left
  };
  struct Limits {
    double spread = 2e-6;             // s; predicted: frames off by more than that are not worth it
    unsigned lost = 8;                // samples in a row; predicted: the NIC stamps nothing any more
    unsigned off_schedule = 4;        // samples in a row; launch: the NIC does not keep to it
    std::uint64_t late = 2;           // bursts in a second; launch: at least, and
    std::uint64_t late_share = 1000;  // one in so many
    double quiet = 60;                // s; after the first fall
    double longest_quiet = 3600;      // s
    double clock_quiet = 10;          // s; after the clock was lost
    double trusted = 600;             // s; who stood for so long has fallen for the first time
  };
  explicit TransmitLadder(Offer offer) : TransmitLadder(offer, Limits{}) {}
  TransmitLadder(Offer offer, const Limits& limits) : offer_{offer}, limits_{limits} {}

  struct Evidence {
    double now = 0;             // s, of any clock that only goes forward
    bool clock_usable = false;  // NIC time can be told from TSC
    bool calibrated = false;
    double spread = 0;           // s, of the calibration
    unsigned lost = 0;           // samples lost in a row, up to now
    unsigned off_schedule = 0;   // samples in a row that did not leave when launched for
    std::uint64_t launched = 0;  // bursts so far, and
    std::uint64_t late = 0;      // those that the worker or the NIC says were late
  };
  struct Change {
    TransmitRung from{};
    TransmitRung to{};
    std::string_view why;  // "clock", "late", "off-schedule", "spread", "lost"; on the way up "offered"
  };
  // About 10 times a second.
  [[nodiscard]] std::optional<Change> judge(const Evidence& evidence);
  [[nodiscard]] TransmitRung rung() const { return rung_; }
  [[nodiscard]] const Offer& offer() const { return offer_; }

 private:
  struct Record {
    double barred_until = 0;  // s
    double quiet = 0;         // s, of the last fall
    double since = 0;         // s, the rung has been stood on
  };
  [[nodiscard]] std::string_view fault(const Evidence& e);
  [[nodiscard]] bool is_late(const Evidence& e);
  [[nodiscard]] bool may_stand_on(TransmitRung rung, const Evidence& e) const;
  void bar(double now, bool for_the_clock);
  [[nodiscard]] Record& record(TransmitRung rung) { return records_[static_cast<std::size_t>(rung)]; }

  Offer offer_;
  Limits limits_;
  TransmitRung rung_ = TransmitRung::plain;
  std::array<Record, kTransmitRungs.size()> records_{};
  double window_start_ = 0;  // of counting late bursts
  std::uint64_t window_launched_ = 0;
  std::uint64_t window_late_ = 0;
};

}  // namespace wiretime::clock
