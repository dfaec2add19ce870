// SPDX-License-Identifier: BSD-3-Clause
// A world for the source manager: servers that answer after a delay, a clock device that only remembers, time
// that passes when it is told to.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "base/bytes.hpp"
#include "clock/virtual_clock.hpp"
#include "control/source_manager.hpp"
#include "ntp/packet.hpp"

namespace wiretime::control::world {

using namespace std::chrono_literals;

struct Server {
  double offset = 0;  // s, of its clock against the true time
  bool answers = true;
  std::uint8_t stratum = 1;
  std::uint32_t refid = 0x47505300;      // "GPS"; of stratum 0 the kiss code
  clock::Leap leap = clock::Leap::none;  // announced
  NtpShort root_delay{};
  NtpShort root_dispersion{};
};

// The real device's behaviour, as numbers: a step moves the kernel's clock, a frequency makes it run faster.
class FakeSystemClock final : public clock::ClockDevice {
 public:
  WallTime raw(WallTime kernel) const override { return kernel; }
  double frequency() const override { return frequency_; }
  Result<void> set_frequency(WallTime, double frequency) override {
    frequency_ = frequency;
    return {};
  }
  Result<void> step(WallTime, double seconds) override {
    stepped += seconds;
    *kernel_offset += seconds;
    ++steps;
    return {};
  }
  void notify(const clock::KernelNotice& n) override { notice = n; }

  double* kernel_offset = nullptr;
  double frequency_ = 0;
  double stepped = 0;
  int steps = 0;
  clock::KernelNotice notice;
};

class World final : public SourceHost {
 public:
  static constexpr Nanoseconds kTrip = 100us;  // each way

  World(const std::vector<NtpSource>& sources, ClockUse use, std::unique_ptr<clock::ClockDevice> clock_device,
        const std::function<void(Settings&)>& change = {},
        const std::function<void(SourceManager::Options&)>& change_options = {})
      : device{std::move(clock_device)} {
    settings.sources = sources;
    if (change) change(settings);
    SourceManager::Options options;
    options.use = use;
    options.clock_precision = 1e-8;
    if (change_options) change_options(options);
    manager.emplace(settings, options, *device, *this);
  }

  // SourceHost
  Nanoseconds monotonic() const override { return now; }
  WallTime kernel_time() const override { return clock::advanced(epoch + now, kernel_offset); }
  // A leap second comes at `leap_at`, as seen by `at`.
  [[nodiscard]] WallTime true_time(Nanoseconds at) const { return epoch + at + (at >= leap_at ? leap : 0s); }
  std::array<std::uint64_t, 3> random() override { return {++counter * 0x9E37'79B9'7F4A'7C15U, counter, 0}; }
  clock::Reference reference() const override { return served; }
  std::optional<clock::ClockReading> read_refclock(std::size_t index) override {
    const auto refclock = refclocks.find(index);
    return refclock != refclocks.end() ? refclock->second() : std::nullopt;
  }
  bool serves_others() const override { return false; }
  bool send(SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes, ntp::SocketUse) override {
    ++sent;
    sent_at.push_back(now);
    last_sent.assign(bytes.begin(), bytes.end());
    if (!network) return false;
    const auto server = servers.find(to.address);
    if (server == servers.end() || !server->second.answers) return true;
    arrivals.emplace(now + 2 * kTrip + extra_delay, Arrival{id, to, answer(server->second, bytes)});
    advance(now + sending);
    return true;
  }
  void close_socket(SourceId) override {}
  void set_timer(SourceId id, std::optional<Nanoseconds> at) override {
    if (at)
      timers[id] = *at;
    else
      timers.erase(id);
  }
  void set_clock_timer(std::optional<Nanoseconds> delay) override {
    clock_timer = delay ? std::optional{now + *delay} : std::nullopt;
  }
  bool has_route(const os::Endpoint& to) override { return !unrouted.count(to.address); }
  void look_up(const std::string& name, Family) override { looked_up.push_back(name); }
  void log(os::LogLevel level, const std::string& line) override {
    lines.push_back(line);
    levels.push_back(level);
  }
  void record(const status::LogRecord& r) override { records.push_back(r); }
  void clock_stepped() override {}
  void clock_updated() override { ++updates; }
  void finish(bool success) override { finished = success; }

  std::vector<std::byte> answer(const Server& server, std::span<const std::byte> request) const {
    std::vector<std::byte> reply(ntp::kHeaderLength);
    const WallTime there = clock::advanced(true_time(now + kTrip), server.offset);
    const std::uint64_t t = NtpTimestamp::from(there).value;
    reply[0] = static_cast<std::byte>(static_cast<unsigned>(server.leap) << 6 | 0x24);  // version 4, server
    reply[1] = std::byte{server.stratum};
    reply[2] = request[2];
    reply[3] = std::byte{0xE6};  // 2^-26
    store_be32(reply.data() + 4, server.root_delay.value);
    store_be32(reply.data() + 8, server.root_dispersion.value);
    store_be32(reply.data() + 12, server.refid);
    store_be64(reply.data() + 16, t - (1ULL << 32));
    std::copy_n(request.begin() + 40, 8, reply.begin() + 24);
    store_be64(reply.data() + 32, t);
    store_be64(reply.data() + 40, t);
    return reply;
  }

  void run(Nanoseconds duration) {
    const Nanoseconds end = now + duration;
    for (;;) {
      Nanoseconds next = end;
      for (const auto& [id, at] : timers) next = std::min(next, at);
      if (!arrivals.empty()) next = std::min(next, arrivals.begin()->first);
      if (clock_timer) next = std::min(next, *clock_timer);
      advance(std::max(next, now));
      if (now >= end) return;
      if (clock_timer && *clock_timer <= now) {
        clock_timer.reset();
        manager->service_clock();
      } else if (!arrivals.empty() && arrivals.begin()->first <= now) {
        const Arrival a = arrivals.begin()->second;
        arrivals.erase(arrivals.begin());
        manager->receive(a.id, {a.bytes, kernel_time(), a.from, *IpAddress::parse("192.0.2.99")});
      } else {
        for (const auto& [id, at] : timers) {
          if (at > now) continue;
          const SourceId due = id;
          timers.erase(due);
          manager->timer(due);
          break;
        }
      }
    }
  }
  // What a reference clock reads now that is `offset` seconds ahead of true time.
  [[nodiscard]] clock::ClockReading reading(double offset) const {
    return clock::reading_of(kernel_time(), clock::advanced(WallTime{1'800'000'000s} + now, offset));
  }
  // Lets the kernel's clock run to `to`, which is true time.
  void advance(Nanoseconds to) {
    if (real != nullptr) kernel_offset += real->frequency_ * std::chrono::duration<double>(to - now).count();
    kernel_offset += drift * std::chrono::duration<double>(to - now).count();
    now = to;
  }
  [[nodiscard]] bool said(const std::string& part) const {
    for (const std::string& line : lines)
      if (line.find(part) != std::string::npos) return true;
    return false;
  }
  // s, by which the time served is ahead of the true time
  [[nodiscard]] double error() const {
    return clock::seconds_between(true_time(now), manager->served_time(kernel_time()));
  }

  struct Arrival {
    SourceId id;
    os::Endpoint from;
    std::vector<std::byte> bytes;
  };
  Settings settings;
  std::unique_ptr<clock::ClockDevice> device;
  FakeSystemClock* real = nullptr;
  std::optional<SourceManager> manager;
  std::map<IpAddress, Server> servers;
  std::map<std::size_t, std::function<std::optional<clock::ClockReading>()>> refclocks;  // by line
  clock::Reference served;
  std::set<IpAddress> unrouted;
  std::map<SourceId, Nanoseconds> timers;
  std::multimap<Nanoseconds, Arrival> arrivals;
  std::optional<Nanoseconds> clock_timer;
  std::vector<std::string> lines;
  std::vector<os::LogLevel> levels;  // of `lines`
  std::vector<status::LogRecord> records;
  std::vector<std::string> looked_up;
  std::optional<bool> finished;
  WallTime epoch{1'800'000'000s};
  Nanoseconds now = 1000s;
  Nanoseconds leap_at = Nanoseconds::max();
  std::chrono::seconds leap{0};  // -1: inserted
  double kernel_offset = 0;      // s ahead of true time
  double drift = 0;              // s/s
  std::uint64_t counter = 0;
  int sent = 0;
  std::vector<Nanoseconds> sent_at;
  Nanoseconds sending{0};  // that send() takes after the packet has left
  std::vector<std::byte> last_sent;
  int updates = 0;
  bool network = true;
  Nanoseconds extra_delay{0};  // on the way back
};

inline IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

inline NtpSource ntp_server(const char* name, bool iburst = true) {
  NtpSource s;
  s.name = name;
  s.iburst = iburst;
  s.min_poll = s.max_poll = 4;
  return s;
}

using Change = std::function<void(Settings&)>;
using ChangeOptions = std::function<void(SourceManager::Options&)>;

inline std::unique_ptr<World> virtual_world(const std::vector<NtpSource>& sources,
                                            ClockUse use = ClockUse::follow, const Change& change = {},
                                            const ChangeOptions& change_options = {}) {
  return std::make_unique<World>(sources, use, std::make_unique<clock::VirtualClock>(), change,
                                 change_options);
}

inline std::unique_ptr<World> real_world(const std::vector<NtpSource>& sources,
                                         ClockUse use = ClockUse::follow, const Change& change = {},
                                         const ChangeOptions& change_options = {}) {
  auto device = std::make_unique<FakeSystemClock>();
  FakeSystemClock* const real = device.get();
  auto world = std::make_unique<World>(sources, use, std::move(device), change, change_options);
  world->real = real;
  real->kernel_offset = &world->kernel_offset;
  return world;
}

inline status::SourceAddress at(std::string_view text) {
  return {ip(text), {}};
}

}  // namespace wiretime::control::world
