// SPDX-License-Identifier: BSD-3-Clause
#include "control/source_manager.hpp"

#include "catch.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;

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

TEST_CASE("of a pool's addresses the first to answer stay, as many as it may have, and each only once") {
  NtpSource pool = ntp_server("pool.example");
  pool.kind = NtpSource::Kind::pool;
  pool.max_sources = 2;
  const auto w = virtual_world({ntp_server("192.0.2.1"), pool});
  for (const char* address : {"192.0.2.3", "192.0.2.5"}) w->servers[ip(address)] = {};
  w->manager->start();
  REQUIRE(w->looked_up == std::vector<std::string>{"pool.example"});
  CHECK(w->manager->activity().unresolved == 4);
  w->manager->looked_up(std::vector{ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.4"),
                                    ip("192.0.2.5"), ip("192.0.2.6")});
  CHECK(w->manager->activity().unresolved == 0);
  CHECK(w->manager->source_count() == 5);
  CHECK(w->manager->source_name(at("192.0.2.2")) == "pool.example");
  CHECK_FALSE(w->manager->source_name(at("192.0.2.6")));
  w->run(10s);
  CHECK(w->manager->source_count() == 3);
  CHECK(w->manager->source_name(at("192.0.2.3")) == "pool.example");
  CHECK(w->manager->source_name(at("192.0.2.5")) == "pool.example");
  w->servers[ip("192.0.2.3")].answers = false;
  w->run(400s);
  w->servers[ip("192.0.2.4")] = {};
  w->manager->looked_up(std::vector{ip("192.0.2.3"), ip("192.0.2.4"), ip("192.0.2.5")});
  CHECK(w->said("Source 192.0.2.3 replaced with 192.0.2.4 (pool.example)"));
  w->run(100s);
  CHECK(w->manager->source_count() == 3);
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
