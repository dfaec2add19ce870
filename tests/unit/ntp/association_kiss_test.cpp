// SPDX-License-Identifier: BSD-3-Clause
// Kiss-o'-death packets (RFC 5905 section 7.4): what each makes an association do, and that forged ones do
// not.
#include "catch.hpp"
#include "ntp/association.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions server_options() {
  SourceOptions options;
  options.min_poll = 4;
  options.max_poll = 10;
  return options;
}

// Sent one request, nothing has come back.
void send_one(Simulation& sim) {
  sim.start();
  while (sim.sends.empty() && sim.step()) {
  }
  sim.drop_arrivals();
  sim.world.now += std::chrono::milliseconds{2};
}

std::uint32_t code(const char* text) {
  return load_be32(reinterpret_cast<const std::byte*>(text));
}

Header kiss_of_death(Simulation& sim, const char* text, int poll = 6) {
  Header m = sim.answer_by_hand();
  store_u8(m.data(), flags(3, 4, Mode::server));
  store_u8(m.data() + offset::kStratum, 0);
  store_u8(m.data() + offset::kPoll, static_cast<std::uint8_t>(poll));
  store_be32(m.data() + offset::kReferenceId, code(text));
  return m;
}

}  // namespace

TEST_CASE("kiss RATE: fewer requests, a longer minpoll, an end to the burst") {
  auto options = server_options();
  options.iburst = true;
  Simulation sim{options};
  send_one(sim);
  sim.deliver(kiss_of_death(sim, "RATE", 7));
  CHECK(sim.kisses.size() == 1);
  CHECK(sim.association.schedule().min_poll() == 7);
  CHECK(sim.association.connectivity() == Connectivity::online);
  CHECK(sim.refused(Refusal::kiss_rate) == 1);
  const auto wait = std::chrono::duration<double>(*sim.timer - sim.world.now).count();
  CHECK(wait >= 128 + 4 * 16);
  CHECK(wait <= (128 + 4 * 16) * 1.02);
  while (sim.sends.size() < 2 && sim.step()) {
  }
  sim.deliver(kiss_of_death(sim, "RATE", 0));
  CHECK(sim.association.schedule().poll() == 8);
}

TEST_CASE("kiss DENY and RSTR: silence until an operator or a new address ends it") {
  for (const char* text : {"DENY", "RSTR"}) {
    Simulation sim{server_options()};
    send_one(sim);
    sim.deliver(kiss_of_death(sim, text));
    CHECK(sim.association.denied());
    REQUIRE(sim.unreachable.size() == 1);
    CHECK(sim.unreachable[0].reason == Unreachable::Reason::denied);
    sim.run_for(10000);
    CHECK(sim.sends.size() == 1);
    sim.carry_out(sim.association.burst(sim.moment(), 1, 1));
    sim.run_for(100);
    CHECK(sim.sends.size() == 1);
    sim.carry_out(sim.association.go_online(sim.moment()));
    sim.run_for(1);
    CHECK(sim.sends.size() == 2);
    CHECK(sim.samples.size() == 1);
  }
}

TEST_CASE("a forged kiss without our stamp changes nothing") {
  for (const char* text : {"DENY", "RSTR", "RATE"}) {
    Simulation sim{server_options()};
    send_one(sim);
    const auto timer = sim.timer;
    Header m = kiss_of_death(sim, text);
    set_timestamp(m.data(), offset::kOrigin, {42});
    sim.deliver(m);
    CHECK(sim.refused(Refusal::origin) == 1);
    CHECK(sim.kisses.empty());
    CHECK_FALSE(sim.association.denied());
    CHECK(sim.timer == timer);
  }
}

TEST_CASE("a kiss without timestamps is understood, an unknown one is an unsynchronised source") {
  Simulation sim{server_options()};
  send_one(sim);
  Header m = kiss_of_death(sim, "INIT");
  sim.deliver(m);
  CHECK(sim.refused(Refusal::kiss_other) == 1);
  CHECK(sim.samples.empty());
  while (sim.sends.size() < 2 && sim.step()) {
  }
  m = kiss_of_death(sim, "RATE");
  set_timestamp(m.data(), offset::kReceive, {});
  set_timestamp(m.data(), offset::kTransmit, {});
  sim.deliver(m);
  CHECK(sim.refused(Refusal::kiss_rate) == 1);
}
