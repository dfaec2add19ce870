// SPDX-License-Identifier: BSD-3-Clause
// Which reference clients are shown: the synchronised clock, the `local` reference, or none (chrony's `local`
// rules, with DESIGN.md's for the time before the first synchronisation). Control thread; pure: monotonic
// time and clock state come in.
#pragma once

#include <chrono>
#include <optional>

#include "base/time.hpp"
#include "clock/snapshot.hpp"

namespace wiretime::clock {

struct LocalConfig {
  bool enabled = false;
  std::uint8_t stratum = 10;  // 1..15
  bool orphan = false;
  std::chrono::duration<double> distance{1.0};  // serve local when the root distance exceeds this
  std::chrono::duration<double> activate{
      0.0};  // only after the root distance was once below this; 0: no condition
  std::chrono::duration<double> wait_synced{0.0};    // since the last synchronisation
  std::chrono::duration<double> wait_unsynced{0.0};  // since start, when never synchronised

  friend bool operator==(const LocalConfig&, const LocalConfig&) = default;
};

// What is known of the clock's synchronisation. From the kernel now; from our own sources later.
struct ClockState {
  bool synchronised = false;
  Leap leap = Leap::none;
  std::uint8_t stratum = 0;
  std::uint32_t refid = 0;
  Nanoseconds root_delay{0};
  Nanoseconds root_dispersion{0};
  WallTime reference_time{};
  double smoothing = 0;    // s, what is served minus the time (`smoothtime`)
  bool hide_leap = false;  // a leap second is smeared: those we serve are not to know
};

// What is served while smoothing is visible, 127.127.1.255 as chronyd: a smeared server is to be recognised.
inline constexpr std::uint32_t kSmoothedRefid = 0x7F7F'01FFU;
// How smoothing changes what is shown; `precision`: log2 s, below which it is not seen.
void apply_smoothing(Reference& reference, const ClockState& state, std::int8_t precision);

enum class ServedAs : std::uint8_t { unsynchronised, synchronised, local };

struct ServedReference {
  ServedAs as = ServedAs::unsynchronised;
  Reference reference;
};

// 127.127.1.1, the address of chrony's local reference.
inline constexpr std::uint32_t kLocalRefid = 0x7F7F'0101U;

class ReferenceSelector {
 public:
  explicit ReferenceSelector(const LocalConfig& local) : local_{local} {}

  void set_local(const LocalConfig& local) { local_ = local; }
  [[nodiscard]] const LocalConfig& local() const { return local_; }

  // `uptime`: since start, monotonic. `now`: the wall clock, for the local reference's reference time.
  [[nodiscard]] ServedReference select(const ClockState& state, std::chrono::duration<double> uptime,
                                       WallTime now);

 private:
  [[nodiscard]] bool local_active(const ClockState& state, std::chrono::duration<double> uptime) const;

  LocalConfig local_;
  bool distance_was_below_activate_ = false;
  std::optional<std::chrono::duration<double>> last_synced_;
  WallTime local_reference_time_{};
};

}  // namespace wiretime::clock
