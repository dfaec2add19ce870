// SPDX-License-Identifier: BSD-3-Clause
#include "control/policy.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

Result<std::vector<IpAddress>> resolve(const std::string& name) {
  if (name == "ntp.example")
    return std::vector{*IpAddress::parse("192.0.2.5"), *IpAddress::parse("2001:db8::5")};
  return fail("cannot resolve \"" + name + "\"");
}

AccessRule named(bool allow, const char* name) {
  return {allow, false, {}, name};
}

}  // namespace

TEST_CASE("a rule with a host name stands for every address of that name") {
  const auto rules = access_rules({named(true, "ntp.example")}, resolve);
  REQUIRE(rules);
  CHECK(rules->allows(*IpAddress::parse("192.0.2.5")));
  CHECK(rules->allows(*IpAddress::parse("2001:db8::5")));
  CHECK_FALSE(rules->allows(*IpAddress::parse("192.0.2.6")));
}

TEST_CASE("a rule whose name has no address is an error that names the rule") {
  const auto rules = access_rules({{true, false, {}, ""}, named(false, "nosuch.invalid")}, resolve);
  REQUIRE_FALSE(rules);
  CHECK(rules.error().message == "cannot apply 'deny nosuch.invalid': cannot resolve \"nosuch.invalid\"");
}

TEST_CASE("an orphan in an isolated network serves at once, one with sources waits for them") {
  Settings s;
  s.local.enabled = true;
  s.local.orphan = true;
  CHECK(local_config(s).wait_unsynced == 0s);
  s.sources.emplace_back();
  CHECK(local_config(s).wait_unsynced == 300s);
  s.local.orphan = false;
  CHECK(local_config(s).wait_unsynced == 0s);
}

TEST_CASE("a given waitunsynced is what counts") {
  Settings s;
  s.local.enabled = true;
  s.local.orphan = true;
  s.local.waitunsynced_given = true;
  s.local.waitunsynced = 7s;
  CHECK(local_config(s).wait_unsynced == 7s);
  s.sources.emplace_back();
  s.local.waitunsynced = 0s;
  CHECK(local_config(s).wait_unsynced == 0s);
}

TEST_CASE("all client logs together stay within clientloglimit") {
  Settings s;
  s.client_log_limit = 9'600'000;
  CHECK(client_capacities(s).kernel.ipv4 == 200'000);
  CHECK(client_capacities(s).kernel.ipv6 == 100'000);
  CHECK(ntp::ClientTable::memory_needed(client_capacities(s).kernel) <= 9'600'000 + 64 * 16);
  s.dataplanes.resize(2);
  s.dataplanes[0].queues = 4;
  s.worker_cpus = {1, 2};
  // Two workers on the first port, one on the second.
  CHECK(client_capacities(s).kernel.ipv4 == 12'500);
  CHECK(client_capacities(s).worker.ipv4 == 62'500);
  CHECK(client_capacities(s).worker.ipv6 == 31'250);
}

TEST_CASE("a data plane has room for a million clients, unless told otherwise") {
  Settings s;
  CHECK(client_capacities(s).kernel.ipv4 == 65'536);
  s.dataplanes.resize(1);
  s.worker_cpus = {1};
  CHECK(client_capacities(s).worker.ipv4 == 1 << 20);
  s.dataplanes[0].queues = 4;
  s.worker_cpus = {1, 2, 3, 4};
  CHECK(client_capacities(s).kernel.ipv4 == 65'536);
  CHECK(client_capacities(s).worker.ipv4 * 4 == 1 << 20);
  CHECK(client_capacities(s).worker.ipv6 * 4 == 1 << 18);
}

TEST_CASE("a rate limit that is not configured limits nobody") {
  CHECK_FALSE(ntp_rate_limit({}).enabled);
  RateLimit configured;
  configured.enabled = true;
  configured.interval = 1;
  configured.burst = 4;
  configured.leak = 3;
  configured.kod = 2;
  const ntp::RateLimit limit = ntp_rate_limit(configured);
  CHECK(limit.enabled);
  CHECK(limit.interval == 1);
  CHECK(limit.full == 4 * limit.price);
  CHECK(limit.leak == 3);
  CHECK(limit.kod == 2);
}

TEST_CASE("opencommands replaces the built-in set") {
  Settings s;
  const auto stable = open_commands(s);
  CHECK(stable.contains(status::RequestCode::tracking));
  s.open_commands = std::vector<std::string>{"serverstats"};
  const auto chosen = open_commands(s);
  CHECK(chosen.contains(status::RequestCode::server_stats));
  CHECK_FALSE(chosen.contains(status::RequestCode::tracking));
}
