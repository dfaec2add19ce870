// SPDX-License-Identifier: BSD-3-Clause
// The source manager with reference clocks.
#include <random>

#include "catch.hpp"
#include "ntp/reference_id.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;
using Driver = Refclock::Driver;

namespace {

Refclock refclock(Driver driver, const char* refid, int poll = 2) {
  Refclock r;
  r.driver = driver;
  r.refid = refid;
  r.poll = poll;
  return r;
}

std::unique_ptr<World> refclock_world(const std::vector<Refclock>& refclocks,
                                      const std::vector<NtpSource>& sources = {},
                                      ClockUse use = ClockUse::follow) {
  return real_world(sources, use, [&](Settings& s) {
    s.refclocks = refclocks;
    s.logs.refclocks = true;
  });
}

void feed(World& w, std::size_t index, double offset) {
  w.refclocks[index] = [&w, offset] { return w.reading(offset); };
}

// A pulse at the whole second of true time before now.
std::optional<clock::ClockReading> pulse(const World& w, double late = 0) {
  const WallTime truth = WallTime{1'800'000'000s} + w.now;
  const WallTime second = std::chrono::floor<std::chrono::seconds>(truth);
  clock::ClockReading r = clock::reading_of(clock::advanced(second, w.kernel_offset + late), second);
  r.pulse = true;
  r.seconds = 0;
  return r;
}

clock::Reference good_reference() {
  clock::Reference r;
  r.leap = clock::Leap::none;
  r.stratum = 3;
  r.refid = 0xC0000201;
  r.root_dispersion = NtpShort::from(1ms);
  return r;
}

}  // namespace

TEST_CASE("a reference clock is followed: the clock gets its time, stratum 1 and its refid") {
  const auto w = refclock_world({refclock(Driver::shm, "GPS")});
  w->kernel_offset = -0.02;
  feed(*w, 0, 0);
  w->manager->start();
  w->run(200s);
  CHECK(w->said("Selected source GPS"));
  CHECK(std::fabs(w->error()) < 1e-6);
  const auto state = w->manager->clock_state();
  CHECK(state.synchronised);
  CHECK(state.stratum == 1);
  CHECK(state.refid == 0x47505300);
  status::Tracking tracking;
  w->manager->describe(tracking);
  CHECK(tracking.source == IpAddress{});
}

TEST_CASE("a reference clock is reported with its refid in place of an address") {
  const auto w = refclock_world({refclock(Driver::shm, ""), refclock(Driver::sock, "")});
  w->kernel_offset = -0.25;
  feed(*w, 0, 0.5);
  w->manager->start();
  w->run(9s);
  const auto source = w->manager->source(0);
  REQUIRE(source);
  CHECK(source->mode == status::SourceMode::reference_clock);
  CHECK(source->address.ip == IpAddress::v4(ntp::named_reference_id("SHM0")));
  CHECK(source->poll == 2);
  CHECK(source->stratum == 0);
  CHECK(source->reachability == 3);
  CHECK(source->last_sample_original_offset == Approx(-0.75).margin(1e-6));
  CHECK(w->manager->source(1)->address.ip == IpAddress::v4(ntp::named_reference_id("SOC1")));
  CHECK(w->manager->source(1)->reachability == 0);
  CHECK(w->manager->source_stats(0)->reference_id == ntp::named_reference_id("SHM0"));
  CHECK(w->manager->source_stats(0)->address == status::SourceAddress{});
  CHECK(w->manager->select_data(0)->address == status::SourceAddress{});
  const auto activity = w->manager->activity();
  CHECK(activity.online + activity.offline + activity.unresolved == 0);
  CHECK_FALSE(w->manager->source_name(source->address));
  CHECK_FALSE(w->manager->ntp_data(source->address));
  CHECK(w->manager->remove(source->address) == status::Status::no_such_source);
  CHECK(w->manager->offline({source->address, {}}) == status::Status::no_such_source);
}

TEST_CASE("selection options of a reference clock are set by its refid") {
  const auto w = refclock_world({refclock(Driver::shm, "GPS")});
  feed(*w, 0, 0);
  w->manager->start();
  status::SetSelectOptions command;
  command.reference_id = ntp::named_reference_id("GPS");
  command.mask = command.options = status::kAddNoSelect;
  CHECK(w->manager->set_select_options(command) == status::Status::success);
  w->run(60s);
  CHECK(w->manager->select_data(0)->state_letter == 'N');
  CHECK_FALSE(w->manager->clock_state().synchronised);
  command.reference_id = ntp::named_reference_id("GPX");
  CHECK(w->manager->set_select_options(command) == status::Status::no_such_source);
}

TEST_CASE("the offset of a reference clock is set by its refid") {
  Refclock gps = refclock(Driver::shm, "GPS", 0);
  gps.select.noselect = true;  // else the clock is on its way
  const auto w = refclock_world({gps});
  feed(*w, 0, 0.25);
  w->manager->start();
  w->run(2s);
  CHECK(w->manager->set_offset({{}, ntp::named_reference_id("GPS"), -0.25}) == status::Status::success);
  CHECK(w->said("Source GPS new offset -0.25"));
  w->run(2s);
  CHECK(w->manager->source(0)->last_sample_original_offset == Approx(0).margin(1e-6));
  CHECK(w->manager->set_offset({{}, ntp::named_reference_id("GPX"), 0}) == status::Status::no_such_source);
}

TEST_CASE("one reference clock against two that agree is a falseticker by its name") {
  const auto w = refclock_world(
      {refclock(Driver::shm, "ONE"), refclock(Driver::shm, "LIE"), refclock(Driver::shm, "TWO")});
  feed(*w, 0, 0);
  feed(*w, 1, 0.2);
  feed(*w, 2, 1e-7);
  for (auto& r : w->settings.refclocks) r.delay = Seconds{1e-3};
  w->manager->start();
  w->run(60s);
  CHECK(w->said("Detected falseticker LIE"));
  CHECK(w->manager->source(1)->state == status::SourceState::falseticker);
  CHECK(std::fabs(w->error()) < 1e-4);
}

TEST_CASE("a driver that reports by itself is followed as well, and what comes in is reachability") {
  const auto w = refclock_world({refclock(Driver::sock, "GPS")});
  w->manager->start();
  for (int i = 0; i < 200; ++i) {
    w->run(200ms);
    w->manager->receive_reading(0, w->reading(0));
    w->manager->receive_reading(1, w->reading(9));  // no such line
  }
  CHECK(w->said("Selected source GPS"));
  CHECK(w->manager->source(0)->reachability == 0xFF);
  w->run(40s);
  CHECK(w->manager->source(0)->reachability == 0);
}

TEST_CASE("a locked PPS takes its seconds from the other refclock, which need not be selected") {
  Refclock pps = refclock(Driver::pps, "PPS");
  pps.lock = "NMEA";
  Refclock nmea = refclock(Driver::shm, "NMEA");
  nmea.select.noselect = true;
  const auto w = refclock_world({nmea, pps});
  w->kernel_offset = -4.3;
  feed(*w, 0, 0.15);  // late, as serial lines are
  w->refclocks[1] = [&w = *w] { return pulse(w); };
  w->manager->start();
  w->run(200s);
  CHECK(w->said("Selected source PPS"));
  CHECK(std::fabs(w->error()) < 1e-6);
}

TEST_CASE("a lock to no other refclock is warned of") {
  Refclock pps = refclock(Driver::pps, "PPS");
  pps.lock = "NMEA";
  Refclock self = refclock(Driver::pps, "SELF");
  self.lock = "SELF";
  const auto w = refclock_world({pps, self});
  w->manager->start();
  CHECK(w->said("Invalid lock refid NMEA of refclock PPS"));
  CHECK(w->said("Invalid lock refid SELF of refclock SELF"));
}

TEST_CASE("a PPS alone is counted with the time we serve, and waits until that is good enough") {
  const auto w = refclock_world({refclock(Driver::pps, "PPS")});
  w->kernel_offset = 0.1;
  w->refclocks[0] = [&w = *w] { return pulse(w); };
  w->manager->start();
  w->run(20s);
  CHECK(w->manager->source(0)->reachability != 0);  // pulses come, but nobody knows which
  CHECK(w->manager->source_stats(0)->samples == 0);
  w->served = good_reference();
  w->run(200s);
  CHECK(std::fabs(w->error()) < 1e-6);
  CHECK(w->manager->clock_state().stratum == 1);
}

TEST_CASE("a PPS counted with the `local` reference does not raise the stratum served") {
  const auto w = refclock_world({refclock(Driver::pps, "PPS")});
  w->refclocks[0] = [&w = *w] { return pulse(w); };
  w->served = good_reference();
  w->served.stratum = 10;
  w->served.refid = clock::kLocalRefid;
  w->manager->start();
  w->run(100s);
  CHECK(w->manager->clock_state().stratum == 10);
  w->served.refid = ntp::named_reference_id("PPS");  // what is served then
  w->run(100s);
  CHECK(w->manager->clock_state().stratum == 10);
  w->served.refid = 0xC0000201;
  w->run(100s);
  CHECK(w->manager->clock_state().stratum == 1);
}

TEST_CASE("a clock in TAI is corrected by TAI - UTC") {
  Refclock phc = refclock(Driver::phc, "PHC");
  phc.tai = true;
  const auto w = refclock_world({phc});
  feed(*w, 0, 37);
  w->manager->set_leap_table(*clock::LeapTable::from_list("3644697600 36\n3692217600 37\n"));
  w->manager->start();
  w->run(100s);
  CHECK(w->manager->clock_state().synchronised);
  CHECK(std::fabs(w->error()) < 1e-6);
}

TEST_CASE("a `local` refclock steadies the clock without setting it") {
  Refclock local = refclock(Driver::phc, "OCXO", 0);
  local.driver_poll = 0;
  local.local = true;
  const auto w = refclock_world({local});
  w->kernel_offset = 0.123;
  feed(*w, 0, 5.4);
  w->manager->start();
  w->run(30s);
  w->drift = 20e-6;
  const double before = w->error();
  w->run(600s);  // 12 ms of drift
  CHECK(std::fabs(w->error() - before) < 1e-3);
  CHECK_FALSE(w->manager->clock_state().synchronised);
  CHECK(w->real->frequency_ == Approx(-20e-6).epsilon(0.1));
  w->refclocks.clear();
  w->run(20s);
  feed(*w, 0, 5.4);
  w->run(5s);
  CHECK(w->said("Local refclock lost lock"));
}

TEST_CASE("reference clocks set the clock once as servers do, and give up when nothing comes") {
  const auto w = refclock_world({refclock(Driver::shm, "GPS")}, {}, ClockUse::step_once);
  w->kernel_offset = -0.75;
  feed(*w, 0, 0);
  w->manager->start();
  w->run(60s);
  CHECK(w->finished == true);
  CHECK(w->real->stepped == Approx(0.75).margin(1e-6));
  const auto silent = refclock_world({refclock(Driver::shm, "GPS")}, {}, ClockUse::step_once);
  silent->manager->start();
  silent->run(20s);
  CHECK_FALSE(silent->finished);
  silent->run(40s);
  CHECK(silent->finished == false);
}

TEST_CASE("a refclock that fell silent for more than maxunreach polls is not selected") {
  Refclock gps = refclock(Driver::shm, "GPS", 0);
  gps.max_unreach = 10;
  const auto w = refclock_world({gps});
  feed(*w, 0, 0);
  w->manager->start();
  w->run(30s);
  w->refclocks.clear();
  w->run(9s);
  CHECK(w->manager->select_data(0)->state_letter != 'N');
  w->run(10s);
  w->manager->reselect();
  CHECK(w->manager->select_data(0)->state_letter == 'N');
}

TEST_CASE("noise of a reference clock is averaged away, and outliers do not move the clock") {
  std::mt19937_64 random{8};
  std::normal_distribution<double> noise{0, 1e-6};
  const auto w = refclock_world({refclock(Driver::shm, "GPS", 4)});
  w->drift = 30e-6;
  int count = 0;
  w->refclocks[0] = [&] { return w->reading(noise(random) + (++count % 20 == 0 ? 0.05 : 0)); };
  w->manager->start();
  w->run(1000s);
  double squares = 0;
  constexpr int kTimes = 400;
  for (int i = 0; i < kTimes; ++i) {
    w->run(5s);
    squares += w->error() * w->error() / kTimes;
  }
  CHECK(std::sqrt(squares) < 0.3e-6);
}

TEST_CASE("the refclocks log has every sample as read and what the filter made of them") {
  Refclock gps = refclock(Driver::shm, "GPS", 2);
  gps.offset = Seconds{0.1};
  const auto w = refclock_world({gps});
  feed(*w, 0, 0.5);
  w->manager->start();
  w->run(4s);
  REQUIRE(w->records.size() == 5);
  for (unsigned i = 0; i < 4; ++i) {
    const auto& r = std::get<status::RefclockRecord>(w->records[i]);
    CHECK(r.refid == "GPS");
    REQUIRE(r.raw);
    CHECK(r.raw->poll == i);
    CHECK(r.raw->offset == Approx(0.5));
    CHECK_FALSE(r.raw->pulse);
    CHECK(r.offset == Approx(0.6));
  }
  const auto& filtered = std::get<status::RefclockRecord>(w->records[4]);
  CHECK_FALSE(filtered.raw);
  CHECK(filtered.offset == Approx(0.6));
}

TEST_CASE("refids are made of driver and number, and of three digits' worth of lines too") {
  CHECK(ntp::reference_name(refclock_id(refclock(Driver::pps, ""), 0)) == "PPS0");
  CHECK(ntp::reference_name(refclock_id(refclock(Driver::sock, ""), 9)) == "SOC9");
  CHECK(ntp::reference_name(refclock_id(refclock(Driver::phc, ""), 12)) == "PH12");
  CHECK(ntp::reference_name(refclock_id(refclock(Driver::shm, "NMEA"), 3)) == "NMEA");
}
