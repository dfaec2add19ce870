// SPDX-License-Identifier: BSD-3-Clause
// The source manager in a world of its own: servers that answer after a delay, a clock device that only
// remembers, time that passes when it is told to.
#include "control/source_manager.hpp"

#include <cmath>
#include <functional>
#include <map>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "clock/virtual_clock.hpp"
#include "ntp/packet.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

struct Server {
  double offset = 0;  // s, of its clock against the true time
  bool answers = true;
  std::uint8_t stratum = 1;
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
        const std::function<void(Settings&)>& change = {})
      : device{std::move(clock_device)} {
    settings.sources = sources;
    if (change) change(settings);
    SourceManager::Options options;
    options.use = use;
    options.clock_precision = 1e-8;
    manager.emplace(settings, options, *device, *this);
  }

  // SourceHost
  Nanoseconds monotonic() const override { return now; }
  WallTime kernel_time() const override {
    return clock::advanced(WallTime{1'800'000'000s} + now, kernel_offset);
  }
  std::array<std::uint64_t, 3> random() override { return {++counter * 0x9E37'79B9'7F4A'7C15U, counter, 0}; }
  clock::Reference reference() const override { return {}; }
  bool serves_others() const override { return false; }
  bool send(SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes, ntp::SocketUse) override {
    ++sent;
    last_sent.assign(bytes.begin(), bytes.end());
    if (!network) return false;
    const auto server = servers.find(to.address);
    if (server == servers.end() || !server->second.answers) return true;
    arrivals.emplace(now + 2 * kTrip, Arrival{id, to, answer(server->second, bytes)});
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
  void look_up(const std::string& name, Family) override { looked_up.push_back(name); }
  void log(os::LogLevel, const std::string& line) override { lines.push_back(line); }
  void clock_stepped() override {}
  void clock_updated() override { ++updates; }
  void finish(bool success) override { finished = success; }

  std::vector<std::byte> answer(const Server& server, std::span<const std::byte> request) const {
    std::vector<std::byte> reply(ntp::kHeaderLength);
    const WallTime there = clock::advanced(WallTime{1'800'000'000s} + now + kTrip, server.offset);
    const std::uint64_t t = NtpTimestamp::from(there).value;
    reply[0] = std::byte{0x24};  // no leap, version 4, server
    reply[1] = std::byte{server.stratum};
    reply[2] = request[2];
    reply[3] = std::byte{0xE6};  // 2^-26
    store_be32(reply.data() + 12, 0x47505300);
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
    return clock::seconds_between(WallTime{1'800'000'000s} + now, manager->served_time(kernel_time()));
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
  std::map<SourceId, Nanoseconds> timers;
  std::multimap<Nanoseconds, Arrival> arrivals;
  std::optional<Nanoseconds> clock_timer;
  std::vector<std::string> lines;
  std::vector<std::string> looked_up;
  std::optional<bool> finished;
  Nanoseconds now = 1000s;
  double kernel_offset = 0;  // s ahead of true time
  double drift = 0;          // s/s
  std::uint64_t counter = 0;
  int sent = 0;
  std::vector<std::byte> last_sent;
  int updates = 0;
  bool network = true;
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

NtpSource ntp_server(const char* name, bool iburst = true) {
  NtpSource s;
  s.name = name;
  s.iburst = iburst;
  s.min_poll = s.max_poll = 4;
  return s;
}

std::unique_ptr<World> virtual_world(const std::vector<NtpSource>& sources, ClockUse use = ClockUse::follow) {
  return std::make_unique<World>(sources, use, std::make_unique<clock::VirtualClock>());
}

std::unique_ptr<World> real_world(const std::vector<NtpSource>& sources, ClockUse use = ClockUse::follow,
                                  const std::function<void(Settings&)>& change = {}) {
  auto device = std::make_unique<FakeSystemClock>();
  FakeSystemClock* const real = device.get();
  auto world = std::make_unique<World>(sources, use, std::move(device), change);
  world->real = real;
  real->kernel_offset = &world->kernel_offset;
  return world;
}

status::SourceAddress at(const char* text) {
  return {ip(text), {}};
}

}  // namespace

TEST_CASE("-Q prints the error of the clock, leaves it alone and ends well within 10 s") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::print_once);
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = -0.25;
  w->manager->start();
  w->run(10s);
  REQUIRE(w->finished);
  CHECK(*w->finished);
  CHECK(w->said("System clock wrong by 0.250000 seconds (ignored)"));
  CHECK(w->real->steps == 0);
  CHECK(w->real->frequency_ == 0);
}

TEST_CASE("-q steps the clock by what it is wrong") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::step_once);
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 3.5;
  w->manager->start();
  w->run(10s);
  REQUIRE(w->finished);
  CHECK(*w->finished);
  CHECK(w->said("System clock wrong by -3.500000 seconds (step)"));
  CHECK(w->real->stepped == Approx(-3.5).margin(1e-6));
}

TEST_CASE("-Q gives up when nothing answers the initial burst") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::print_once);
  w->manager->start();
  w->run(30s);
  REQUIRE(w->finished);
  CHECK_FALSE(*w->finished);
  CHECK(w->said("No suitable source for synchronisation"));
}

TEST_CASE("with -x the time served becomes right although the kernel's clock stays wrong") {
  const auto w = virtual_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 0.02;
  w->drift = 40e-6;
  w->manager->start();
  w->run(600s);
  CHECK(std::fabs(w->error()) < 20e-6);
  CHECK(w->kernel_offset == Approx(0.02 + 600 * 40e-6).epsilon(0.01));
  const auto state = w->manager->clock_state();
  CHECK(state.synchronised);
  CHECK(state.stratum == 2);
  CHECK(state.refid == 0xC000'0201U);
  status::Tracking t;
  w->manager->describe(t);
  CHECK(t.current_correction == Approx(-w->kernel_offset).margin(50e-6));
  CHECK(t.frequency_ppm == Approx(40).margin(0.5));
  CHECK(t.source == ip("192.0.2.1"));
}

TEST_CASE("a real clock is slewed right and its frequency corrected, without a step") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 0.05;
  w->drift = -30e-6;
  w->manager->start();
  w->run(900s);
  CHECK(w->real->steps == 0);
  CHECK(std::fabs(w->kernel_offset) < 50e-6);
  CHECK(w->real->frequency_ == Approx(30e-6).margin(1e-6));
  w->manager->every_second();
  CHECK(w->real->notice.synchronised);
  const auto drift = w->manager->take_drift();
  REQUIRE(drift);
  CHECK(drift->frequency_ppm == Approx(-30).margin(1));
  CHECK_FALSE(w->manager->take_drift());  // no news
}

TEST_CASE("makestep steps a large offset in the first updates") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) {
    s.make_step = {Seconds{1.0}, 3};
  });
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = -7;
  w->manager->start();
  w->run(8s);
  CHECK(w->real->steps == 1);
  CHECK(w->real->stepped == Approx(7).margin(1e-3));
  CHECK(w->said("System clock wrong by 7."));
  CHECK(w->said("System clock was stepped by 7."));
}

TEST_CASE("an offset above maxchange ends the daemon instead of moving the clock") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) {
    s.max_change = MaxChange{Seconds{10.0}, 0, 0};
  });
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 100;
  w->manager->start();
  w->run(10s);
  REQUIRE(w->finished);
  CHECK_FALSE(*w->finished);
  CHECK(w->said("exceeds the allowed maximum of 10.000 seconds"));
  CHECK(w->real->steps == 0);
}

TEST_CASE("one liar among three is found out and the others are followed") {
  const auto w = virtual_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2"), ntp_server("192.0.2.3")});
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {};
  w->servers[ip("192.0.2.3")] = {1.0};
  w->manager->start();
  w->run(60s);
  CHECK(std::fabs(w->error()) < 1e-4);
  CHECK(w->said("Detected falseticker 192.0.2.3"));
  CHECK(w->said("Selected source 192.0.2."));
  REQUIRE(w->manager->source(2));
  CHECK(w->manager->source(2)->state == status::SourceState::falseticker);
  CHECK(w->manager->source(2)->last_sample_offset == Approx(-1).margin(1e-3));
  CHECK(w->manager->select_data(2)->state_letter == 'x');
  CHECK(w->manager->source_stats(2)->estimated_offset == Approx(-1).margin(1e-3));
  CHECK(w->manager->ntp_data(at("192.0.2.3"))->offset == Approx(1).margin(1e-3));
  CHECK(w->manager->activity().online == 3);
}

TEST_CASE("of a source that never answered chronyc hears what chronyd says of one") {
  auto w = virtual_world({ntp_server("192.0.2.1")});
  w->manager->start();
  w->run(30s);
  const auto stats = *w->manager->source_stats(0);
  CHECK(stats.samples == 0);
  CHECK(stats.skew_ppm == 2000);
  CHECK(stats.standard_deviation == 4);
  const auto data = *w->manager->ntp_data(at("192.0.2.1"));
  CHECK(data.transmitted > 0);
  CHECK(data.leap == 0);
  CHECK(data.transmit_timestamping == 0);
  CHECK(data.receive_timestamping == 0);
  CHECK(w->manager->select_data(0)->last_sample_age == status::Age{0s});
}

TEST_CASE("an untrusted source is not selectable, and a source not for selection shows no interval") {
  auto trusted = ntp_server("192.0.2.1");
  trusted.select.trust = true;
  auto watched = ntp_server("192.0.2.3");
  watched.select.noselect = true;
  auto w = virtual_world({trusted, ntp_server("192.0.2.2"), watched});
  // Overlaps the trusted one's interval (the path's 100 us either way) but is not inside.
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {1e-4};
  w->servers[ip("192.0.2.3")] = {1e-3};
  w->manager->start();
  w->run(60s);
  CHECK(w->manager->select_data(1)->state_letter == 'T');
  CHECK(w->manager->source(1)->state == status::SourceState::not_selectable);
  CHECK(w->manager->select_data(2)->state_letter == 'N');
  CHECK(w->manager->select_data(2)->low_limit == 0);
  CHECK(w->manager->select_data(2)->high_limit == 0);
}

TEST_CASE("two that disagree are no majority, and the clock is left alone") {
  const auto w = real_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2")});
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {1.0};
  w->manager->start();
  w->run(60s);
  CHECK(w->said("Can't synchronise: no majority"));
  CHECK(w->updates == 0);
  CHECK_FALSE(w->manager->clock_state().synchronised);
}

TEST_CASE("without its sources the clock holds over with growing dispersion") {
  const auto w = virtual_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(100s);
  const auto before = w->manager->clock_state().root_dispersion;
  w->servers[ip("192.0.2.1")].answers = false;
  w->run(1000s);
  CHECK(w->manager->clock_state().synchronised);
  CHECK(w->manager->clock_state().root_dispersion > before);
  CHECK(w->manager->source(0)->reachability == 0);
}

TEST_CASE("names become addresses, a pool takes as many as it may, and each only once") {
  NtpSource pool = ntp_server("pool.example");
  pool.kind = NtpSource::Kind::pool;
  pool.max_sources = 2;
  const auto w = virtual_world({ntp_server("192.0.2.1"), pool});
  w->manager->start();
  REQUIRE(w->looked_up == std::vector<std::string>{"pool.example"});
  CHECK(w->manager->activity().unresolved == 2);
  w->manager->looked_up(std::vector{ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.4")});
  CHECK(w->manager->activity().unresolved == 0);
  CHECK(w->manager->source_name(at("192.0.2.2")) == "pool.example");
  CHECK(w->manager->source_name(at("192.0.2.3")) == "pool.example");
  CHECK_FALSE(w->manager->source_name(at("192.0.2.4")));
}

TEST_CASE("a name without an address is looked up again, less and less often") {
  const auto w = virtual_world({ntp_server("nowhere.example")});
  w->manager->start();
  w->manager->looked_up(tl::make_unexpected(Error{"no such name"}));
  std::vector<int> seconds;
  for (int second = 1; second < 100; ++second) {
    w->run(1s);
    w->manager->every_second();
    if (w->looked_up.size() == seconds.size() + 2) {
      seconds.push_back(second);
      w->manager->looked_up(tl::make_unexpected(Error{"no such name"}));
    }
  }
  CHECK(seconds == std::vector<int>{7, 21, 49});
}

TEST_CASE("a source found by name that does not answer is replaced") {
  const auto w = virtual_world({ntp_server("ntp.example")});
  w->servers[ip("192.0.2.2")] = {};
  w->manager->start();
  w->manager->looked_up(std::vector{ip("192.0.2.1")});
  w->run(60s);
  REQUIRE(w->looked_up.size() == 2);
  w->manager->looked_up(std::vector{ip("192.0.2.1"), ip("192.0.2.2")});
  CHECK(w->said("Source 192.0.2.1 replaced with 192.0.2.2 (ntp.example)"));
  w->run(30s);
  CHECK(w->said("Selected source 192.0.2.2 (ntp.example)"));
}

TEST_CASE("chronyc adds, deletes, and takes sources offline and online") {
  const auto w = virtual_world({});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  status::AddSource add;
  add.name = "192.0.2.1";
  add.online = true;
  add.iburst = true;
  CHECK(w->manager->add(add) == status::Status::success);
  CHECK(w->manager->add(add) == status::Status::source_already_known);
  w->run(20s);
  CHECK(w->manager->clock_state().synchronised);
  CHECK(w->manager->offline({at("192.0.2.1"), {}}) == status::Status::success);
  CHECK(w->manager->activity().offline == 1);
  const int sent = w->sent;
  w->run(200s);
  CHECK(w->sent == sent);
  CHECK(w->manager->online({at("192.0.2.1"), {}}) == status::Status::success);
  CHECK(w->manager->activity().burst_online == 1);
  CHECK(w->manager->online({at("192.0.2.7"), {}}) == status::Status::no_such_source);
  CHECK(w->manager->remove(at("192.0.2.1")) == status::Status::success);
  CHECK(w->manager->remove(at("192.0.2.1")) == status::Status::no_such_source);
  CHECK(w->manager->source_count() == 0);
  CHECK(w->timers.empty());
}

TEST_CASE("a clock that somebody else set is noticed and put right") {
  const auto w = virtual_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(200s);
  w->kernel_offset += 0.75;
  w->manager->clock_was_set(0.75);
  CHECK(w->said("set by 0.750000 seconds by another program"));
  w->run(100s);
  CHECK(std::fabs(w->error()) < 1e-3);
}

TEST_CASE("a socket that cannot send takes an auto_offline source offline") {
  NtpSource s = ntp_server("192.0.2.1");
  s.auto_offline = true;
  const auto w = virtual_world({s});
  w->network = false;
  w->manager->start();
  w->run(5s);
  CHECK(w->said("Source 192.0.2.1 offline"));
  CHECK(w->manager->activity().offline == 1);
}

TEST_CASE("a transmit time from the server's port goes to the peer whose packet it was") {
  std::vector<NtpSource> peers{ntp_server("192.0.2.1", false), ntp_server("192.0.2.2", false)};
  for (auto& peer : peers) peer.kind = NtpSource::Kind::peer;
  const auto w = virtual_world(peers);
  w->manager->start();
  while (w->sent == 0) w->run(10ms);
  std::vector<std::byte> frame(42);
  frame.insert(frame.end(), w->last_sent.begin(), w->last_sent.end());
  w->manager->transmit_stamp_symmetric(frame, w->kernel_time());
  unsigned stamped = 0;
  for (const char* address : {"192.0.2.1", "192.0.2.2"})
    stamped += w->manager->ntp_data(at(address))->kernel_transmit_timestamps;
  CHECK(stamped == 1);
}
