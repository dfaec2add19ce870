// SPDX-License-Identifier: BSD-3-Clause
// chronyc's commands on sources and the clock; what changes nothing and what is refused is as a stock chronyd
// 4.3 answered.
#include <cmath>

#include "catch.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;
using namespace std::chrono_literals;
using status::Status;

namespace {

using P = status::SourceParameter;

std::unique_ptr<World> by_hand() {
  return real_world({}, ClockUse::follow, [](Settings& s) { s.manual = true; });
}

// The true time, as somebody with a good watch types it.
WallTime true_time(const World& w) {
  return WallTime{1'800'000'000s} + w.now;
}

}  // namespace

TEST_CASE("settime sets a clock without sources right, then its frequency, with chronyd's signs") {
  const auto w = by_hand();
  w->kernel_offset = 0.5;  // fast
  w->drift = 40e-6;
  w->manager->start();
  const auto first = w->manager->set_time(true_time(*w));
  CHECK(first.status == Status::success);
  CHECK(first.manual.offset == Approx(0.5).margin(1e-6));
  CHECK(first.manual.frequency_change_ppm == 0);
  w->run(10'000s);
  const auto second = w->manager->set_time(true_time(*w));
  CHECK(second.status == Status::success);
  CHECK(second.manual.offset == Approx(0.4).margin(1e-2));
  CHECK(second.manual.frequency_change_ppm == Approx(40).margin(1));
  CHECK(second.manual.new_frequency_ppm == Approx(40).margin(1));
  w->run(10'000s);
  CHECK(std::fabs(w->kernel_offset) < 0.01);
  CHECK(w->real->steps == 0);
  CHECK_FALSE(w->manager->clock_state().synchronised);
  const auto samples = w->manager->manual_samples();
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].original_offset == Approx(0.5).margin(1e-6));
  CHECK(samples[1].slewed_offset == Approx(0).margin(1e-3));
  status::Tracking t;
  w->manager->describe(t);
  CHECK(t.frequency_ppm == Approx(40).margin(1));
}

TEST_CASE("settime is refused when manual input is off, and twice within a second") {
  const auto w = by_hand();
  w->manager->start();
  CHECK(w->manager->manual(status::Manual::Action::off) == Status::success);
  CHECK(w->manager->set_time(true_time(*w)).status == Status::not_enabled);
  CHECK(w->manager->manual(status::Manual::Action::on) == Status::success);
  CHECK(w->manager->set_time(true_time(*w)).status == Status::success);
  CHECK(w->manager->set_time(true_time(*w)).status == Status::failed);
  CHECK(w->manager->delete_manual_sample(1) == Status::bad_sample);
  CHECK(w->manager->delete_manual_sample(0) == Status::success);
  CHECK(w->manager->manual_samples().empty());
  CHECK(w->manager->set_time(true_time(*w)).status == Status::success);
  CHECK(w->manager->manual(status::Manual::Action::reset) == Status::success);
  CHECK(w->manager->manual_samples().empty());
}

TEST_CASE("manual input is not enabled where nobody lets us steer a clock") {
  const auto w = virtual_world(
      {}, ClockUse::follow, [](Settings&) {}, [](SourceManager::Options& o) { o.controls_clock = false; });
  w->manager->start();
  CHECK(w->manager->manual(status::Manual::Action::on) == Status::not_enabled);
  CHECK(w->manager->set_time(true_time(*w)).status == Status::not_enabled);
}

TEST_CASE("a correction from the sources moves what was typed in before") {
  const auto w =
      real_world({ntp_server("192.0.2.1")}, ClockUse::follow, [](Settings& s) { s.manual = true; });
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(30s);
  REQUIRE(w->manager->set_time(true_time(*w) + 100ms).status == Status::success);
  CHECK(w->manager->manual_samples()[0].slewed_offset == Approx(0).margin(1e-6));
  w->run(100s);
  CHECK(std::fabs(w->error()) < 1e-3);
  CHECK(w->manager->manual_samples()[0].slewed_offset == Approx(-0.1).margin(1e-3));
}

TEST_CASE("dfreq shows in tracking at once") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  w->manager->start();
  CHECK(w->manager->adjust_frequency(12) == Status::success);
  status::Tracking t;
  w->manager->describe(t);
  CHECK(t.frequency_ppm == Approx(12).epsilon(1e-3));
}

TEST_CASE("onoffline takes sources without a route offline, and back online when there is one") {
  const auto w = virtual_world(
      {ntp_server("192.0.2.1", false), ntp_server("192.0.2.2", false), ntp_server("ntp.example")});
  w->unrouted.insert(ip("192.0.2.2"));
  w->manager->start();
  w->manager->online_where_routed();
  CHECK(w->manager->activity().offline == 1);
  CHECK(w->manager->activity().unresolved == 1);
  CHECK(w->said("Source 192.0.2.2 offline"));
  w->unrouted = {ip("192.0.2.1")};
  w->manager->online_where_routed();
  CHECK(w->said("Source 192.0.2.2 online"));
  CHECK(w->manager->activity().offline == 1);
}

TEST_CASE("a name that was taken offline stays so when it gets an address, and the other way round") {
  NtpSource offline = ntp_server("b.example");
  offline.offline = true;
  const auto w = virtual_world({ntp_server("a.example"), offline});
  w->manager->start();
  CHECK(w->manager->offline({{{}, 1}, {}}) == Status::success);
  CHECK(w->manager->online({{{}, 2}, {}}) == Status::success);
  w->manager->looked_up(std::vector{ip("192.0.2.1")});
  w->manager->looked_up(std::vector{ip("192.0.2.2")});
  CHECK(w->manager->activity().offline == 1);
  CHECK(w->manager->activity().burst_online + w->manager->activity().online == 1);
  w->run(5s);
  CHECK(w->manager->ntp_data(at("192.0.2.1"))->transmitted == 0);
  CHECK(w->manager->ntp_data(at("192.0.2.2"))->transmitted > 0);
}

TEST_CASE("values that make no sense change nothing and are no error") {
  const auto w = virtual_world({ntp_server("192.0.2.1")});
  w->manager->start();
  const auto modify = [&](P parameter, double value) {
    return w->manager->modify({at("192.0.2.1"), parameter, value});
  };
  CHECK(modify(P::min_poll, 25) == Status::success);
  CHECK(modify(P::max_poll, -9) == Status::success);
  CHECK(w->lines.empty());
  CHECK(w->manager->source(0)->poll == 4);
  CHECK(modify(P::min_poll, 6) == Status::success);
  CHECK(w->manager->source(0)->poll == 6);
  CHECK(w->said("Source 192.0.2.1 new minpoll 6"));
  CHECK(modify(P::max_poll, 3) == Status::success);
  CHECK(w->manager->source(0)->poll == 3);
  CHECK(modify(P::poll_target, 0) == Status::success);
  CHECK(modify(P::max_delay, -3) == Status::success);
  CHECK(w->said("Source 192.0.2.1 new maxdelay 0"));
  CHECK(w->manager->modify({at("192.0.2.2"), P::min_poll, 6}) == Status::no_such_source);
  CHECK(w->manager->burst({{}, 0, 0}) == Status::success);
}

TEST_CASE("a changed offset of a source counts from its next sample on") {
  const auto w = virtual_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(60s);
  CHECK(w->manager->set_offset({at("192.0.2.1"), 0, 0.02}) == Status::success);
  CHECK(w->manager->set_offset({at("192.0.2.2"), 0, 0.02}) == Status::no_such_source);
  w->run(17s);
  CHECK(w->manager->source(0)->last_sample_original_offset == Approx(-0.02).margin(1e-3));
}

TEST_CASE("reload sources removes, adds and changes lines without touching the others") {
  const NtpSource a = ntp_server("192.0.2.1");
  const NtpSource b = ntp_server("192.0.2.2");
  NtpSource pool = ntp_server("pool.example");
  pool.kind = NtpSource::Kind::pool;
  pool.max_sources = 2;
  const auto w = virtual_world({ntp_server("192.0.2.9")}, ClockUse::follow, [&](Settings& s) {
    s.directory_sources = {a, b, pool};
  });
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.9"}) w->servers[ip(address)] = {};
  w->manager->start();
  w->manager->looked_up(std::vector{ip("192.0.2.3"), ip("192.0.2.4")});
  w->run(60s);
  const auto samples = w->manager->source_stats(1)->samples;
  CHECK(samples > 3);
  NtpSource changed = b;
  changed.max_poll = 7;
  w->manager->set_directory_sources({a, changed, ntp_server("192.0.2.5"), ntp_server("192.0.2.9")});
  CHECK(w->said("Could not add source 192.0.2.9"));
  CHECK_FALSE(w->manager->source_name(at("192.0.2.3")));
  CHECK_FALSE(w->manager->source_name(at("192.0.2.4")));
  REQUIRE(w->manager->source_count() == 4);
  CHECK(w->manager->source(1)->address == at("192.0.2.1"));
  CHECK(w->manager->source_stats(1)->samples == samples);
  CHECK(w->manager->source_stats(2)->samples == 0);  // began anew
  CHECK(w->manager->source_name(at("192.0.2.5")));
  w->manager->set_directory_sources({});
  CHECK(w->manager->source_count() == 1);
}

TEST_CASE("ntpdata shows the asymmetry of the jitter that the statistics use") {
  NtpSource given = ntp_server("192.0.2.1");
  given.asymmetry = -0.5;
  const auto w = virtual_world({given, ntp_server("192.0.2.2")});
  for (const char* address : {"192.0.2.1", "192.0.2.2"}) w->servers[ip(address)] = {};
  w->manager->start();
  w->run(30s);
  CHECK(w->manager->ntp_data(at("192.0.2.1"))->jitter_asymmetry == -0.5);
  CHECK(w->manager->ntp_data(at("192.0.2.2"))->jitter_asymmetry == 0);
}
