// SPDX-License-Identifier: BSD-3-Clause
// What the source manager gives the log files.
#include "catch.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;

namespace {

template <typename Record>
std::vector<Record> of(const World& w) {
  std::vector<Record> found;
  for (const auto& r : w.records)
    if (const auto* wanted = std::get_if<Record>(&r)) found.push_back(*wanted);
  return found;
}

std::unique_ptr<World> logging_world(const std::vector<NtpSource>& sources, LogChoice logs) {
  return real_world(sources, ClockUse::follow, [logs](Settings& s) { s.logs = logs; });
}

LogChoice only(bool LogChoice::*member) {
  LogChoice logs;
  logs.*member = true;
  return logs;
}

}  // namespace

TEST_CASE("nothing is recorded that no log asks for") {
  const auto w = logging_world({ntp_server("192.0.2.1")}, {});
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(60s);
  CHECK(w->records.empty());
}

TEST_CASE("the measurements log has each packet of a synchronised source, the sign of RFC 5905's offset") {
  const auto w =
      logging_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2")}, only(&LogChoice::measurements));
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {0, true, 0};  // not synchronised
  w->kernel_offset = -0.02;
  w->manager->start();
  w->run(30s);
  const auto lines = of<status::MeasurementRecord>(*w);
  REQUIRE(lines.size() == w->manager->ntp_data(at("192.0.2.1"))->received);
  const status::MeasurementRecord& r = lines.front();
  CHECK(r.source == "192.0.2.1");
  CHECK(r.leap == 0);
  CHECK(r.stratum == 1);
  CHECK(r.tests == 0x3FF);
  CHECK(r.offset == Approx(0.02).margin(1e-6));
  CHECK(r.peer_delay == Approx(200e-6).margin(1e-6));
  CHECK(r.peer_dispersion > 0);
  CHECK(r.refid == 0x47505300);
  CHECK(r.mode == 4);
  CHECK_FALSE(r.interleaved);
  CHECK(r.transmit_stamp == 'D');
  CHECK(r.receive_stamp == 'K');
  CHECK(r.poll == 4);
}

TEST_CASE("the rawmeasurements log also has packets that give no measurement") {
  const auto w = logging_world({ntp_server("192.0.2.2")}, only(&LogChoice::raw_measurements));
  w->servers[ip("192.0.2.2")] = {0, true, 0};
  w->manager->start();
  w->run(30s);
  const auto lines = of<status::MeasurementRecord>(*w);
  REQUIRE_FALSE(lines.empty());
  CHECK(lines.front().tests == 0b1111010000);  // test 6: not synchronised
  CHECK(lines.front().offset == 0);
  CHECK(clock::seconds_between(lines.front().time, w->kernel_time()) < 30);
}

TEST_CASE("a packet that is too late for maxdelay is in the log with test A failed") {
  NtpSource near = ntp_server("192.0.2.1");
  near.max_delay = Seconds{1e-4};
  const auto w = logging_world({near}, only(&LogChoice::measurements));
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(10s);
  const auto lines = of<status::MeasurementRecord>(*w);
  REQUIRE_FALSE(lines.empty());
  CHECK(lines.front().tests == 0b1111110111);
  CHECK(lines.front().peer_delay == Approx(200e-6).margin(1e-6));
}

TEST_CASE("a packet that maxdelayratio refuses is in the log with test B failed") {
  NtpSource steady = ntp_server("192.0.2.1");
  steady.max_delay_ratio = 1.5;
  const auto w = logging_world({steady}, only(&LogChoice::measurements));
  w->servers[ip("192.0.2.1")] = {};
  w->manager->start();
  w->run(60s);
  CHECK(of<status::MeasurementRecord>(*w).back().tests == 0x3FF);
  w->extra_delay = 1ms;
  w->run(20s);
  CHECK(of<status::MeasurementRecord>(*w).back().tests == 0b1111111011);
}

TEST_CASE(
    "the statistics log has a line for each sample of a source that has three, with sourcestats' signs") {
  const auto w = logging_world({ntp_server("192.0.2.1")}, only(&LogChoice::statistics));
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 0.02;
  w->drift = 10e-6;
  w->manager->start();
  w->run(200s);
  const auto lines = of<status::StatisticsRecord>(*w);
  const auto stats = w->manager->source_stats(0);
  REQUIRE(lines.size() == w->manager->ntp_data(at("192.0.2.1"))->received_good - 2);
  const status::StatisticsRecord& r = lines.back();
  CHECK(r.source == "192.0.2.1");
  CHECK(r.samples - r.dropped == stats->samples);
  CHECK(r.runs == stats->runs);
  CHECK(r.std_dev == stats->standard_deviation);
  CHECK(r.skew * 1e6 == Approx(stats->skew_ppm));
  CHECK(r.offset_sd > 0);
  CHECK(lines.front().samples == 3);
  CHECK(lines.front().stress == 0);
  CHECK(lines[1].stress >= 0);
}

TEST_CASE("the tracking log begins unsynchronised, has a line for each update, and tracking's signs") {
  const auto w = logging_world({ntp_server("192.0.2.1")}, only(&LogChoice::tracking));
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 0.5;
  w->drift = 30e-6;
  w->manager->start();
  w->run(600s);
  const auto lines = of<status::TrackingRecord>(*w);
  REQUIRE(lines.size() == static_cast<std::size_t>(w->updates) + 1);
  CHECK(lines[0].source == "0.0.0.0");
  CHECK(lines[0].stratum == 0);
  CHECK(lines[0].leap == 3);
  CHECK(lines[0].combined == 0);
  CHECK(lines[0].max_error == Approx(1.5));
  CHECK(lines[1].source == "192.0.2.1");
  CHECK(lines[1].stratum == 2);
  CHECK(lines[1].leap == 0);
  CHECK(lines[1].combined == 1);
  CHECK(lines[1].offset == Approx(0.5).margin(1e-3));     // fast
  CHECK(lines[1].max_error == Approx(1.5).margin(1e-3));  // nothing was known
  CHECK(lines[2].remaining < -0.1);                       // it is being slewed back
  CHECK(lines[2].max_error > 0.5);
  CHECK(lines.back().frequency_ppm == Approx(30).margin(0.5));
  CHECK(lines.back().skew_ppm > 0);
  CHECK(lines.back().root_delay == Approx(200e-6).margin(1e-6));
  CHECK(std::fabs(lines.back().offset) <= lines.back().max_error);
}

TEST_CASE("losing the majority is a line of the tracking log without a source") {
  const auto w =
      logging_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2")}, only(&LogChoice::tracking));
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {};
  w->manager->start();
  w->run(100s);
  CHECK(of<status::TrackingRecord>(*w).back().combined == 2);
  w->servers[ip("192.0.2.2")].offset = 1;
  w->run(200s);
  REQUIRE(w->said("Can't synchronise: no majority"));
  const auto last = of<status::TrackingRecord>(*w).back();
  CHECK(last.source == "0.0.0.0");
  CHECK(last.leap == 3);
}

TEST_CASE("the selection log has every source at every selection, with selectdata's signs") {
  const auto w = logging_world({ntp_server("192.0.2.1"), ntp_server("192.0.2.2"), ntp_server("192.0.2.3"),
                                ntp_server("nowhere.example")},
                               only(&LogChoice::selection));
  w->servers[ip("192.0.2.1")] = {};
  w->servers[ip("192.0.2.2")] = {};
  w->servers[ip("192.0.2.3")] = {1.0};
  w->manager->start();
  w->run(60s);
  const auto lines = of<status::SelectionRecord>(*w);
  REQUIRE(lines.size() >= 4);
  REQUIRE(lines.size() % 4 == 0);
  const status::SelectionRecord& liar = lines[lines.size() - 2];
  CHECK(liar.source == "192.0.2.3");
  CHECK(liar.state == 'x');
  CHECK(liar.reach == 0xFF >> (8 - std::min(8, int(w->manager->ntp_data(at("192.0.2.3"))->received_good))));
  CHECK(liar.low < -0.9);
  CHECK(liar.high < -0.9);
  CHECK(liar.low < liar.high);
  CHECK(lines.back().source == "ID#0000000004");
  CHECK(lines.back().state == 'M');
  CHECK(lines.back().last_sample_age == 0);
}
