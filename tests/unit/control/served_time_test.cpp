// SPDX-License-Identifier: BSD-3-Clause
// From the sources to the snapshot that replies are written from: the way of issue "Synchronise", item 6,
// with the real source manager, reference selector and publisher.
#include "catch.hpp"
#include "control/time_publisher.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;
using clock::Leap;

namespace {

constexpr auto kReading = 10ms;

// What the controller does around a source manager; the counter that workers read counts nanoseconds.
class Service {
 public:
  Service(World& w, const clock::LocalConfig& local) : w_{w}, publisher_{settings(local), workers_} {}

  void refresh() { publisher_.refresh_reference(w_.manager->clock_state(), uptime(), served()); }
  void run(Nanoseconds duration) {
    for (const Nanoseconds end = w_.now + duration; w_.now < end;) {
      w_.run(kReading);
      const Ticks ticks{static_cast<std::uint64_t>(w_.now.count())};
      publisher_.add_reading({ticks, ticks, served()}, uptime());
      if (w_.now < next_) continue;
      next_ = w_.now + 1s;
      w_.manager->every_second();
      refresh();
    }
  }
  // The same in long strides, without a data plane.
  void stride(std::chrono::seconds duration) {
    for (auto t = 0s; t < duration; t += 10s) {
      w_.run(10s);
      w_.manager->every_second();
      refresh();
    }
  }
  [[nodiscard]] WallTime served() const { return w_.manager->served_time(w_.kernel_time()); }
  [[nodiscard]] clock::TimeSnapshot worker() const {
    clock::TimeSnapshot s;
    REQUIRE(workers_.try_load(s));
    return s;
  }
  [[nodiscard]] clock::TimeSnapshot kernel() const { return publisher_.kernel_snapshot(uptime()); }
  [[nodiscard]] const TimePublisher& publisher() const { return publisher_; }

 private:
  static TimePublisher::Settings settings(const clock::LocalConfig& local) {
    TimePublisher::Settings s;
    s.local = local;
    s.precision = -25;
    return s;
  }
  [[nodiscard]] Seconds uptime() const { return w_.now; }

  World& w_;
  Seqlock<clock::TimeSnapshot> workers_;
  TimePublisher publisher_;
  Nanoseconds next_{0};
};

// s, by which a worker at `at` is ahead of `time`.
double ahead(const clock::TimeSnapshot& s, Nanoseconds at, WallTime time) {
  return (s.time_at(Ticks{static_cast<std::uint64_t>(at.count())}) - NtpTimestamp::from(time)).seconds();
}

constexpr std::uint32_t kQuarter = 0x4000;  // s, NTP short format
constexpr std::uint32_t kEighth = 0x2000;

}  // namespace

TEST_CASE("what the source says of itself, and what lies between, is what is served") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  Server& server = w->servers[ip("192.0.2.1")];
  server.stratum = 3;
  server.root_delay = {kQuarter};
  server.root_dispersion = {kEighth};
  w->kernel_offset = 0.003;
  Service service{*w, {}};
  service.refresh();
  CHECK(service.kernel().reference.leap == Leap::unsynchronised);
  w->manager->start();
  service.run(100s);
  const auto r = service.worker().reference;
  CHECK(r.stratum == 4);
  CHECK(r.refid == 0xC000'0201U);
  CHECK(r.leap == Leap::none);
  CHECK(r.root_delay.seconds() == Approx(0.25 + 200e-6).margin(20e-6));
  CHECK(r.root_dispersion.seconds() > 0.125);
  CHECK(r.root_dispersion.seconds() < 0.126);
  const double age = (NtpTimestamp::from(service.served()) - r.reference_time).seconds();
  CHECK(age >= 0);
  CHECK(age < 20);
  CHECK(service.kernel().reference.refid == r.refid);
  CHECK(service.kernel().reference.stratum == r.stratum);
  CHECK(std::fabs(ahead(service.worker(), w->now, w->true_time(w->now))) < 20e-6);
}

TEST_CASE("while the kernel's clock is slewed, what is served is right and never goes back") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow,
                            [](Settings& s) { s.max_slew_rate_ppm = 1000; });
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  Service service{*w, {}};
  service.run(20s);
  w->kernel_offset += 0.02;
  w->manager->clock_was_set(0.02);  // so that 20 s of slewing are to come
  service.run(3s);
  CHECK(w->real->frequency_ < -900e-6);
  NtpTimestamp last = service.worker().time_at(Ticks{static_cast<std::uint64_t>(w->now.count())});
  for (int i = 0; i < 500; ++i) {
    service.run(kReading);
    for (const Nanoseconds later : {0ns, 3'000'000ns, 9'000'000ns}) {
      const auto worker = service.worker();
      const NtpTimestamp now = worker.time_at(Ticks{static_cast<std::uint64_t>((w->now + later).count())});
      CHECK((now - last).units > 0);
      CHECK(std::fabs(ahead(worker, w->now + later, w->true_time(w->now + later))) < 20e-6);
      last = now;
    }
  }
  CHECK(w->kernel_offset > 0.005);  // and the kernel's clock is still not
}

TEST_CASE("without sources the clock is held over, ever less certain, until the local reference takes over") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  clock::LocalConfig local;
  local.enabled = true;
  local.distance = Seconds{0.02};
  Service service{*w, local};
  service.refresh();
  CHECK(service.publisher().served().as == clock::ServedAs::local);  // waitunsynced is 0
  service.stride(600s);
  CHECK(service.publisher().served().as == clock::ServedAs::synchronised);
  w->servers[ip("192.0.2.1")].answers = false;
  service.stride(600s);
  double last = service.kernel().reference.root_dispersion.seconds();
  const auto reference_time = service.kernel().reference.reference_time;
  for (int hour = 0; hour < 4; ++hour) {
    service.stride(3600s);
    const auto r = service.kernel().reference;
    CHECK(r.stratum == 2);
    CHECK(r.leap == Leap::none);
    CHECK(r.reference_time == reference_time);
    CHECK(r.root_dispersion.seconds() > last + 3600 * 1e-6);  // maxclockerror
    last = r.root_dispersion.seconds();
  }
  service.stride(20'000s);
  const auto r = service.kernel().reference;
  CHECK(r.refid == clock::kLocalRefid);
  CHECK(r.stratum == 10);
  CHECK(r.leap == Leap::none);
  CHECK(r.root_dispersion.value == 0);
  CHECK(service.kernel().dispersion_growth_ppb == 0);
  w->servers[ip("192.0.2.1")].answers = true;
  service.stride(1200s);
  CHECK(service.kernel().reference.refid == 0xC000'0201U);
  CHECK(service.kernel().reference.root_dispersion.seconds() < 0.001);
}

TEST_CASE("without a local reference the clock is held over for as long as it is asked for") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  Service service{*w, {}};
  service.stride(600s);
  w->servers[ip("192.0.2.1")].answers = false;
  service.stride(20 * 3600s);
  const auto r = service.kernel().reference;
  CHECK(r.stratum == 2);
  CHECK(r.refid == 0xC000'0201U);
  CHECK(r.root_dispersion.seconds() > 20 * 3600 * 1e-6);
}

TEST_CASE("smoothing reaches workers with its slope, and shows in the reference") {
  const auto w = real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) {
    s.smooth_time.enabled = true;
    s.smooth_time.max_frequency_ppm = 400;
    s.smooth_time.max_wander_ppm = 10;
    s.max_slew_rate_ppm = 1000;
  });
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  Service service{*w, {}};
  service.run(100s);
  CHECK(service.worker().reference.refid == 0xC000'0201U);
  const auto plain = service.worker().reference;
  CHECK(w->manager->adjust_offset(-0.1) == status::Status::success);
  w->servers[ip("192.0.2.1")].answers = false;  // or it would be undone
  service.refresh();
  CHECK(service.kernel().reference.refid == clock::kSmoothedRefid);
  CHECK(service.publisher().served().reference.refid == 0xC000'0201U);
  CHECK((service.kernel().reference.reference_time - plain.reference_time).seconds() ==
        Approx(0.1).margin(0.01));
  CHECK(service.kernel().reference.root_delay == plain.root_delay);
  NtpTimestamp last = service.worker().time_at(Ticks{static_cast<std::uint64_t>(w->now.count())});
  double largest = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto worker = service.worker();
    service.run(kReading);
    // What a worker says at the end of its snapshot is what the next one begins with.
    CHECK(std::fabs(ahead(worker, w->now, service.served())) < 1e-6);
    const NtpTimestamp now = service.worker().time_at(Ticks{static_cast<std::uint64_t>(w->now.count())});
    CHECK((now - last).units > 0);
    largest = std::max(largest, std::fabs((now - last).seconds() / 0.01 - 1));
    last = now;
  }
  CHECK(largest > 50e-6);
  CHECK(largest < 450e-6);
  CHECK(service.worker().reference.refid == clock::kSmoothedRefid);
}
