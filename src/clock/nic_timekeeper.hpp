// SPDX-License-Identifier: BSD-3-Clause
// One NIC's clock in our care: read, mapped to the CPU's counter for the workers, and, where the
// configuration says that it is ours, kept on the time we serve. Control thread; pure but for the device.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/seqlock.hpp"
#include "clock/nic_clock.hpp"
#include "clock/nic_map.hpp"
#include "clock/nic_servo.hpp"
#include "clock/nic_snapshot.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

// What a NIC's clock is to us.
enum class NicRole : std::uint8_t {
  free,  // somebody else's, or nobody's: only read
  utc,   // ours: shows the time we serve
  tai,   // ours: the same in TAI, as PTP has it
};

struct NicStatus {
  std::string_view method;         // NicClock::method
  bool ready = false;              // stamps can be used
  double error_bound = 0;          // s, of the map
  double nic_hertz = 0;            // its ticks in a second of the counter; 0: not known yet
  std::optional<double> offset{};  // s, ahead of the time it is kept on; nothing until known, and when free
  double correction = 0;           // s/s, what we corrected its frequency by
  bool locked = false;             // it is where it should be
  std::uint64_t steps = 0;         // we set it
  std::uint64_t failures = 0;      // it could not be set
  std::array<std::uint64_t, kNicEvents> events{};
};

class NicTimekeeper {
 public:
  NicTimekeeper(std::unique_ptr<NicClock> clock, NicRole role, double ticks_per_second);

  struct Moment {
    Ticks now{};
    WallTime wall{};  // within years: which NTP era it is
    TimeSnapshot time{};
    int tai_offset = 0;  // s, TAI - UTC; 0: not known
  };
  // About 10 times a second.
  void refresh(const Moment& moment);

  // What workers read; refresh is its only writer.
  [[nodiscard]] const Seqlock<NicSnapshot>& snapshot() const { return published_; }
  [[nodiscard]] NicStatus status() const;
  // The device's last complaint, once; empty: none that was not told.
  [[nodiscard]] std::string take_error() { return std::exchange(error_, {}); }

 private:
  [[nodiscard]] bool may_steer(const Moment& moment) const;
  void steer(const Moment& moment);
  void failed(const Error& error);

  std::unique_ptr<NicClock> clock_;
  NicRole role_;
  double ticks_per_second_;
  NicMap map_;
  NicServo servo_;
  Seqlock<NicSnapshot> published_;
  bool ready_ = false;
  std::optional<double> offset_;
  std::optional<Ticks> last_update_;
  std::uint64_t restarts_ = 0;  // of the map, as of the last update
  std::uint64_t steps_ = 0;
  std::uint64_t failures_ = 0;
  std::string error_;
};

}  // namespace wiretime::clock
