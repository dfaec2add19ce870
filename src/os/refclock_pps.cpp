// SPDX-License-Identifier: BSD-3-Clause
// PPS: the kernel's time of the last pulse of a /dev/pps device (RFC 2783, through linux/pps.h).
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/pps.h>

#include "os/file_descriptor.hpp"
#include "os/refclock_driver.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

class PpsRefclock final : public RefclockDriver {
 public:
  PpsRefclock(FileDescriptor fd, bool clear, Ioctl ioctl)
      : fd_{std::move(fd)}, clear_{clear}, ioctl_{std::move(ioctl)} {}

  std::optional<clock::ClockReading> poll() override {
    pps_fdata data{};  // a timeout of zero: what there is, at once
    if (ioctl_(fd_.get(), PPS_FETCH, &data) < 0) return std::nullopt;
    const auto sequence = clear_ ? data.info.clear_sequence : data.info.assert_sequence;
    const pps_ktime& at = clear_ ? data.info.clear_tu : data.info.assert_tu;
    if (sequence == last_sequence_ || (at.sec == 0 && at.nsec == 0)) return std::nullopt;
    last_sequence_ = sequence;
    clock::ClockReading reading;
    reading.system = WallTime{std::chrono::seconds{at.sec} + Nanoseconds{at.nsec}};
    reading.fraction = -1e-9 * at.nsec;
    reading.pulse = true;
    return reading;
  }

 private:
  FileDescriptor fd_;
  bool clear_;
  Ioctl ioctl_;
  std::uint32_t last_sequence_ = 0;
};

}  // namespace

DriverResult open_pps_refclock(const std::string& device, bool clear, const Ioctl& ioctl) {
  const auto refuse = [&](const char* what) {
    return fail(fmt::format("refclock PPS {}: {}: {}", device, what, errno_text()));
  };
  FileDescriptor fd{open(device.c_str(), O_RDWR | O_CLOEXEC)};
  if (!fd.valid()) return refuse("cannot open it");
  int able = 0;
  pps_kparams parameters{};
  if (ioctl(fd.get(), PPS_GETCAP, &able) < 0 || ioctl(fd.get(), PPS_GETPARAMS, &parameters) < 0)
    return refuse("not a PPS device");
  const int wanted = clear ? PPS_CAPTURECLEAR : PPS_CAPTUREASSERT;
  if ((able & wanted) == 0)
    return fail(fmt::format("refclock PPS {}: it does not report the {} edge ({} \":clear\")", device,
                            clear ? "falling" : "rising", clear ? "remove" : "try"));
  parameters.api_version = PPS_API_VERS;
  parameters.mode = (parameters.mode & ~PPS_CAPTUREBOTH) | wanted;
  if (ioctl(fd.get(), PPS_SETPARAMS, &parameters) < 0) return refuse("cannot choose the edge");
  return std::make_unique<PpsRefclock>(std::move(fd), clear, ioctl);
}

}  // namespace wiretime::os
