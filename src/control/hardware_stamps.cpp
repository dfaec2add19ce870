// SPDX-License-Identifier: BSD-3-Clause
#include "control/hardware_stamps.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "os/interfaces.hpp"
#include "os/kernel_clock.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr double kChecksum = 4;  // bytes behind the frame that the kernel does not count
constexpr auto kOldest = 1s;     // a stamp is told within this, or it is of another clock
constexpr auto kNewest = 10ms;   // and not from the future, but for errors
constexpr auto kUnusedAfter = 60s;
constexpr std::size_t kLeastReadings = 3;  // for a line

Nanoseconds interval(int poll) {
  return std::chrono::duration_cast<Nanoseconds>(Seconds{std::ldexp(1.0, poll)});
}

double wire_seconds_per_byte(const std::string& name) {
  const auto megabits = os::link_speed(name);
  return megabits && *megabits > 0 ? 8e-6 / *megabits : 0;
}

os::StampFilter filter_of(HwTimestamp::RxFilter wanted, const os::StampAbility& able) {
  switch (wanted) {
    case HwTimestamp::RxFilter::all:
      return able.receive_all ? os::StampFilter::all : os::StampFilter::none;
    case HwTimestamp::RxFilter::ntp:
      return able.receive_ntp ? os::StampFilter::ntp : os::StampFilter::none;
    case HwTimestamp::RxFilter::ptp:
      return able.receive_ptp ? os::StampFilter::ptp : os::StampFilter::none;
    case HwTimestamp::RxFilter::none:
      return os::StampFilter::none;
    case HwTimestamp::RxFilter::automatic:
      break;
  }
  return able.best_filter();
}

}  // namespace

HardwareStamps::~HardwareStamps() {
  for (const auto& i : interfaces_) loop_.cancel(i->timer);
}

void HardwareStamps::switch_on(const std::vector<HwTimestamp>& lines) {
  const auto try_one = [&](const std::string& name, const HwTimestamp& line, os::LogLevel level) {
    const auto known = [&](const auto& i) { return i->name == name; };
    if (std::any_of(interfaces_.begin(), interfaces_.end(), known)) return;
    if (auto added = add(name, line); !added)
      log_.write(level, "hwtimestamp " + name + ": " + added.error().message);
  };
  // Interfaces that have a line of their own are not for `*`; PCI addresses are the data plane's.
  const auto is_pci = [](const std::string& name) { return name.find(':') != std::string::npos; };
  for (const HwTimestamp& line : lines)
    if (line.interface != "*" && !is_pci(line.interface))
      try_one(line.interface, line, os::LogLevel::warning);
  for (const HwTimestamp& line : lines) {
    if (line.interface != "*") continue;
    const auto all = os::list_interfaces();
    if (!all) continue;
    for (const os::Interface& i : *all)
      if (!i.loopback) try_one(i.name, line, os::LogLevel::debug);
  }
}

Result<void> HardwareStamps::add(const std::string& name, const HwTimestamp& line) {
  const auto found = os::find_interface(name);
  if (!found) return tl::make_unexpected(found.error());
  const auto able = os::stamp_ability(name, system_.ioctl);
  if (!able) return fail("cannot ask for its timestamps: " + able.error().message);
  if (!able->transmit || !able->clock) return fail("this interface does not stamp packets in hardware");
  const os::StampFilter filter = filter_of(line.rx_filter, *able);
  auto clock = os::PtpClock::open(name, {false, line.nocrossts}, system_);
  if (!clock) return tl::make_unexpected(clock.error());
  if (auto on = os::switch_on_stamps(name, filter, system_.ioctl); !on)
    return fail("cannot switch its timestamps on: " + on.error().message);

  const clock::PhcMap::Size size{std::max<std::size_t>(line.min_samples, kLeastReadings),
                                 std::max<std::size_t>(line.max_samples, kLeastReadings)};
  interfaces_.push_back(std::make_unique<Interface>(Interface{name,
                                                              found->index,
                                                              line,
                                                              std::move(*clock),
                                                              filter,
                                                              clock::PhcMap{size},
                                                              0,
                                                              {},
                                                              {},
                                                              os::monotonic_now()}));
  const bool receives = filter == os::StampFilter::all || filter == os::StampFilter::ntp;
  log_.info("Enabled HW timestamping {}on {}", receives ? "" : "(TX only) ", name);
  interfaces_.back()->used = os::monotonic_now();
  read_again(*interfaces_.back());
  return {};
}

HardwareStamps::Interface* HardwareStamps::find(unsigned index) {
  for (const auto& i : interfaces_)
    if (i->index == index) return i.get();
  return nullptr;
}

bool HardwareStamps::stamps_sends(unsigned interface_index) {
  return find(interface_index) != nullptr;
}

void HardwareStamps::read(Interface& i) {
  const auto reading = clock::best_reading(i.clock.read());
  if (!reading) return;
  const WallTime device =
      clock::advanced(reading->system + std::chrono::seconds{reading->seconds}, reading->fraction);
  clock::ClockReading steady = clock::reading_of(reading->system - os::wall_less_raw(), device);
  steady.error = std::max(reading->error, i.config.precision.count());
  i.map.add(steady);
  i.read_at = os::monotonic_now();
}

// While stamps come in every 2^minpoll s, else every 2^maxpoll.
void HardwareStamps::read_again(Interface& i) {
  i.seconds_per_byte = wire_seconds_per_byte(i.name);
  read(i);
  keep_on(i);
  const bool in_use = os::monotonic_now() - i.used < kUnusedAfter;
  i.timer =
      loop_.after(interval(in_use ? i.config.min_poll : i.config.max_poll), [this, &i] { read_again(i); });
}

// There is one such switch for all programs, and the last one to set it has its way.
void HardwareStamps::keep_on(Interface& i) {
  const Nanoseconds now = os::monotonic_now();
  if (now - i.asked_at < ask_again_) return;
  i.asked_at = now;
  const auto again = os::keep_stamps_on(i.name, i.filter, system_.ioctl);
  if ((again && !*again) || std::exchange(i.told, true)) return;
  if (again)
    log_.warning("hwtimestamp {}: another program switched timestamps off, they are on again", i.name);
  else
    log_.warning(
        "hwtimestamp {}: another program switched timestamps off, and they cannot be switched on: {}", i.name,
        again.error().message);
}

std::optional<KernelStamp> HardwareStamps::told(Interface& i, WallTime device, double correction) {
  const Nanoseconds now = os::monotonic_now();
  i.used = now;
  // A clock that cannot be read any more is not to be trusted for long.
  if (now - i.read_at > 4 * interval(i.config.max_poll)) return std::nullopt;
  const auto moment = i.map.system_time(device);
  if (!moment) return std::nullopt;
  const WallTime time = clock::advanced(moment->system + os::wall_less_raw(), correction);
  const auto age = os::wall_now() - time;
  if (age > kOldest || age < -kNewest) return std::nullopt;
  return KernelStamp{time, moment->error, ntp::StampSource::hardware};
}

std::optional<KernelStamp> HardwareStamps::received(const os::Datagram& d) {
  Interface* const i = d.hardware ? find(d.hardware->interface_index) : nullptr;
  if (i != nullptr) {
    // The hardware stamps a frame's beginning, NTP wants its end.
    const double wire = (static_cast<double>(d.hardware->length) + kChecksum) * i->seconds_per_byte;
    if (const auto stamp = told(*i, d.hardware->time, wire - i->config.rx_compensation.count())) return stamp;
  }
  if (!d.received) return std::nullopt;
  return KernelStamp{*d.received};
}

std::optional<KernelStamp> HardwareStamps::sent(const os::TransmitStamp& s) {
  if (!s.hardware) return KernelStamp{s.sent};
  Interface* const i = find(s.interface_index);
  return i != nullptr ? told(*i, s.sent, i->config.tx_compensation.count()) : std::nullopt;
}

}  // namespace wiretime::control
