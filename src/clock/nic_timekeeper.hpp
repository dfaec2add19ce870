// SPDX-License-Identifier: BSD-3-Clause
// One NIC's clock in our care: read, mapped to the CPU's counter for the workers, and, where the
// configuration says that it is ours, kept on the time we serve. Control thread; pure but for the device.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "clock/nic_clock.hpp"
#include "clock/nic_map.hpp"
#include "clock/nic_servo.hpp"
#include "clock/nic_snapshot.hpp"
#include "clock/nic_status.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

class NicTimekeeper {
 public:
  NicTimekeeper(std::unique_ptr<NicClock> clock, NicRole role, double ticks_per_second,
                const NicOptions& options = {});

  struct Moment {
    Ticks now{};
    WallTime wall{};  // within years: which NTP era it is
    TimeSnapshot time{};
    int tai_offset = 0;  // s, TAI - UTC; 0: not known
    bool idle = false;   // no stamps came for a while
  };
  // About 10 times a second; the clock is read as often as the options allow.
  void refresh(const Moment& moment);

  // For the workers.
  [[nodiscard]] NicSnapshot snapshot() const { return map_.snapshot(); }
  [[nodiscard]] NicStatus status() const;
  // The device's last complaint, once; empty: none that was not told.
  [[nodiscard]] std::string take_error() { return std::exchange(error_, {}); }

 private:
  [[nodiscard]] bool is_due(const Moment& moment) const;
  [[nodiscard]] bool may_steer(const Moment& moment) const;
  void steer(const Moment& moment);
  void failed(const Error& error);

  std::unique_ptr<NicClock> clock_;
  NicRole role_;
  double ticks_per_second_;
  NicOptions options_;
  NicMap map_;
  NicServo servo_;
  bool ready_ = false;
  std::optional<double> offset_;
  std::optional<Ticks> last_update_;
  std::optional<Ticks> last_reading_;
  std::uint64_t restarts_ = 0;  // of the map, as of the last update
  std::uint64_t steps_ = 0;
  std::uint64_t failures_ = 0;
  std::string error_;
};

}  // namespace wiretime::clock
