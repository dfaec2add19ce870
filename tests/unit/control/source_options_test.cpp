// SPDX-License-Identifier: BSD-3-Clause
// Every option of server, pool and peer lines reaches the part that acts on it; what that part does is tested
// where it lives (tests/unit/ntp, tests/unit/clock), or here where it takes several parts.
#include <random>

#include "catch.hpp"
#include "control/config_parse.hpp"
#include "memory_reader.hpp"
#include "source_world.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace wiretime::control::world;

namespace {

NtpSource parsed(const std::string& options, const std::string& kind = "server") {
  const auto config = parse_config(kind + " 192.0.2.1 " + options + "\n", "test", MemoryReader{});
  REQUIRE(config);
  REQUIRE(config->sources.size() == 1);
  return config->sources[0];
}

ntp::SourceOptions exchange(const std::string& options, const std::string& kind = "server") {
  return association_options(parsed(options, kind), {Settings{}});
}

clock::StatisticsConfig statistics(const std::string& options) {
  return statistics_config(parsed(options), {Settings{}});
}

// A source of 192.0.2.1 with these options that was asked for an hour or so.
std::unique_ptr<World> followed(const std::string& options, const std::function<void(World&)>& prepare = {}) {
  auto w = virtual_world({parsed("iburst minpoll 4 maxpoll 4 " + options)});
  w->servers[ip("192.0.2.1")] = {};
  if (prepare) prepare(*w);
  w->manager->start();
  return w;
}

std::uint32_t answers(const World& w) {
  return w.manager->ntp_data(at("192.0.2.1"))->received;
}
std::uint32_t good(const World& w) {
  return w.manager->ntp_data(at("192.0.2.1"))->received_good;
}

}  // namespace

TEST_CASE("options of the exchange reach the association") {
  const ntp::SourceOptions plain = exchange("");
  CHECK(plain.min_poll == 6);
  CHECK(plain.max_poll == 10);
  CHECK(plain.version == 4);
  CHECK(plain.max_delay == 3);
  CHECK_FALSE(plain.require_authentication);
  CHECK(exchange("", "peer").kind == ntp::SourceKind::peer);
  CHECK(exchange("", "pool").kind == ntp::SourceKind::server);
  CHECK(exchange("minpoll -3").min_poll == -3);
  CHECK(exchange("minpoll 12").max_poll == 12);
  CHECK(exchange("maxpoll 9").max_poll == 9);
  CHECK(exchange("presend 5").presend_min_poll == 5);
  CHECK(exchange("iburst").iburst);
  CHECK(exchange("burst").burst);
  CHECK(exchange("offline").offline);
  CHECK(exchange("auto_offline").auto_offline);
  CHECK(exchange("maxunreach 3").max_unreach == 3);
  CHECK(exchange("version 2").version == 2);
  CHECK(exchange("xleave").xleave);
  CHECK(exchange("copy").copy);
  CHECK(exchange("minstratum 5").min_stratum == 5);
  CHECK(exchange("maxdelay 0.25").max_delay == 0.25);
  CHECK(exchange("offset -0.5").offset_correction == -0.5);
  CHECK(exchange("key 7").require_authentication);
  CHECK(exchange("nts").require_authentication);
}

TEST_CASE("options of the samples reach statistics, filter, delay test and poll control") {
  CHECK(statistics("").max_samples == 64);
  CHECK(statistics("").min_samples == 6);
  CHECK_FALSE(statistics("").asymmetry);
  CHECK(statistics("maxsamples 9").max_samples == 9);
  CHECK(statistics("minsamples 12").min_samples == 12);
  CHECK(statistics("minsamples 12 maxsamples 8").min_samples == 8);
  CHECK(statistics("mindelay 0.001").min_delay == 0.001);
  CHECK(statistics("asymmetry -0.25").asymmetry == -0.25);
  const auto limits =
      delay_limits(parsed("maxdelay 0.5 maxdelayratio 2 maxdelaydevratio 4 maxdelayquant 0.3"), {});
  CHECK(limits.max_delay == 0.5);
  CHECK(limits.max_delay_ratio == 2);
  CHECK(limits.max_delay_deviation == 4);
  CHECK(limits.max_delay_quantile == 0.3);
  CHECK(poll_config(parsed("polltarget 20")).target == 20);
  const auto select = select_options(parsed("prefer noselect trust require").select);
  CHECK((select.prefer && select.no_select && select.trust && select.require));
}

TEST_CASE("chronyc add gives a source the options that a configuration line would") {
  const auto w = virtual_world({});
  w->manager->start();
  status::AddSource add;
  add.name = "192.0.2.1";
  add.port = 1123;
  add.online = true;
  add.asymmetry = 0.5;
  add.min_delay = 150e-6;
  w->servers[ip("192.0.2.1")] = {};
  REQUIRE(w->manager->add(add) == status::Status::success);
  w->run(1s);
  CHECK(w->manager->ntp_data(at("192.0.2.1"))->remote_port == 1123);
  REQUIRE(w->manager->source_stats(0)->samples == 1);
  // Of a round trip of 200 us, 50 are taken for a queue on the way back.
  CHECK(w->manager->source(0)->last_sample_original_offset == Approx(0).margin(1e-7));
  CHECK(w->manager->source_stats(0)->estimated_offset == Approx(-25e-6).margin(1e-7));
}

TEST_CASE("filter makes one sample of several") {
  const auto plain = followed("");
  const auto filtered = followed("filter 4");
  for (World* w : {plain.get(), filtered.get()}) w->run(400s);
  CHECK(answers(*plain) == answers(*filtered));
  CHECK(plain->manager->source_stats(0)->samples >= 20);
  CHECK(filtered->manager->source_stats(0)->samples == answers(*filtered) / 4);
}

TEST_CASE("maxdelay, maxdelayratio and maxdelaydevratio throw away what took too long") {
  for (const char* option : {"maxdelay 0.001", "maxdelayratio 3", "maxdelaydevratio 2"}) {
    INFO(option);
    const auto w = followed(option);
    w->run(200s);
    const auto before = good(*w);
    CHECK(before == answers(*w));
    w->extra_delay = 5ms;
    w->run(100s);
    CHECK(answers(*w) > before);
    CHECK(good(*w) == before);
  }
  const auto patient = followed("maxdelaydevratio 0");
  patient->run(200s);
  patient->extra_delay = 5ms;
  patient->run(100s);
  CHECK(good(*patient) == answers(*patient));
}

TEST_CASE("maxdelayquant keeps about its share of the samples") {
  const auto w = followed("maxdelayquant 0.3");
  std::mt19937 random{3};
  for (int i = 0; i < 1000; ++i) {
    w->extra_delay = Nanoseconds{random() % 1'000'000};
    w->run(17s);
    const auto tests = w->manager->ntp_data(at("192.0.2.1"))->tests;
    CHECK((tests == 0x3FF || tests == 0x3FD));  // chronyd says test C as well
  }
  const double share = double{1.0} * good(*w) / answers(*w);
  CHECK(share > 0.2);
  CHECK(share < 0.4);
}

TEST_CASE("mindelay and asymmetry take a queue on one way out of the offset") {
  const auto run = [](const std::string& options) {
    auto w = followed(options, [](World& world) { world.extra_delay = 1ms; });  // on the way back
    w->run(100s);
    return w->error();
  };
  CHECK(run("") == Approx(-0.5e-3).margin(1e-5));
  CHECK(run("mindelay 0.0002 asymmetry 0.5") == Approx(0).margin(1e-5));
  CHECK(run("mindelay 0.0002 asymmetry -0.5") == Approx(-1e-3).margin(1e-5));
}

TEST_CASE("offset corrects a source that is known to be wrong") {
  const auto w = followed("offset 0.25", [](World& world) { world.servers[ip("192.0.2.1")].offset = -0.25; });
  w->run(100s);
  CHECK(w->error() == Approx(0).margin(1e-5));
}

TEST_CASE("copy serves the source's own refid and stratum, minstratum a higher one") {
  const auto state = [](const std::string& options) {
    const auto w = followed(options, [](World& world) {
      world.servers[ip("192.0.2.1")].stratum = 3;
      world.servers[ip("192.0.2.1")].refid = 0xC633'6401U;
    });
    w->run(100s);
    return w->manager->clock_state();
  };
  CHECK(state("").stratum == 4);
  CHECK(state("").refid == 0xC000'0201U);
  CHECK(state("copy").stratum == 3);
  CHECK(state("copy").refid == 0xC633'6401U);
  CHECK(state("minstratum 7").stratum == 8);
}

TEST_CASE("maxsamples bounds what is kept") {
  const auto w = followed("maxsamples 5");
  w->run(400s);
  CHECK(w->manager->source_stats(0)->samples == 5);
}

TEST_CASE("maxunreach ends the selection of a source that is silent") {
  const auto w = followed("maxunreach 3");
  w->run(100s);
  CHECK(w->manager->select_data(0)->state_letter == '*');
  w->servers[ip("192.0.2.1")].answers = false;
  w->run(40s);
  CHECK(w->manager->select_data(0)->state_letter == '*');
  w->run(100s);
  CHECK(w->manager->select_data(0)->state_letter != '*');
}

TEST_CASE("presend asks twice for each sample") {
  const auto w = followed("presend 4");
  w->run(400s);
  const auto data = *w->manager->ntp_data(at("192.0.2.1"));
  CHECK(data.received > data.received_good + data.received_good / 2);
  CHECK(data.received_good > 10);
}

TEST_CASE("extfield is known to have no function") {
  CHECK(followed("extfield F323")->said("sends no extension fields"));
  CHECK_FALSE(followed("")->said("extension fields"));
}

TEST_CASE("many sources in a burst are asked one after the other, answered or not, as chronyd does") {
  std::vector<NtpSource> sources;
  for (int i = 1; i <= 14; ++i) {
    sources.push_back(parsed("iburst minpoll 2 maxpoll 2"));
    sources.back().name = "192.0.2." + std::to_string(i);
  }
  auto w = virtual_world(sources);
  for (int i = 1; i <= 12; ++i) w->servers[ip("192.0.2." + std::to_string(i))] = {};
  w->manager->start();
  w->run(std::chrono::seconds{40});
  REQUIRE(w->sent_at.size() > 140);
  for (std::size_t i = 1; i < w->sent_at.size(); ++i) {
    INFO("request " << i);
    CHECK(w->sent_at[i] - w->sent_at[i - 1] >= std::chrono::milliseconds{200});
  }
  // One round takes 2.8 s. After 40 s the bursts (4 s and 22 s long) are over, and every source had its
  // share.
  for (int i = 1; i <= 14; ++i) {
    const auto data = w->manager->ntp_data(at("192.0.2." + std::to_string(i)));
    INFO(i);
    CHECK(data->transmitted >= 10);
    CHECK(data->transmitted <= 14);
  }
}

TEST_CASE("a request that no kernel stamped counts from before it was sent, however long sending takes") {
  const auto w = followed("", [](World& world) { world.sending = 150us; });
  w->run(1min);
  const auto data = w->manager->ntp_data(at("192.0.2.1"));
  CHECK(data->received_good > 4);
  CHECK(data->peer_delay >= 199e-6);
}
