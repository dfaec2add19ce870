// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/port_clock.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <cmath>

#include "dpdk/devargs.hpp"
#include "dpdk/nic_clock.hpp"
#include "os/kernel_clock.hpp"
#include "os/ptp_clock.hpp"
#include "os/tsc.hpp"

namespace wiretime::dpdk {

namespace {

using clock::NicEvent;
using clock::NicRole;
using Kind = server::DataplaneConfig::Kind;

constexpr unsigned kSystemClockReadings = 5;
constexpr unsigned kUnready = 3;  // calls of tell

std::uint64_t count(const clock::NicStatus& status, NicEvent event) {
  return status.events[static_cast<std::size_t>(event)];
}

std::string nanoseconds(double seconds) {
  return fmt::format("{:.0f}", seconds * 1e9);
}

}  // namespace

Result<std::unique_ptr<clock::NicClock>> PortClock::open(std::uint16_t ethdev) {
  if (config_.kind == Kind::pci) {
    auto opened = EthdevClock::open(ethdev_calls(ethdev));
    if (!opened) return tl::make_unexpected(opened.error());
    return std::move(*opened);
  }
  if (!config_.kernel_owns_port()) return fail("a virtual device has no clock");
  auto opened = os::PtpClock::open(config_.device, {config_.phc != NicRole::free, options_.no_cross_stamps});
  if (!opened) return tl::make_unexpected(opened.error());
  device_ = opened->device();
  return std::make_unique<os::PtpNicClock>(
      std::move(*opened), [] { return os::cross_read(os::read_tsc_ordered, kSystemClockReadings); });
}

Result<void> PortClock::start(std::uint16_t ethdev, os::Log& log) {
  auto opened = open(ethdev);
  const bool ours = config_.phc != NicRole::free;
  if (!opened) {
    if (ours)
      return fail(
          fmt::format("{}: phc {}: {}", describe(config_), name(config_.phc), opened.error().message));
    log.debug("{}: no NIC clock: {}", describe(config_), opened.error().message);
    return {};
  }
  if (ours && (*opened)->max_adjustment() == 0)
    return fail(fmt::format("{}: phc {}: the frequency of this NIC's clock cannot be set{}; use 'phc free'",
                            describe(config_), name(config_.phc),
                            config_.kind == Kind::pci ? " through this DPDK and driver" : ""));
  keeper_ = std::make_unique<clock::NicTimekeeper>(std::move(*opened), config_.phc,
                                                   static_cast<double>(rte_get_tsc_hz()), options_);
  return {};
}

void PortClock::refresh(const clock::NicTimekeeper::Moment& moment, std::uint32_t link_speed) {
  if (!keeper_) return;
  keeper_->refresh(moment);
  clock::NicSnapshot snapshot = keeper_->snapshot();
  if (link_speed != 0)
    snapshot.wire_rate =
        static_cast<std::uint32_t>(static_cast<double>(rte_get_tsc_hz()) * 8 / (link_speed * 1e6) * 65536);
  snapshot.shift =
      -std::llround(options_.receive_compensation * static_cast<double>(rte_get_tsc_hz()) * 65536);
  snapshot.probation = probation_;
  snapshot_.store(snapshot);
}

void PortClock::tell(os::Log& log) {
  if (!keeper_) return;
  if (std::string error = keeper_->take_error(); !error.empty()) why_ = std::move(error);
  const clock::NicStatus s = keeper_->status();
  if (s.failures != 0 && !why_.empty())
    log.limited(os::LogLevel::warning, "NIC clock " + config_.device, std::chrono::hours{1},
                "NIC clock of {}: {}", config_.device, why_);
  if (s.steps != std::exchange(told_steps_, s.steps))
    log.info("{}", os::fields("NIC clock set", "port", config_.device, "to", name(s.role)));
  if (s.locked && !std::exchange(told_locked_, true))
    log.info("{}", os::fields("NIC clock locked", "port", config_.device, "offset_ns",
                              nanoseconds(s.offset.value_or(0)), "correction_ppm",
                              fmt::format("{:.3f}", s.correction * 1e6)));
  if (!s.locked && s.ready) told_locked_ = false;
  // A clock that was just set, or misread once, is back before anybody had to know.
  unready_ = s.ready ? 0 : unready_ + 1;
  if (s.ready == told_ready_ || (!s.ready && unready_ < kUnready)) return;
  told_ready_ = s.ready;
  if (s.ready) {
    log.info("{}", os::fields("NIC clock usable", "port", config_.device, "device",
                              device_.empty() ? "dpdk" : device_, "method", s.method, "error_ns",
                              nanoseconds(s.error_bound), "phc", name(s.role)));
    return;
  }
  log.warning("{}", os::fields("NIC clock not usable", "port", config_.device, "missed",
                               count(s, NicEvent::missed), "frozen", count(s, NicEvent::frozen), "zero",
                               count(s, NicEvent::zero), "jumped", count(s, NicEvent::jumped), "restarted",
                               count(s, NicEvent::restarted), "why", why_.empty() ? "readings" : why_));
}

std::optional<clock::NicStatus> PortClock::status() const {
  if (!keeper_) return std::nullopt;
  return keeper_->status();
}

}  // namespace wiretime::dpdk
