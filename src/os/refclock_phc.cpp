// SPDX-License-Identifier: BSD-3-Clause
// PHC: a PTP clock read against the system's clock, in the best way that kernel and device offer; or (extpps)
// the pulses that it stamps for us. linux/ptp_clock.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "clock/phc_map.hpp"
#include "os/file_descriptor.hpp"
#include "os/refclock_driver.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

WallTime to_time(const ptp_clock_time& t) {
  return WallTime{std::chrono::seconds{t.sec} + Nanoseconds{t.nsec}};
}

class PhcRefclock final : public RefclockDriver {
 public:
  PhcRefclock(FileDescriptor fd, const PhcOptions& options, Ioctl ioctl)
      : fd_{std::move(fd)},
        options_{options},
        ioctl_{std::move(ioctl)},
        way_{options.nocrossts ? Way::extended : Way::precise} {}
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
      if (ioctl_(fd_.get(), PTP_PIN_SETFUNC, &pin) < 0)
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
    auto reading = read();
    while (!reading && way_ != Way::plain && !worked_) {
      way_ = way_ == Way::precise ? Way::extended : Way::plain;
      reading = read();
    }
    if (!reading) return std::nullopt;
    worked_ = true;
    if (!options_.extpps) return reading;
    map_.add(*reading);
    return std::nullopt;
  }

  int fd() const override { return options_.extpps ? fd_.get() : -1; }

  std::optional<clock::ClockReading> receive() override {
    ptp_extts_event event{};
    if (::read(fd_.get(), &event, sizeof event) != sizeof event) return std::nullopt;
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
  enum class Way : std::uint8_t { precise, extended, plain };

  bool switch_pulses(unsigned flags) {
    ptp_extts_request request{};
    request.index = options_.channel;
    request.flags = flags;
    return ioctl_(fd_.get(), PTP_EXTTS_REQUEST, &request) >= 0;
  }

  [[nodiscard]] std::optional<clock::ClockReading> read() {
    std::array<clock::CrossStamp, PTP_MAX_SAMPLES> stamps;
    std::size_t count = 0;
    if (way_ == Way::precise) {
      ptp_sys_offset_precise precise{};
      if (ioctl_(fd_.get(), PTP_SYS_OFFSET_PRECISE, &precise) < 0) return std::nullopt;
      const WallTime system = to_time(precise.sys_realtime);
      stamps[count++] = {system, to_time(precise.device), system};
    } else if (way_ == Way::extended) {
      ptp_sys_offset_extended extended{};
      extended.n_samples = PTP_MAX_SAMPLES;
      if (ioctl_(fd_.get(), PTP_SYS_OFFSET_EXTENDED, &extended) < 0) return std::nullopt;
      for (const auto& ts : extended.ts) stamps[count++] = {to_time(ts[0]), to_time(ts[1]), to_time(ts[2])};
    } else {
      ptp_sys_offset plain{};
      plain.n_samples = PTP_MAX_SAMPLES;
      if (ioctl_(fd_.get(), PTP_SYS_OFFSET, &plain) < 0) return std::nullopt;
      for (; count < PTP_MAX_SAMPLES; ++count) {
        const ptp_clock_time* const ts = &plain.ts[2 * count];
        stamps[count] = {to_time(ts[0]), to_time(ts[1]), to_time(ts[2])};
      }
    }
    return clock::best_reading(std::span{stamps}.first(count));
  }

  FileDescriptor fd_;
  PhcOptions options_;
  Ioctl ioctl_;
  Way way_;
  bool worked_ = false;  // the way was found: later failures pass
  clock::PhcMap map_;
  WallTime last_pulse_{};
};

Result<std::string> device_of(const std::string& interface, const Ioctl& ioctl) {
  const FileDescriptor fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ethtool_ts_info info{};
  info.cmd = ETHTOOL_GET_TS_INFO;
  info.phc_index = -1;
  ifreq request{};
  if (interface.size() >= sizeof request.ifr_name) return fail("no such network interface");
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (ioctl(fd.get(), SIOCETHTOOL, &request) < 0) return fail(errno_text());
  if (info.phc_index < 0) return fail("this network interface has no PTP clock");
  return fmt::format("/dev/ptp{}", info.phc_index);
}

}  // namespace

DriverResult open_phc_refclock(const std::string& device_or_interface, const PhcOptions& options,
                               const Ioctl& ioctl) {
  std::string device = device_or_interface;
  const auto refuse = [&](const std::string& why) {
    return fail(fmt::format("refclock PHC {}: {}", device_or_interface, why));
  };
  if (device.find('/') == std::string::npos) {
    auto found = device_of(device_or_interface, ioctl);
    if (!found) return refuse(found.error().message);
    device = std::move(*found);
  }
  // Pins and channels can only be set through a descriptor open for writing.
  FileDescriptor fd{open(device.c_str(), (options.extpps ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK)};
  if (!fd.valid()) return refuse(fmt::format("cannot open {}: {}", device, errno_text()));
  ptp_clock_caps able{};
  if (ioctl(fd.get(), PTP_CLOCK_GETCAPS, &able) < 0)
    return refuse(fmt::format("{} is not a PTP clock: {}", device, errno_text()));
  auto driver = std::make_unique<PhcRefclock>(std::move(fd), options, ioctl);
  if (options.extpps)
    if (auto started = driver->start_pulses(); !started) return refuse(started.error().message);
  return driver;
}

}  // namespace wiretime::os
