// SPDX-License-Identifier: BSD-3-Clause
// When an association sends: schedules, bursts, presend, reachability.
#include "ntp/association.hpp"

#include <set>

#include "catch.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions server_options(int min_poll = 6, int max_poll = 10) {
  SourceOptions options;
  options.min_poll = min_poll;
  options.max_poll = max_poll;
  return options;
}

// Seconds between requests.
std::vector<double> intervals(const Simulation& sim) {
  std::vector<double> out;
  for (std::size_t i = 1; i < sim.sent_at.size(); ++i)
    out.push_back(std::chrono::duration<double>(sim.sent_at[i] - sim.sent_at[i - 1]).count());
  return out;
}

bool about(double value, double expected) {
  return value >= expected && value <= expected * 1.02 + 1e-9;
}

}  // namespace

TEST_CASE("the first request follows the start by a fifth of a second, the next ones by the poll") {
  Simulation sim{server_options()};
  sim.start();
  sim.run_for(1000);
  REQUIRE(sim.sent_at.size() > 10);
  CHECK(about(std::chrono::duration<double>(sim.sent_at[0]).count(), 0.2));
  for (const double gap : intervals(sim)) CHECK(about(gap, 64));
  CHECK(sim.samples.size() == sim.sent_at.size());
}

TEST_CASE("request times are spread, not periodic to the nanosecond") {
  Simulation sim{server_options()};
  sim.start();
  sim.run_for(2000);
  const auto gaps = intervals(sim);
  CHECK(std::set<double>(gaps.begin(), gaps.end()).size() == gaps.size());
}

TEST_CASE("every request has a new socket and a new transmit timestamp, and says nothing else") {
  Simulation sim{server_options()};
  sim.start();
  sim.run_for(64 * 200);
  std::set<std::uint64_t> cookies;
  for (const auto& send : sim.sends) {
    CHECK(send.socket == SocketUse::fresh);
    const Reply r = read_reply(send.bytes);
    cookies.insert(r.transmit.value);
    CHECK(client_request(4, 6, {{}, {}, r.transmit}) == send.bytes);
  }
  CHECK(cookies.size() == sim.sends.size());
}

TEST_CASE("random bits of zero still give a request that a reply can name") {
  Association association{server_options(), test::kTestClock};
  Moment now;
  static_cast<void>(association.start(now));
  now.monotonic = std::chrono::seconds{1};
  const auto actions = association.timer(now);
  const auto* send = std::get_if<Send>(&actions.at(0));
  REQUIRE(send != nullptr);
  CHECK(read_reply(send->bytes).transmit.value != 0);
}

TEST_CASE("the socket closes with the reply, or when a reply would come too late to be used") {
  auto options = server_options();
  options.max_delay = 0.5;
  Simulation sim{options};
  sim.start();
  sim.run_for(1);
  CHECK(sim.closed == 1);
  sim.lose = [] { return true; };
  while (sim.sent_at.size() < 2 && sim.step()) {
  }
  sim.run_for(4.49);
  CHECK(sim.closed == 1);
  sim.run_for(0.02);
  CHECK(sim.closed == 2);
  sim.deliver(sim.answer_by_hand());  // from a queue read late
  CHECK(sim.refused(Refusal::answered) == 1);
}

TEST_CASE("a request keeps away from those to other sources, by at most 2 % more than it must") {
  Association association{server_options(), test::kTestClock};
  const std::array<Nanoseconds, 3> others{std::chrono::milliseconds{100}, std::chrono::milliseconds{250},
                                          std::chrono::seconds{1}};
  Moment now;
  now.random = {1, 2, ~std::uint64_t{0}};
  now.sends = others;
  static_cast<void>(association.start(now));
  REQUIRE(association.sends_next_at());
  CHECK(*association.sends_next_at() >= std::chrono::milliseconds{450});
  CHECK(*association.sends_next_at() <= std::chrono::milliseconds{454});
}

TEST_CASE("iburst ends after four good samples two seconds apart") {
  auto options = server_options();
  options.iburst = true;
  Simulation sim{options};
  sim.start();
  CHECK(sim.association.connectivity() == Connectivity::burst_online);
  sim.run_for(60);
  const auto gaps = intervals(sim);
  REQUIRE(gaps.size() == 3);
  for (const double gap : gaps) CHECK(about(gap, 2));
  CHECK(sim.samples.size() == 4);
  CHECK(sim.association.connectivity() == Connectivity::online);
  sim.run_for(20);
  REQUIRE(sim.sent_at.size() == 5);
  CHECK(intervals(sim).back() >= 64);
}

TEST_CASE("with a short poll a burst is as much denser") {
  auto options = server_options(2, 3);
  options.iburst = true;
  Simulation sim{options};
  sim.start();
  sim.run_for(6);
  const auto gaps = intervals(sim);
  REQUIRE(gaps.size() >= 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(about(gaps[i], 1));
}

TEST_CASE("a server without the time is asked less often with every answer") {
  Simulation sim{server_options(4, 10)};
  sim.server.leap = 3;
  sim.start();
  sim.run_for(16 * 9 + 1);
  CHECK(sim.server.replies == 9);
  CHECK(sim.association.schedule().poll() == 4);
  sim.run_for(16 * 2 + 1);
  CHECK(sim.association.schedule().poll() == 5);
}

TEST_CASE("iburst ends after eight requests when nobody answers") {
  auto options = server_options(6, 6);
  options.iburst = true;
  Simulation sim{options};
  sim.lose = [] { return true; };
  sim.start();
  sim.run_for(60);
  const auto gaps = intervals(sim);
  REQUIRE(gaps.size() == 7);
  for (const double gap : gaps) CHECK(about(gap, 2));
  CHECK(sim.association.connectivity() == Connectivity::online);
  sim.run_for(30);
  CHECK(about(intervals(sim).back(), 64));
}

TEST_CASE("samples that the statistics reject do not end a burst") {
  auto options = server_options(6, 6);
  options.iburst = true;
  Simulation sim{options};
  sim.judgement.delay_ratio_ok = false;
  sim.start();
  sim.run_for(60);
  CHECK(sim.sent_at.size() == 8);
  CHECK(sim.association.report().received_good == 0);
  CHECK(sim.refused(Refusal::delay_ratio) == 8);
  CHECK((sim.association.report().tests & 0b1111) == 0b1011);
}

TEST_CASE("the burst option repeats requests until one is good, within the average of minpoll") {
  auto options = server_options(4, 6);
  options.burst = true;
  Simulation sim{options};
  sim.start();
  sim.run_for(20);
  CHECK(sim.sent_at.size() == 2);  // at minpoll there is no room for a burst
  sim.judgement.poll_change = 2;   // to 64 s
  sim.run_for(16);
  sim.judgement.poll_change = 0;
  sim.judgement.delay_deviation_ok = false;
  const auto before = sim.sent_at.size();
  sim.run_for(64 + 10);
  const auto gaps = intervals(sim);
  REQUIRE(sim.sent_at.size() >= before + 4);
  CHECK(gaps.size() - 3 == before);
  for (std::size_t i = gaps.size() - 3; i < gaps.size(); ++i) CHECK(about(gaps[i], 2));
}

TEST_CASE("presend sends a warm-up packet two seconds ahead whose reply is no sample") {
  auto options = server_options(4, 4);
  options.presend_min_poll = 4;
  Simulation sim{options};
  sim.start();
  sim.run_for(0.2 + 5 * 18.4);
  const auto gaps = intervals(sim);
  REQUIRE(gaps.size() >= 8);
  for (std::size_t i = 0; i < gaps.size(); ++i) CHECK(about(gaps[i], i % 2 == 0 ? 2 : 16));
  CHECK(sim.samples.size() == sim.sent_at.size() / 2);
  CHECK(sim.refused(Refusal::presend) == sim.sent_at.size() - sim.samples.size());
  CHECK(sim.association.reach().bits() == 0xFF);
}

TEST_CASE("presend in interleaved mode takes two warm-up packets") {
  auto options = server_options(4, 4);
  options.presend_min_poll = 4;
  options.xleave = true;
  Simulation sim{options};
  sim.start();
  sim.run_for(200);
  const auto gaps = intervals(sim);
  REQUIRE(gaps.size() >= 9);
  for (std::size_t i = 0; i < gaps.size(); ++i) CHECK(about(gaps[i], i % 3 == 2 ? 16 : 2));
}

TEST_CASE("warm-up packets do not lengthen the poll") {
  auto options = server_options(4, 8);
  options.presend_min_poll = 4;
  Simulation sim{options};
  sim.start();
  sim.run_for(4000);
  CHECK(sim.association.schedule().poll() == 4);
}

TEST_CASE("presend waits for a poll that is long enough") {
  auto options = server_options(4, 8);
  options.presend_min_poll = 5;
  Simulation sim{options};
  sim.start();
  sim.run_for(30);
  CHECK(sim.refused(Refusal::presend) == 0);
  sim.judgement.poll_change = 1;
  sim.run_for(100);
  CHECK(sim.refused(Refusal::presend) > 0);
}

TEST_CASE("sub-second polling starts only once the source is known to be near") {
  Simulation sim{server_options(-3, 0)};
  sim.start();
  sim.run_for(4);
  const auto gaps = intervals(sim);
  REQUIRE(gaps.size() > 20);
  CHECK(about(gaps[0], 0.125));  // the first reply shortened the wait
  CHECK(about(gaps.back(), 0.125));
  CHECK(read_reply(sim.sends[0].bytes).poll == 0);
  CHECK(read_reply(sim.sends[1].bytes).poll == -3);

  Simulation distant{server_options(-3, 0)};
  distant.forward = [] { return 0.02; };
  distant.start();
  distant.run_for(10);
  for (const double gap : intervals(distant)) CHECK(about(gap, 1));
}

TEST_CASE("the poll moves with what the statistics say, within the limits") {
  Simulation sim{server_options(4, 6)};
  sim.judgement.poll_change = 0.5;
  sim.start();
  sim.run_for(600);
  CHECK(about(intervals(sim)[0], 16));
  CHECK(about(intervals(sim).back(), 64));
  sim.judgement.poll_change = -1;
  sim.run_for(600);
  CHECK(about(intervals(sim).back(), 16));
}

TEST_CASE("a poll chosen outside is taken, within the limits") {
  Simulation sim{server_options(4, 7)};
  sim.judgement.poll = 6;
  sim.start();
  sim.run_for(300);
  CHECK(about(intervals(sim).back(), 64));
  sim.judgement.poll = 12;
  sim.run_for(600);
  CHECK(sim.association.schedule().poll() == 7);
  sim.judgement.poll = -7;
  sim.run_for(600);
  CHECK(about(intervals(sim).back(), 16));
}

TEST_CASE("requests without an answer slow down, less so to the selected source") {
  for (const bool selected : {false, true}) {
    Simulation sim{server_options(4, 10)};
    sim.association.set_selected(selected);
    sim.lose = [] { return true; };
    sim.start();
    while (sim.sent_at.size() < 10 && sim.step()) {
    }
    CHECK(sim.association.schedule().poll() == (selected ? 4 : 6));
  }
}

TEST_CASE("eight polls without an answer ask for a replacement, and so does every further eight") {
  Simulation sim{server_options(4, 4)};
  sim.start();
  sim.run_for(200);
  CHECK(sim.association.reach().bits() == 0xFF);
  sim.lose = [] { return true; };
  const auto before = sim.sent_at.size();
  while (sim.unreachable.size() < 2 && sim.step()) {
  }
  CHECK(sim.sent_at.size() - before == 17);
  CHECK(sim.unreachable[0].reason == Unreachable::Reason::no_answer);
  CHECK(sim.statuses.back().reach == 0);
  CHECK(sim.statuses.back().stratum == 1);  // what it was: selection has the reach to judge by
  sim.lose = [] { return false; };
  sim.run_for(40);
  CHECK((sim.association.reach().bits() & 1) == 1);
}

TEST_CASE("a server that answers but is never synchronised is to be replaced as well") {
  Simulation sim{server_options(4, 4)};
  sim.server.stratum = 0;
  sim.server.leap = 3;
  sim.start();
  sim.run_for(100);  // seven answers
  CHECK(sim.unreachable.empty());
  sim.run_for(20);
  CHECK(sim.unreachable.size() == 1);
}

TEST_CASE("maxunreach says when an unreachable source is no longer to be selected") {
  auto options = server_options(4, 4);
  options.max_unreach = 3;
  Simulation sim{options};
  sim.lose = [] { return true; };
  sim.start();
  sim.run_for(16.4 * 3 + 1);
  CHECK(sim.association.reach().missed() == 3);
  CHECK(sim.association.may_be_selected());
  sim.run_for(16.4);
  CHECK_FALSE(sim.association.may_be_selected());
}

TEST_CASE("reset_poll brings a distant next request nearer") {
  Simulation sim{server_options(4, 10)};
  sim.judgement.poll_change = 6;
  sim.start();
  sim.run_for(100);
  sim.judgement.poll_change = 0;
  CHECK(sim.association.schedule().poll() == 10);
  const auto before = sim.sent_at.size();
  sim.carry_out(sim.association.reset_poll(sim.moment()));
  sim.run_for(16.4);
  CHECK(sim.sent_at.size() == before + 1);
}

TEST_CASE("a timer that comes too early only gets the deadline again") {
  Simulation sim{server_options()};
  sim.start();
  const auto deadline = sim.timer;
  sim.timer.reset();
  sim.carry_out(sim.association.timer(sim.moment()));
  CHECK(sim.sent_at.empty());
  CHECK(sim.timer == deadline);
}
