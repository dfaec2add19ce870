// SPDX-License-Identifier: BSD-3-Clause
// Lines of the main log that operators know from chronyd and have alerts for: the same first words, and the
// level chronyd 4.8 gives them.
#include "catch.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;

namespace {

using Level = os::LogLevel;

std::unique_ptr<World> three(const std::function<void(Settings&)>& change = {}) {
  auto w = real_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2"), ntp_server("192.0.2.3")},
                      ClockUse::follow, change);
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) w->servers[ip(address)] = {};
  return w;
}

struct Event {
  const char* begins;
  Level level;
  std::function<std::unique_ptr<World>()> make;
};

std::unique_ptr<World> alone(const std::function<void(Settings&)>& change = {}) {
  auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, change);
  w->servers[ip("192.0.2.1")] = {};
  return w;
}

// The kernel's, as another program left it: it makes the clock run faster.
std::unique_ptr<World> with_frequency(double frequency) {
  auto device = std::make_unique<FakeSystemClock>();
  device->frequency_ = frequency;
  return std::make_unique<World>(std::vector{ntp_server("192.0.2.1")}, ClockUse::follow, std::move(device));
}

const std::vector<Event> kEvents{
    {"Selected source 192.0.2.1", Level::info,
     [] {
       auto w = alone();
       w->manager->start();
       w->run(20s);
       return w;
     }},
    {"Detected falseticker 192.0.2.3", Level::warning,
     [] {
       auto w = three();
       w->servers[ip("192.0.2.3")].offset = 1;
       w->manager->start();
       w->run(60s);
       return w;
     }},
    {"Can't synchronise: no majority (no agreement among 2 sources)", Level::warning,
     [] {
       auto w = real_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2")});
       w->servers[ip("192.0.2.1")] = {};
       w->servers[ip("192.0.2.2")] = {1.0};
       w->manager->start();
       w->run(60s);
       return w;
     }},
    {"Can't synchronise: no selectable sources (1 unreachable sources)", Level::warning,
     [] {
       auto w = real_world({ntp_server("192.0.2.1")});
       w->manager->start();
       w->run(200s);
       return w;
     }},
    {"Can't synchronise: not enough selectable sources", Level::warning,
     [] {
       auto w = alone([](Settings& s) { s.min_sources = 2; });
       w->manager->start();
       w->run(200s);
       return w;
     }},
    {"System clock wrong by -5.0", Level::warning,
     [] {
       auto w = alone();
       w->kernel_offset = 5;
       w->manager->start();
       w->run(20s);
       return w;
     }},
    {"System clock was stepped by -5.0", Level::warning,
     [] {
       auto w = alone([](Settings& s) { s.make_step = {Seconds{1.0}, 3}; });
       w->kernel_offset = 5;
       w->manager->start();
       w->run(20s);
       return w;
     }},
    {"Adjustment of -5.000 seconds exceeds the allowed maximum of 1.000 seconds (ignored)", Level::warning,
     [] {
       auto w = alone([](Settings& s) { s.max_change = MaxChange{Seconds{1.0}, 0, -1}; });
       w->kernel_offset = 5;
       w->manager->start();
       w->run(20s);
       return w;
     }},
    {"Forward time jump detected!", Level::warning,
     [] {
       auto w = alone();
       w->manager->start();
       w->run(20s);
       w->kernel_offset += 3;
       w->manager->clock_was_set(3);
       return w;
     }},
    {"Backward time jump detected!", Level::warning,
     [] {
       auto w = alone();
       w->manager->start();
       w->run(20s);
       w->kernel_offset -= 3;
       w->manager->clock_was_set(-3);
       return w;
     }},
    {"Initial frequency -12.500 ppm", Level::info,
     [] {
       auto w = with_frequency(12.5e-6);
       w->manager->start();
       return w;
     }},
    {"Accumulated delta offset of 0.010000 seconds", Level::info,
     [] {
       auto w = alone();
       CHECK(w->manager->adjust_offset(0.01) == status::Status::success);
       return w;
     }},
    {"Accumulated delta freq of 2.500ppm", Level::info,
     [] {
       auto w = alone();
       CHECK(w->manager->adjust_frequency(2.5) == status::Status::success);
       return w;
     }},
    {"New reselect distance 0.000200", Level::info,
     [] {
       auto w = alone();
       w->manager->set_reselect_distance(2e-4);
       return w;
     }},
    {"Source 192.0.2.1 offline", Level::info,
     [] {
       auto w = alone();
       w->manager->start();
       w->manager->offline({});
       return w;
     }},
    {"Source 192.0.2.1 online", Level::info,
     [] {
       auto w = alone();
       w->manager->start();
       w->manager->offline({});
       w->manager->online({});
       return w;
     }},
    {"Source 192.0.2.1 replaced with 192.0.2.2 (ntp.example)", Level::info,
     [] {
       auto w = real_world({ntp_server("ntp.example")});
       w->manager->start();
       w->manager->looked_up(std::vector{ip("192.0.2.1")});
       w->run(60s);
       w->manager->looked_up(std::vector{ip("192.0.2.2")});
       return w;
     }},
    {"Source 192.0.2.3 replaced with 192.0.2.4 (ntp.example)", Level::info,
     [] {
       auto w = real_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2"), ntp_server("ntp.example")});
       for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"})
         w->servers[ip(address)] = {};
       w->servers[ip("192.0.2.3")].offset = 1;
       w->manager->start();
       w->manager->looked_up(std::vector{ip("192.0.2.3")});
       w->run(100s);
       w->manager->looked_up(std::vector{ip("192.0.2.3"), ip("192.0.2.4")});
       return w;
     }},
    {"Root distance of 192.0.2.1 exceeds maxdistance of 0.000 seconds", Level::warning,
     [] {
       auto w = alone([](Settings& s) { s.max_distance = Seconds{1e-5}; });
       w->manager->start();
       w->run(500s);
       return w;
     }},
    {"Jitter of 192.0.2.1 exceeds maxjitter of 0.001 seconds", Level::warning,
     [] {
       auto w = alone([](Settings& s) { s.max_jitter = Seconds{1e-3}; });
       w->manager->start();
       for (int i = 0; i < 30; ++i) {
         w->servers[ip("192.0.2.1")].offset = i % 2 == 0 ? 0.005 : -0.005;
         w->run(16s);
       }
       return w;
     }},
    {"Received KoD RATE from 192.0.2.1", Level::warning,
     [] {
       auto w = alone();
       w->servers[ip("192.0.2.1")] = {0, true, 0, 0x52415445};
       w->manager->start();
       w->run(20s);
       return w;
     }},
    {"System clock wrong by -5.000000 seconds (ignored)", Level::info,
     [] {
       auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::print_once);
       w->servers[ip("192.0.2.1")] = {};
       w->kernel_offset = 5;
       w->manager->start();
       w->run(20s);
       return w;
     }},
    {"No suitable source for synchronisation", Level::warning,
     [] {
       auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::print_once);
       w->manager->start();
       w->run(60s);
       return w;
     }},
};

}  // namespace

TEST_CASE("the log tells of events with chronyd's words and levels, once each") {
  for (const Event& event : kEvents) {
    const auto w = event.make();
    std::string all;
    for (const std::string& line : w->lines) all += line + '\n';
    INFO("expected: " << event.begins << "\n" << all);
    std::vector<Level> levels;
    for (std::size_t i = 0; i < w->lines.size(); ++i)
      if (w->lines[i].rfind(event.begins, 0) == 0) levels.push_back(w->levels[i]);
    REQUIRE_FALSE(levels.empty());
    CHECK(levels.front() == event.level);
    const bool may_repeat = std::string{event.begins}.rfind("Adjustment", 0) == 0 ||
                            std::string{event.begins}.rfind("Received KoD", 0) == 0;
    if (!may_repeat) CHECK(levels.size() == 1);
  }
}

TEST_CASE("a falseticker that comes and goes is told once, until another source is selected") {
  const auto w = three();
  w->manager->start();
  w->run(100s);
  const auto told = [&] {
    return std::count_if(w->lines.begin(), w->lines.end(), [](const std::string& line) {
      return line.rfind("Detected falseticker 192.0.2.3", 0) == 0;
    });
  };
  for (int i = 0; i < 6; ++i) {
    w->servers[ip("192.0.2.3")].offset = i % 2 == 0 ? 1 : 0;
    w->run(1000s);
  }
  CHECK(told() == 1);
}

TEST_CASE("-Q says nothing of the selection, as chronyd does") {
  const auto w = real_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2")}, ClockUse::print_once);
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {1.0};
  w->manager->start();
  w->run(60s);
  CHECK(w->lines == std::vector<std::string>{"No suitable source for synchronisation"});
}

TEST_CASE("a bad source's name is looked up less and less often, and a source that recovers is kept") {
  const auto w = real_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2"), ntp_server("ntp.example")});
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"})
    w->servers[ip(address)] = {};
  w->servers[ip("192.0.2.3")].offset = 1;
  w->manager->start();
  w->manager->looked_up(std::vector{ip("192.0.2.3")});
  const auto begin = w->looked_up.size();
  for (int i = 0; i < 100; ++i) {
    w->run(16s);
    w->manager->looked_up(std::vector{ip("192.0.2.3")});  // knows no other
  }
  CHECK(w->looked_up.size() - begin <= 6);  // after 4, 8, 16, 32, 64 bad samples
  CHECK(w->looked_up.size() - begin >= 4);
  w->servers[ip("192.0.2.3")].offset = 0;
  w->run(400s);
  w->manager->refresh();
  w->manager->looked_up(std::vector{ip("192.0.2.3"), ip("192.0.2.4")});
  CHECK_FALSE(w->said("replaced"));
}
