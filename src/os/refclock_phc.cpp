// SPDX-License-Identifier: BSD-3-Clause
// PHC: a PTP clock read against the system's clock, in the best way that kernel and device offer; or (extpps)
// the pulses that it stamps for us. linux/ptp_clock.h.
#include <fmt/format.h>
#include <linux/ptp_clock.h>
#include <unistd.h>

#include "clock/phc_map.hpp"
#include "os/ptp_clock.hpp"
#include "os/refclock_driver.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

WallTime to_time(const ptp_clock_time& t) {
  return WallTime{std::chrono::seconds{t.sec} + Nanoseconds{t.nsec}};
}

class PhcRefclock final : public RefclockDriver {
 public:
  PhcRefclock(PtpClock clock, const PhcOptions& options) : clock_{std::move(clock)}, options_{options} {}
  PhcRefclock(const PhcRefclock&) = delete;
  PhcRefclock& operator=(const PhcRefclock&) = delete;
  ~PhcRefclock() override {
    if (options_.extpps) switch_pulses(0);
  }

  [[nodiscard]] Result<void> start_pulses() {
    if (options_.pin >= 0) {
      ptp_pin_desc pin{};
      pin.index = static_cast<unsigned>(options_.pin);
      pin.func = PTP_PF_EXTTS;
      pin.chan = options_.channel;
      if (clock_.ioctl(PTP_PIN_SETFUNC, &pin) < 0)
        return fail(
            fmt::format("cannot make pin {} an input for pulses: {} (a pin with a fixed function: "
                        "\":pin=-1\")",
                        options_.pin, errno_text()));
    }
    if (!switch_pulses(PTP_ENABLE_FEATURE | (options_.clear ? PTP_FALLING_EDGE : PTP_RISING_EDGE)))
      return fail(
          fmt::format("cannot have pulses on channel {} stamped: {}", options_.channel, errno_text()));
    return {};
  }

  std::optional<clock::ClockReading> poll() override {
    const auto reading = clock::best_reading(clock_.read());
    if (!reading) return std::nullopt;
    if (!options_.extpps) return reading;
    map_.add(*reading);
    return std::nullopt;
  }

  std::string_view method() const override { return clock_.method(); }

  int fd() const override { return options_.extpps ? clock_.fd() : -1; }

  std::optional<clock::ClockReading> receive() override {
    ptp_extts_event event{};
    if (::read(clock_.fd(), &event, sizeof event) != sizeof event) return std::nullopt;
    const WallTime device = to_time(event.t);
    if (event.index != options_.channel || device == last_pulse_) return std::nullopt;
    last_pulse_ = device;
    const auto moment = map_.system_time(device);
    if (!moment) return std::nullopt;
    clock::ClockReading reading =
        clock::reading_of(moment->system, std::chrono::round<std::chrono::seconds>(moment->system));
    reading.error = moment->error;
    reading.pulse = true;
    return reading;
  }

 private:
  bool switch_pulses(unsigned flags) {
    ptp_extts_request request{};
    request.index = options_.channel;
    request.flags = flags;
    return clock_.ioctl(PTP_EXTTS_REQUEST, &request) >= 0;
  }

  PtpClock clock_;
  PhcOptions options_;
  clock::PhcMap map_;
  WallTime last_pulse_{};
};

}  // namespace

DriverResult open_phc_refclock(const std::string& device_or_interface, const PhcOptions& options,
                               const Ioctl& ioctl) {
  const auto refuse = [&](const std::string& why) {
    return fail(fmt::format("refclock PHC {}: {}", device_or_interface, why));
  };
  // Pins and channels can only be set through a descriptor open for writing.
  auto clock = PtpClock::open(device_or_interface, {options.extpps, options.nocrossts}, {ioctl});
  if (!clock) return refuse(clock.error().message);
  auto driver = std::make_unique<PhcRefclock>(std::move(*clock), options);
  if (options.extpps)
    if (auto started = driver->start_pulses(); !started) return refuse(started.error().message);
  return driver;
}

}  // namespace wiretime::os
