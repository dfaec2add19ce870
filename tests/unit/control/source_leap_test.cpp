// SPDX-License-Identifier: BSD-3-Clause
// Leap seconds, smoothing and the small corrections, through the source manager.
#include "catch.hpp"
#include "control/time_publisher.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;
using clock::Leap;

namespace {

Server announcing(std::chrono::seconds leap) {
  Server s;
  s.leap = leap > 0s ? Leap::remove : Leap::insert;
  return s;
}

constexpr WallTime kMidnight{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};

// Three servers, and a leap second at midnight of New Year 2027 that is `until` away.
class LeapWorld {
 public:
  LeapWorld(bool real, Nanoseconds until, std::chrono::seconds leap,
            const std::function<void(Settings&)>& change) {
    std::vector<NtpSource> sources;
    for (const char* const name : kNames) sources.push_back(ntp_server(name));
    const auto set = [&](Settings& s) {
      s.max_slew_rate_ppm = 1000;
      change(s);
    };
    w = real ? real_world(sources, ClockUse::follow, set)
             : std::make_unique<World>(sources, ClockUse::follow, std::make_unique<clock::VirtualClock>(),
                                       set);
    w->epoch = kMidnight - until - w->now;
    w->leap = leap;
    w->leap_at = w->now + until - (leap > 0s ? 1s : 0s);
    for (const char* const name : kNames) w->servers[ip(name)] = announcing(leap);
    w->manager->start();
  }

  // As the daemon runs: with a look at the clock once a second, and a kernel that does what it is told.
  void run(std::chrono::seconds duration) {
    for (auto t = 0s; t < duration; ++t) {
      const WallTime before = w->kernel_time();
      w->run(1s);
      kernel_leap(before);
      if (w->now >= w->leap_at + 10s)
        for (auto& [address, server] : w->servers) server.leap = Leap::none;
      w->manager->every_second();
    }
  }
  // s, of what is served, and its largest so far
  double error() { return w->error(); }
  clock::ClockState state() { return w->manager->clock_state(); }

  static constexpr std::array kNames{"192.0.2.1", "192.0.2.2", "192.0.2.3"};
  std::unique_ptr<World> w;

 private:
  void kernel_leap(WallTime before) {
    if (w->real == nullptr || w->real->notice.leap == Leap::none) return;
    const WallTime at = w->real->notice.leap == Leap::insert ? kMidnight : kMidnight - 1s;
    if (leapt_ || !(before < at && w->kernel_time() >= at)) return;
    leapt_ = true;
    const double step = w->real->notice.leap == Leap::insert ? -1 : 1;
    w->kernel_offset += step;
    w->manager->clock_was_set(step);
  }
  bool leapt_ = false;
};

const auto kNothing = [](Settings&) {};

double worst_estimate(World& w) {
  double worst = 0;
  for (std::uint32_t i = 0; i < w.manager->source_count(); ++i)
    worst = std::max(worst, std::fabs(w.manager->source_stats(i)->estimated_offset));
  return worst;
}

}  // namespace

TEST_CASE("a leap second that sources announce is told to the kernel on its day, and taken back after it") {
  LeapWorld l{true, 25h, -1s, kNothing};
  l.run(1800s);
  CHECK(l.state().leap == Leap::none);  // announced, but not for this day
  CHECK(l.w->real->notice.leap == Leap::none);
  l.run(2 * 3600s);
  CHECK(l.state().leap == Leap::insert);
  CHECK(l.w->real->notice.leap == Leap::insert);
  CHECK(l.w->said("System clock status set to insert leap second"));
  const auto before = l.w->lines.size();
  l.run(22h + 1810s);
  CHECK(l.w->said("System clock was stepped by the kernel for leap second"));
  CHECK(l.w->said("System clock status reset after leap second"));
  CHECK(l.w->lines.size() == before + 2);
  CHECK(l.w->real->steps == 0);
  CHECK(l.state().leap == Leap::none);
  CHECK(std::fabs(l.error()) < 1e-5);
  CHECK(worst_estimate(*l.w) < 1e-5);
  CHECK(l.w->kernel_offset == Approx(-1).margin(1e-4));
}

TEST_CASE("the kernel is told TAI-UTC, once") {
  LeapWorld l{true, 25h * 40, 0s, kNothing};
  l.w->manager->set_leap_table(*clock::LeapTable::from_list("3644697600 36\n3692217600 37\n"));
  l.run(2s);
  CHECK(l.w->real->notice.tai_offset == 0);  // not yet synchronised
  l.run(60s);
  CHECK(l.w->said("System clock TAI offset set to 37 seconds"));
  CHECK(std::count_if(l.w->lines.begin(), l.w->lines.end(),
                      [](const std::string& line) { return line.find("TAI") != std::string::npos; }) == 1);
}

TEST_CASE("a table's leap second is prepared for although no source announces it") {
  LeapWorld l{true, 2h, -1s, kNothing};
  for (auto& [address, server] : l.w->servers) server.leap = Leap::none;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(kMidnight.time_since_epoch()).count();
  const std::string list = "3692217600 37\n" + std::to_string(seconds + NtpTimestamp::kUnixEpoch) + " 38\n";
  l.w->manager->set_leap_table(*clock::LeapTable::from_list(list));
  l.run(60s);
  CHECK(l.w->real->notice.leap == Leap::insert);
  l.run(2h + 60s);
  CHECK(std::fabs(l.error()) < 1e-5);
  CHECK(l.w->said("System clock TAI offset set to 38 seconds"));
}

TEST_CASE("one of three sources cannot announce a leap second") {
  LeapWorld l{true, 2h, 0s, kNothing};
  l.w->servers[ip("192.0.2.2")].leap = l.w->servers[ip("192.0.2.3")].leap = Leap::none;
  l.run(300s);
  CHECK(l.state().leap == Leap::none);
  CHECK(l.w->real->notice.leap == Leap::none);
}

TEST_CASE("a leap second is stepped at the end of the day, by a second less or more, with samples kept") {
  for (const bool real : {true, false}) {
    for (const auto leap : {-1s, 1s}) {
      CAPTURE(real, leap.count());
      LeapWorld l{real, 2h + 500ms, leap, [](Settings& s) { s.leap_second_mode = LeapSecondMode::step; }};
      l.run(2h - 3s);
      CHECK(std::fabs(l.error()) < 1e-5);
      CHECK(l.state().leap == (leap < 0s ? Leap::insert : Leap::remove));
      const auto samples = l.w->manager->source_stats(0)->samples;
      for (int i = 0; i < 8; ++i) {
        l.run(1s);
        CHECK(std::fabs(l.error()) < 1e-5);
      }
      CHECK(l.w->said("System clock was stepped for leap second"));
      CHECK(l.w->manager->source_stats(0)->samples + 2 >= samples);
      l.run(600s);
      CHECK(std::fabs(l.error()) < 1e-5);
      CHECK(worst_estimate(*l.w) < 1e-5);
      CHECK(l.state().leap == Leap::none);
      CHECK_FALSE(l.w->said("by another program"));
      CHECK_FALSE(l.w->said("falseticker"));
      if (real) CHECK(l.w->real->steps == 1);
      if (!real) CHECK(l.w->kernel_offset == 0);
    }
  }
}

TEST_CASE("-x leaves the kernel's leap second to the kernel: the time served steps by itself") {
  LeapWorld l{false, 1h, -1s, kNothing};
  l.run(1h + 5s);
  CHECK(l.w->said("System clock was stepped for leap second"));
  CHECK(std::fabs(l.error()) < 1e-5);
  l.w->kernel_offset -= 1;  // the kernel's own, a little late: nothing to do with us
  l.w->manager->clock_was_set(-1);
  CHECK(std::fabs(l.error()) < 1e-5);
  l.run(300s);
  CHECK(std::fabs(l.error()) < 1e-5);
  CHECK(worst_estimate(*l.w) < 1e-5);
}

TEST_CASE("while the leap second passes nobody is to take time from us") {
  LeapWorld l{true, 1h, -1s, [](Settings& s) { s.leap_second_mode = LeapSecondMode::step; }};
  l.run(1h - 2s);
  CHECK(l.state().leap == Leap::insert);
  l.run(3s);
  CHECK(l.state().leap == Leap::unsynchronised);
  CHECK(l.state().synchronised);
  l.run(5s);
  CHECK(l.state().leap == Leap::none);
}

TEST_CASE("a leap second is slewed: the time is right at once, the kernel's clock later") {
  LeapWorld l{true, 1h, -1s, [](Settings& s) { s.leap_second_mode = LeapSecondMode::slew; }};
  l.run(1h + 30s);
  CHECK(l.w->said("Adjusting system clock for leap second"));
  CHECK(l.w->real->steps == 0);
  CHECK(std::fabs(l.error()) < 1e-5);
  CHECK(l.w->kernel_offset > -0.1);
  CHECK(l.w->real->notice.leap == Leap::none);
  l.run(1100s);  // 1000 ppm
  CHECK(l.w->kernel_offset == Approx(-1).margin(1e-3));
  CHECK(std::fabs(l.error()) < 1e-5);
}

TEST_CASE("a leap second that is ignored is corrected like any error when the sources tell") {
  LeapWorld l{true, 1h, -1s, [](Settings& s) { s.leap_second_mode = LeapSecondMode::ignore; }};
  l.run(1h + 4s);
  CHECK(l.w->said("Ignoring leap second"));
  CHECK(l.error() == Approx(1).margin(1e-3));
  l.run(1h);
  CHECK(std::fabs(l.error()) < 1e-3);
}

TEST_CASE(
    "with smoothing a leap second reaches those we serve slowly and unannounced, but not our own estimates") {
  for (const bool linear : {false, true}) {
    CAPTURE(linear);
    LeapWorld l{true, 13h, -1s, [&](Settings& s) {
                  s.leap_second_mode = linear ? LeapSecondMode::system : LeapSecondMode::slew;
                  s.smooth_time.enabled = true;
                  s.smooth_time.linear = linear;
                  s.smooth_time.max_frequency_ppm = 400;
                  s.smooth_time.max_wander_ppm = 0.001024;
                  s.smooth_time.leap_only = true;
                }};
    Seqlock<clock::TimeSnapshot> workers;
    TimePublisher publisher{{}, workers};
    const auto refresh = [&] {
      publisher.refresh_reference(l.state(), Seconds{1}, l.w->manager->served_time(l.w->kernel_time()));
      return publisher.kernel_snapshot(Seconds{1}).reference;
    };
    l.run(100s);
    CHECK(refresh().refid != clock::kSmoothedRefid);
    CHECK(refresh().leap == Leap::none);
    CHECK(publisher.served().reference.leap == Leap::insert);  // what tracking shows
    // A steady clock beside it, to compare what is served with.
    WallTime last = l.w->manager->served_time(l.w->kernel_time());
    double fastest = 0;
    for (int i = 0; i < 26 * 360; ++i) {
      l.run(10s);
      const WallTime served = l.w->manager->served_time(l.w->kernel_time());
      fastest = std::max(fastest, std::fabs(clock::seconds_between(last, served) / 10 - 1));
      last = served;
      if (i % 360 == 0) CHECK(worst_estimate(*l.w) < 1e-5);
      if (i == 13 * 360) {
        CHECK(refresh().refid == clock::kSmoothedRefid);
        CHECK(refresh().leap == Leap::none);
        CHECK(publisher.served().reference.refid != clock::kSmoothedRefid);
        const auto report = l.w->manager->smoothing();
        REQUIRE(report);
        CHECK(report->active);
        CHECK(report->leap_only);
        CHECK(report->offset == Approx(linear ? 0.5 : 1).margin(0.01));
        CHECK(report->remaining_time == Approx(linear ? 43'200 : 62'500).margin(200));
      }
    }
    CHECK(fastest < (linear ? 12.5e-6 : 33e-6));
    CHECK(fastest > (linear ? 11e-6 : 31e-6));
    l.run(6 * 3600s);
    CHECK(std::fabs(l.error()) < 1e-5);
    CHECK(refresh().refid != clock::kSmoothedRefid);
    CHECK(l.w->real->steps == (linear ? 1 : 0));
  }
}

TEST_CASE("smoothing hides a slewed correction from those we serve, and a step ends it") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) {
    s.smooth_time.enabled = true;
    s.smooth_time.max_frequency_ppm = 100;
    s.smooth_time.max_wander_ppm = 1;
  });
  w->servers[ip("192.0.2.1")] = {};
  CHECK_FALSE(w->manager->smoothing()->active);
  w->manager->start();
  w->run(600s);
  CHECK(w->said("Time smoothing activated"));
  CHECK(w->manager->smoothing()->active);
  const double before = w->error();
  CHECK(w->manager->adjust_offset(0.2) == status::Status::success);
  CHECK(w->error() == Approx(before).margin(1e-6));
  CHECK(w->manager->smoothing()->offset == Approx(-0.2).margin(1e-5));
  CHECK(w->manager->clock_state().smoothing == Approx(-0.2).margin(1e-5));
  CHECK(w->manager->smooth_time(status::Smoothtime::Action::reset) == status::Status::success);
  CHECK(w->manager->smoothing()->offset == 0);
  CHECK(w->error() == Approx(before + 0.2).margin(1e-6));
  CHECK(w->manager->adjust_offset(0.1) == status::Status::success);
  CHECK(w->manager->smoothing()->offset == Approx(-0.1).margin(1e-5));
  CHECK(w->manager->makestep() == status::Status::success);
  CHECK(w->manager->smoothing()->offset == 0);
}

TEST_CASE("smoothtime can be activated by hand, and is not there unless configured") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) {
    s.smooth_time.enabled = true;
    s.smooth_time.max_frequency_ppm = 100;
    s.smooth_time.max_wander_ppm = 1e-9;
  });
  CHECK_FALSE(w->manager->smoothing()->active);
  CHECK(w->manager->smooth_time(status::Smoothtime::Action::activate) == status::Status::success);
  CHECK(w->manager->smoothing()->active);
  const auto without = real_world({ntp_server("192.0.2.1")});
  CHECK_FALSE(without->manager->smoothing());
  CHECK(without->manager->smooth_time(status::Smoothtime::Action::activate) == status::Status::not_enabled);
}

TEST_CASE("without updates the clock falls back to its usual frequency and calls itself unsynchronised") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) {
    s.fallback_drift.min = 10;
    s.fallback_drift.max = 11;
  });
  w->servers[ip("192.0.2.1")] = {};
  w->drift = -20e-6;
  w->manager->start();
  w->run(4000s);
  CHECK(w->manager->clock_state().synchronised);
  w->drift = -25e-6;  // a passing change of temperature
  w->run(100s);
  w->servers[ip("192.0.2.1")].answers = false;
  const double last = w->real->frequency_;
  w->run(1000s);
  w->manager->every_second();
  CHECK(w->manager->clock_state().synchronised);
  CHECK(w->real->frequency_ == Approx(last).margin(1e-7));
  w->run(100s);
  w->manager->every_second();
  CHECK(w->said("No update for 1024 s: clock frequency set to its average over that time"));
  CHECK_FALSE(w->manager->clock_state().synchronised);
  CHECK(w->real->frequency_ == Approx(20e-6).margin(1e-6));
  w->servers[ip("192.0.2.1")].answers = true;
  w->run(200s);
  CHECK(w->manager->clock_state().synchronised);
}

TEST_CASE("a temperature's correction runs the clock faster without being taken for its own frequency") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(600s);
  CHECK(w->manager->compensate_temperature(2.0));
  CHECK(w->real->frequency_ == Approx(2e-6).margin(1e-8));
  w->drift = -2e-6;
  w->run(600s);
  CHECK(std::fabs(w->error()) < 1e-6);
  status::Tracking t;
  w->manager->describe(t);
  CHECK(std::fabs(t.frequency_ppm) < 0.01);
  CHECK_FALSE(w->manager->compensate_temperature(10.5));
  CHECK_FALSE(w->manager->compensate_temperature(std::nan("")));
  CHECK(w->real->frequency_ == Approx(2e-6).margin(1e-8));
}

TEST_CASE("the daemon's end takes back the leap second it told the kernel of") {
  LeapWorld l{true, 2h, -1s, kNothing};
  l.run(100s);
  CHECK(l.w->real->notice.leap == Leap::insert);
  l.w->manager->end();
  CHECK(l.w->real->notice.leap == Leap::none);
}
