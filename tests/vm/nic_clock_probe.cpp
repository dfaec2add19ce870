// SPDX-License-Identifier: BSD-3-Clause
// nic_clock_probe PCI-ADDRESS: the clock of a card that DPDK drives, mapped as the daemon maps it (PortClock,
// TickMap), against the system's clock at the same moments, before the card's clock is set 0.5 s forward and
// after. Prints a line for each. Run in a guest by vm_pci.py.
#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "clock/tick_map.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/port.hpp"
#include "dpdk/port_clock.hpp"
#include "os/kernel_clock.hpp"
#include "os/tsc.hpp"

using namespace wiretime;
using namespace std::chrono_literals;

namespace {

constexpr int kRefreshes = 60;  // 10 a second, as the data plane does
constexpr std::int64_t kForward = 500'000'000;

[[noreturn]] void die(const std::string& why) {
  fmt::print(stderr, "nic_clock_probe: {}\n", why);
  std::exit(1);
}

// What the card showed while the system's clock went from `before` to `after`.
struct Sight {
  std::uint64_t nic = 0;
  WallTime before, after;
  [[nodiscard]] WallTime middle() const { return before + (after - before) / 2; }
};

Sight look(std::uint16_t ethdev) {
  Sight best;
  for (int i = 0; i < 10; ++i) {
    Sight s;
    timespec shown{};
    s.before = os::wall_now();
    const int code = rte_eth_timesync_read_time(ethdev, &shown);
    s.after = os::wall_now();
    if (code != 0) die(fmt::format("rte_eth_timesync_read_time: {}", code));
    s.nic =
        static_cast<std::uint64_t>(shown.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(shown.tv_nsec);
    if (i == 0 || s.after - s.before < best.after - best.before) best = s;
  }
  return best;
}

double nanoseconds(Nanoseconds d) {
  return static_cast<double>(d.count());
}

class Probe {
 public:
  Probe(const server::DataplaneConfig& config, std::uint16_t ethdev, os::Log& log)
      : clock_{config, {}}, ethdev_{ethdev} {
    if (auto ok = clock_.start(ethdev, log); !ok) die(ok.error().message);
    if (!clock_.status()) die("the driver offers no clock");
  }

  void measure(std::string_view phase) {
    std::vector<double> errors, widths;
    int unusable = 0;
    for (int i = 0; i < kRefreshes; ++i) {
      time_map_.add(os::cross_read(os::read_tsc_ordered, 5));
      clock_.refresh({os::read_tsc(), os::wall_now(), {}, 0}, 0);
      std::this_thread::sleep_for(100ms);
      clock::NicSnapshot nic;
      clock::TimeSnapshot time;
      if (!time_map_.ready() || !clock_.snapshot().try_load(nic)) continue;
      time_map_.fill(time);
      const Sight sight = look(ethdev_);
      const auto arrival = nic.arrival_of(sight.nic, os::read_tsc());
      if (!arrival.usable()) {
        ++unusable;
        continue;
      }
      const WallTime mapped = time.time_at(arrival.ticks).near(sight.middle());
      errors.push_back(std::fabs(nanoseconds(mapped - sight.middle())));
      widths.push_back(nanoseconds(sight.after - sight.before) / 2);
    }
    print(phase, errors, widths, unusable);
  }

 private:
  void print(std::string_view phase, std::vector<double>& errors, std::vector<double>& widths, int unusable) {
    if (errors.empty()) die("no stamp could be told in time");
    std::sort(errors.begin(), errors.end());
    std::sort(widths.begin(), widths.end());
    const auto status = *clock_.status();
    fmt::print(
        "{} count={} unusable={} median_ns={:.0f} p90_ns={:.0f} max_ns={:.0f} width_ns={:.0f} "
        "bound_ns={:.0f} "
        "ready={} fast_ppm={:.3f}",
        phase, errors.size(), unusable, errors[errors.size() / 2], errors[errors.size() * 9 / 10],
        errors.back(), widths[widths.size() / 2], status.error_bound * 1e9, status.ready ? 1 : 0,
        (status.nic_hertz * 1e-9 * (time_map_.ticks_per_second() / static_cast<double>(rte_get_tsc_hz())) -
         1) *
            1e6);
    for (std::size_t e = 0; e < clock::kNicEvents; ++e)
      fmt::print(" {}={}", name(static_cast<clock::NicEvent>(e)), status.events[e]);
    fmt::print("\n");
  }

  dpdk::PortClock clock_;
  std::uint16_t ethdev_;
  clock::TickMap time_map_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) die("usage: nic_clock_probe PCI-ADDRESS");
  server::DataplaneConfig config;
  config.kind = server::DataplaneConfig::Kind::pci;
  config.device = words[1];
  dpdk::DriverLog driver_log;
  os::Log log = os::Log::to_stderr(os::LogLevel::info);
  auto eal = dpdk::Eal::start(dpdk::EalOptions::for_ports({config}), driver_log);
  if (!eal) die(eal.error().message);
  dpdk::PortOptions options;
  options.nodes = {0};
  auto port = dpdk::Port::open(config, options, driver_log);
  if (!port) die(port.error().message);
  if (auto ok = (*port)->start(); !ok) die(ok.error().message);
  const std::uint16_t ethdev = (*port)->queue(0).device;

  Probe probe{config, ethdev, log};
  probe.measure("free");
  if (const int code = rte_eth_timesync_adjust_time(ethdev, kForward); code != 0)
    die(fmt::format("rte_eth_timesync_adjust_time: {}", code));
  probe.measure("stepped");
  (*port)->stop();
}
