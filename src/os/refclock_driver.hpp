// SPDX-License-Identifier: BSD-3-Clause
// How the daemon reads a reference clock. A driver is opened at start, before privileges are dropped; from
// then on it is asked now and then, or its descriptor says when there is something. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "clock/refclock.hpp"
#include "os/ptp_clock.hpp"

namespace wiretime::os {

class RefclockDriver {
 public:
  virtual ~RefclockDriver() = default;

  // Every 2^dpoll seconds: what is new, if anything.
  [[nodiscard]] virtual std::optional<clock::ClockReading> poll() { return {}; }
  // How it is read, where there are several ways; known once poll() gave something.
  [[nodiscard]] virtual std::string_view method() const { return {}; }
  // -1, or readable when receive() has something.
  [[nodiscard]] virtual int fd() const { return -1; }
  // One message off the descriptor; nullopt: none waits, or it was no reading.
  [[nodiscard]] virtual std::optional<clock::ClockReading> receive() { return {}; }
};

using DriverResult = Result<std::unique_ptr<RefclockDriver>>;

// Shared memory segment number `unit` (0..255), created with `permissions` when nobody has yet.
[[nodiscard]] DriverResult open_shm_refclock(unsigned unit, unsigned permissions);
// A unix datagram socket, made here; a stale one is replaced.
[[nodiscard]] DriverResult open_sock_refclock(const std::string& path);

// A device of the kernel's PPS interface (RFC 2783). `clear`: the falling edge counts.
[[nodiscard]] DriverResult open_pps_refclock(const std::string& device, bool clear,
                                             const Ioctl& ioctl = system_ioctl());

struct PhcOptions {
  bool nocrossts = false;  // no cross timestamps by hardware
  bool extpps = false;     // the clock only stamps pulses that come in on one of its pins
  bool clear = false;      // the falling edge of these
  int pin = 0;             // -1: its function is fixed
  unsigned channel = 0;
};
// A PTP clock: its device, or the network interface that it belongs to.
[[nodiscard]] DriverResult open_phc_refclock(const std::string& device_or_interface,
                                             const PhcOptions& options, const Ioctl& ioctl = system_ioctl());

}  // namespace wiretime::os
