// SPDX-License-Identifier: BSD-3-Clause
// dumpdir: what one run of the daemon knew of its sources is what the next begins with.
#include <cmath>

#include "catch.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;
using namespace std::chrono_literals;

namespace {

struct Restart {
  DumpTexts dumps;
  double kernel_offset;
  Nanoseconds now;
};

const std::function<void(Settings&)> kAsItIs = [](Settings&) {};

std::function<void(SourceManager::Options&)> with(const DumpTexts& dumps) {
  return [&dumps](SourceManager::Options& o) {
    o.dumps = dumps;
    o.boot = "boot";
  };
}

// A run with -x that ended well, its clock 20 ms off and drifting.
Restart first_run(const NtpSource& source) {
  const auto w = virtual_world({source}, ClockUse::follow, kAsItIs, with({}));
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 0.02;
  w->drift = 30e-6;
  w->manager->start();
  if (!w->looked_up.empty()) w->manager->looked_up(std::vector{ip("192.0.2.1")});
  w->run(300s);
  return {w->manager->dumps(), w->kernel_offset, w->now};
}

std::unique_ptr<World> second_run(const Restart& from, const NtpSource& source) {
  auto w = virtual_world({source}, ClockUse::follow, kAsItIs, with(from.dumps));
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = from.kernel_offset;
  w->now = from.now;
  w->drift = 30e-6;
  w->advance(w->now + 20s);
  return w;
}

}  // namespace

TEST_CASE("with a source's history the time is right before its first answer") {
  const Restart from = first_run(ntp_server("192.0.2.1"));
  REQUIRE(from.dumps.size() == 1);
  CHECK(from.dumps.count("192.0.2.1.dat") == 1);
  const auto w = second_run(from, ntp_server("192.0.2.1"));
  w->manager->start();
  CHECK(w->said("Loaded dump file for 192.0.2.1"));
  CHECK(w->said("Selected source 192.0.2.1"));
  CHECK(w->sent == 0);
  CHECK(std::fabs(w->error()) < 50e-6);
  CHECK(w->manager->clock_state().synchronised);
  CHECK(w->manager->source(0)->reachability != 0);
  CHECK(w->manager->source_stats(0)->samples > 6);
  w->run(100s);
  CHECK(std::fabs(w->error()) < 50e-6);
}

TEST_CASE("history waits for the address of a name, and follows the clock until then") {
  const Restart from = first_run(ntp_server("ntp.example"));
  REQUIRE(from.dumps.size() == 1);
  const auto w = second_run(from, ntp_server("ntp.example"));
  w->manager->start();
  CHECK_FALSE(w->manager->clock_state().synchronised);
  CHECK(w->manager->adjust_offset(3) == status::Status::success);
  w->manager->looked_up(std::vector{ip("192.0.2.1")});
  CHECK(w->said("Loaded dump file for 192.0.2.1 (ntp.example)"));
  CHECK(w->manager->source_stats(0)->estimated_offset == Approx(w->kernel_offset + 3).margin(1e-3));
}

TEST_CASE("the history of a clock that was set meanwhile, or of another source, is not used") {
  const Restart from = first_run(ntp_server("192.0.2.1"));
  const auto begun = [&](const std::function<void(World&)>& change, const NtpSource& source) {
    auto w = second_run(from, source);
    change(*w);
    w->manager->start();
    return w;
  };
  const auto stepped = begun([](World& w) { w.kernel_offset += 0.5; }, ntp_server("192.0.2.1"));
  CHECK(stepped->said("Could not load dump file 192.0.2.1.dat: the clock was set since"));
  CHECK(stepped->manager->source_stats(0)->samples == 0);
  const auto back = begun([](World& w) { w.now -= 100s; }, ntp_server("192.0.2.1"));
  CHECK(back->said("its last sample is in the future"));
  NtpSource other = ntp_server("192.0.2.1");
  other.key_id = 7;
  const auto authenticated = begun([](World&) {}, other);
  CHECK(authenticated->said("Could not load dump file for 192.0.2.1: it is of an unauthenticated source"));
  const auto elsewhere = begun([](World&) {}, ntp_server("192.0.2.9"));
  CHECK(elsewhere->manager->source_stats(0)->samples == 0);
}

TEST_CASE("a file that is junk is named in the log and costs nothing else") {
  Restart from = first_run(ntp_server("192.0.2.1"));
  from.dumps["192.0.2.1.dat"].resize(100);
  const auto w = second_run(from, ntp_server("192.0.2.1"));
  w->manager->start();
  CHECK(w->said("Could not load dump file 192.0.2.1.dat: line "));
  w->run(20s);
  CHECK(w->said("Selected source 192.0.2.1"));
}

TEST_CASE("a source that has told nothing yet leaves no file") {
  const auto w = virtual_world({ntp_server("192.0.2.1"), ntp_server("ntp.example")});
  w->manager->start();
  w->run(20s);
  CHECK(w->manager->dumps().empty());
}

TEST_CASE("dumps of a steered clock tell of the kernel's, with the correction that is still to come") {
  const auto w = real_world({ntp_server("192.0.2.1")});
  w->servers[ip("192.0.2.1")] = {};
  w->kernel_offset = 5;  // takes a minute to slew at least
  w->manager->start();
  w->run(20s);
  const auto text = w->manager->dumps().at("192.0.2.1.dat");
  const auto dump = parse_dump(text);
  REQUIRE(dump);
  CHECK(w->kernel_offset > 1);
  CHECK(-dump->entries.back().sample.offset == Approx(w->kernel_offset).epsilon(0.05));
  CHECK(std::fabs(w->real->frequency_) > 1e-3);
  w->manager->end();
  CHECK(std::fabs(w->real->frequency_) < 1e-4);  // slewing ends with the daemon
}
