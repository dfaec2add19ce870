// SPDX-License-Identifier: BSD-3-Clause
#include "os/ptp_clock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

constexpr double kFreqScale = 65536e6;  // timex: ppm with a 16-bit fraction

WallTime to_time(const ptp_clock_time& t) {
  return WallTime{std::chrono::seconds{t.sec} + Nanoseconds{t.nsec}};
}

// What the kernel makes of a descriptor to have a clock (FD_TO_CLOCKID in its documentation).
clockid_t clock_of(int fd) {
  return static_cast<clockid_t>((~static_cast<unsigned>(fd) << 3) | 3U);
}

}  // namespace

Result<std::string> PtpClock::find(const std::string& interface, const PtpSystem& system) {
  if (interface.find('/') != std::string::npos) return interface;
  const FileDescriptor fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ethtool_ts_info info{};
  info.cmd = ETHTOOL_GET_TS_INFO;
  info.phc_index = -1;
  ifreq request{};
  if (interface.size() >= sizeof request.ifr_name) return fail("no such network interface");
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (system.ioctl(fd.get(), SIOCETHTOOL, &request) < 0) return fail(errno_text());
  if (info.phc_index < 0) return fail("this network interface has no PTP clock");
  return fmt::format("{}{}", system.devices, info.phc_index);
}

Ioctl system_ioctl() {
  return [](int fd, unsigned long request, void* argument) { return ::ioctl(fd, request, argument); };
}

ClockAdjtime system_clock_adjtime() {
  return [](clockid_t clock, timex* t) { return ::clock_adjtime(clock, t); };
}

Result<PtpClock> PtpClock::open(const std::string& device_or_interface, const Options& options,
                                PtpSystem system) {
  auto found = find(device_or_interface, system);
  if (!found) return tl::make_unexpected(found.error());
  const std::string& device = *found;
  const int flags = (options.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
  FileDescriptor fd{::open(device.c_str(), flags)};
  if (!fd.valid()) return fail(fmt::format("cannot open {}: {}", device, errno_text()));
  ptp_clock_caps able{};
  if (system.ioctl(fd.get(), PTP_CLOCK_GETCAPS, &able) < 0)
    return fail(fmt::format("{} is not a PTP clock: {}", device, errno_text()));
  // What the capabilities say of cross timestamps is not asked: some drivers only know when they try.
  return PtpClock{std::move(fd), std::move(*found), std::max(able.max_adj, 0) * 1e-9,
                  options.nocrossts ? Way::extended : Way::precise, std::move(system)};
}

std::span<const clock::CrossStamp> PtpClock::read() {
  std::size_t count = read_once();
  while (count == 0 && way_ != Way::plain && !worked_) {
    way_ = way_ == Way::precise ? Way::extended : Way::plain;
    count = read_once();
  }
  worked_ = worked_ || count > 0;
  return std::span{stamps_}.first(count);
}

std::size_t PtpClock::read_once() {
  static_assert(kMostStamps == PTP_MAX_SAMPLES);
  if (way_ == Way::precise) {
    ptp_sys_offset_precise precise{};
    if (ioctl(PTP_SYS_OFFSET_PRECISE, &precise) < 0) return 0;
    const WallTime system = to_time(precise.sys_realtime);
    stamps_[0] = {system, to_time(precise.device), system};
    return 1;
  }
  if (way_ == Way::extended) {
    ptp_sys_offset_extended extended{};
    extended.n_samples = PTP_MAX_SAMPLES;
    if (ioctl(PTP_SYS_OFFSET_EXTENDED, &extended) < 0) return 0;
    for (std::size_t i = 0; i < kMostStamps; ++i) {
      const auto& ts = extended.ts[i];
      stamps_[i] = {to_time(ts[0]), to_time(ts[1]), to_time(ts[2])};
    }
    return kMostStamps;
  }
  ptp_sys_offset plain{};
  plain.n_samples = PTP_MAX_SAMPLES;
  if (ioctl(PTP_SYS_OFFSET, &plain) < 0) return 0;
  for (std::size_t i = 0; i < kMostStamps; ++i) {
    const ptp_clock_time* const ts = &plain.ts[2 * i];
    stamps_[i] = {to_time(ts[0]), to_time(ts[1]), to_time(ts[2])};
  }
  return kMostStamps;
}

std::string_view PtpClock::method() const {
  return way_ == Way::precise ? "precise" : way_ == Way::extended ? "extended" : "plain";
}

Result<double> PtpClock::frequency() const {
  timex t{};
  if (system_.adjust(clock_of(fd()), &t) < 0)
    return fail(fmt::format("cannot read the frequency of {}: {}", device_, errno_text()));
  return static_cast<double>(t.freq) / kFreqScale;
}

Result<void> PtpClock::set_frequency(double frequency) {
  timex t{};
  t.modes = ADJ_FREQUENCY;
  t.freq = std::lround(std::clamp(frequency, -max_adjustment_, max_adjustment_) * kFreqScale);
  if (system_.adjust(clock_of(fd()), &t) < 0)
    return fail(fmt::format("cannot set the frequency of {}: {}", device_, errno_text()));
  return {};
}

Result<void> PtpClock::step(Nanoseconds by) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(by);
  timex t{};
  t.modes = ADJ_SETOFFSET | ADJ_NANO;
  t.time.tv_sec = whole.count();
  t.time.tv_usec = (by - whole).count();  // nanoseconds
  if (system_.adjust(clock_of(fd()), &t) < 0)
    return fail(fmt::format("cannot step {}: {}", device_, errno_text()));
  return {};
}

Result<std::span<const clock::NicReading>> PtpNicClock::read() {
  const clock::CrossReading first = system_clock_();
  const auto stamps = clock_.read();
  if (stamps.empty()) return fail(fmt::format("cannot read {}: {}", clock_.device(), errno_text()));
  const clock::CrossReading last = system_clock_();
  readings_.clear();
  const auto middle = [](const clock::CrossReading& r) {
    return r.before.value + (r.after.value - r.before.value) / 2;
  };
  const double ticks = static_cast<double>(middle(last) - middle(first));
  const double nanoseconds = static_cast<double>((last.time - first.time).count());
  // The system's clock runs evenly from the one reading to the other, or was stepped.
  if (nanoseconds > 0)
    for (const clock::CrossStamp& s : stamps) {
      if (s.before < first.time || s.after > last.time) continue;
      const auto at = [&](WallTime t) {
        const double since = static_cast<double>((t - first.time).count());
        return Ticks{middle(first) + static_cast<std::uint64_t>(std::llround(since * ticks / nanoseconds))};
      };
      readings_.push_back(
          {static_cast<std::uint64_t>(s.device.time_since_epoch().count()), at(s.before), at(s.after)});
    }
  return std::span<const clock::NicReading>{readings_};
}

}  // namespace wiretime::os
