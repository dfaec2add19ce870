// SPDX-License-Identifier: BSD-3-Clause
// A PTP clock of the kernel, /dev/ptpN (linux/ptp_clock.h): read against the system's clock in the best way
// that kernel and device offer, and steered. PtpClock: what refclock PHC and hwtimestamp read. PtpNicClock:
// the same as a clock::NicClock, against the CPU's counter. Control thread.
#pragma once

#include <sys/timex.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "clock/nic_clock.hpp"
#include "clock/phc_map.hpp"
#include "clock/tick_map.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::os {

// ::ioctl and ::clock_adjtime, or what a test puts in the place of a device.
using Ioctl = std::function<int(int fd, unsigned long request, void* argument)>;
using ClockAdjtime = std::function<int(clockid_t clock, timex* t)>;
[[nodiscard]] Ioctl system_ioctl();
[[nodiscard]] ClockAdjtime system_clock_adjtime();

struct PtpSystem {
  Ioctl ioctl = system_ioctl();
  ClockAdjtime adjust = system_clock_adjtime();
  std::string devices = "/dev/ptp";  // before their numbers
};

class PtpClock {
 public:
  struct Options {
    bool writable = false;   // to be steered, or its pins set
    bool nocrossts = false;  // no cross timestamps by hardware
  };
  // "/dev/ptp0" of a device's name or of the network interface that it belongs to.
  [[nodiscard]] static Result<std::string> find(const std::string& device_or_interface,
                                                const PtpSystem& system = {});
  // The device, or the network interface that it belongs to. The error says what is wrong with it.
  [[nodiscard]] static Result<PtpClock> open(const std::string& device_or_interface, const Options& options,
                                             PtpSystem system = {});

  // Readings in a row, the first of them the oldest; empty when the device gives none. Valid until the next
  // call. The way is found by the first calls: later failures pass.
  [[nodiscard]] std::span<const clock::CrossStamp> read();
  // "precise", "extended" or "plain".
  [[nodiscard]] std::string_view method() const;

  [[nodiscard]] double max_adjustment() const { return max_adjustment_; }  // s/s; 0: cannot be steered
  // What it is corrected by, s/s; positive runs faster.
  [[nodiscard]] Result<double> frequency() const;
  [[nodiscard]] Result<void> set_frequency(double frequency);
  [[nodiscard]] Result<void> step(Nanoseconds by);

  [[nodiscard]] const std::string& device() const { return device_; }  // "/dev/ptp0"
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] int ioctl(unsigned long request, void* argument) const {
    return system_.ioctl(fd_.get(), request, argument);
  }

 private:
  enum class Way : std::uint8_t { precise, extended, plain };
  static constexpr std::size_t kMostStamps = 25;  // PTP_MAX_SAMPLES

  PtpClock(FileDescriptor fd, std::string device, double max_adjustment, Way way, PtpSystem system)
      : fd_{std::move(fd)},
        device_{std::move(device)},
        max_adjustment_{max_adjustment},
        way_{way},
        system_{std::move(system)} {}
  [[nodiscard]] std::size_t read_once();

  FileDescriptor fd_;
  std::string device_;
  double max_adjustment_;
  Way way_;
  bool worked_ = false;
  PtpSystem system_;
  std::array<clock::CrossStamp, kMostStamps> stamps_{};
};

class PtpNicClock final : public clock::NicClock {
 public:
  // The system's clock against the counter; os::cross_read, but in tests.
  using CrossRead = std::function<clock::CrossReading()>;
  PtpNicClock(PtpClock clock, CrossRead system_clock)
      : clock_{std::move(clock)}, system_clock_{std::move(system_clock)} {}

  [[nodiscard]] std::string_view method() const override { return clock_.method(); }
  [[nodiscard]] Result<std::span<const clock::NicReading>> read() override;
  [[nodiscard]] double max_adjustment() const override { return clock_.max_adjustment(); }
  [[nodiscard]] double frequency() const override { return clock_.frequency().value_or(0); }
  [[nodiscard]] Result<void> set_frequency(double f) override { return clock_.set_frequency(f); }
  [[nodiscard]] Result<void> step(Nanoseconds by) override { return clock_.step(by); }
  [[nodiscard]] const std::string& device() const { return clock_.device(); }

 private:
  PtpClock clock_;
  CrossRead system_clock_;
  std::vector<clock::NicReading> readings_;
};

}  // namespace wiretime::os
