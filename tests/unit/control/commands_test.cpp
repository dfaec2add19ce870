// SPDX-License-Identifier: BSD-3-Clause
// The statuses are what a stock chronyd 4.3 without sources answered, but for changes that we do not make.
#include "control/commands.hpp"

#include "catch.hpp"

using namespace wiretime;
using status::Status;
using namespace std::chrono_literals;

namespace {

class FakeTarget final : public control::CommandTarget {
 public:
  ntp::AccessRules& ntp_access() override { return ntp; }
  ntp::AccessRules& command_access() override { return command; }
  bool access_changed() override { return ++access_changes, sockets_open; }
  clock::LocalConfig local() const override { return local_config; }
  void set_local(const clock::LocalConfig& l) override { local_config = l; }
  std::chrono::duration<double> default_orphan_wait() const override { return 300s; }
  bool cycle_logs() override { return ++cycles, log_opens; }
  bool reread_keys() override { return ++rereads, key_file_there; }
  void begin_shutdown() override { shut_down = true; }

  ntp::AccessRules ntp;
  ntp::AccessRules command;
  clock::LocalConfig local_config;
  int access_changes = 0;
  int cycles = 0;
  bool sockets_open = true;
  int rereads = 0;
  bool log_opens = true;
  bool key_file_there = true;
  bool shut_down = false;
};

struct Bench {
  FakeTarget target;
  control::Commands commands{target};
  Status run(const status::Command& command) { return commands.execute(command).status; }
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
IpPrefix prefix(const char* text, unsigned length) {
  return *IpPrefix::of(ip(text), length);
}

}  // namespace

TEST_CASE("allow and deny edit the NTP list and have it published") {
  Bench b;
  CHECK(b.run(status::AllowDeny{false, true, false, prefix("192.0.2.0", 24)}) == Status::success);
  CHECK(b.run(status::AllowDeny{false, false, false, prefix("192.0.2.7", 32)}) == Status::success);
  CHECK(b.target.ntp.allows(ip("192.0.2.1")));
  CHECK_FALSE(b.target.ntp.allows(ip("192.0.2.7")));
  CHECK_FALSE(b.target.command.allows(ip("192.0.2.1")));
  CHECK(b.target.access_changes == 2);
  // `all` forgets the narrower rule
  CHECK(b.run(status::AllowDeny{false, true, true, prefix("192.0.2.0", 24)}) == Status::success);
  CHECK(b.target.ntp.allows(ip("192.0.2.7")));
}

TEST_CASE("allow without a subnet means both families") {
  Bench b;
  CHECK(b.run(status::AllowDeny{false, true, false, {}}) == Status::success);
  CHECK(b.target.ntp.allows(ip("198.51.100.1")));
  CHECK(b.target.ntp.allows(ip("2001:db8::1")));
}

TEST_CASE("cmdallow edits the command port's list only") {
  Bench b;
  CHECK(b.run(status::AllowDeny{true, true, false, prefix("192.0.2.0", 24)}) == Status::success);
  CHECK(b.target.command.allows(ip("192.0.2.1")));
  CHECK_FALSE(b.target.ntp.allows(ip("192.0.2.1")));
}

TEST_CASE("allow fails when the port that it needs cannot be opened") {
  Bench b;
  b.target.sockets_open = false;
  CHECK(b.run(status::AllowDeny{false, true, false, {}}) == Status::failed);
}

TEST_CASE("local on takes over every option, local off keeps them for the next time") {
  Bench b;
  status::Local on;
  on.on = true;
  on.stratum = 5;
  on.distance = 0.25;
  on.orphan = true;
  on.waits = status::Local::Waits{0.5, 7, 9};
  CHECK(b.run(on) == Status::success);
  CHECK(b.target.local_config.enabled);
  CHECK(b.target.local_config.stratum == 5);
  CHECK(b.target.local_config.distance.count() == 0.25);
  CHECK(b.target.local_config.orphan);
  CHECK(b.target.local_config.activate.count() == 0.5);
  CHECK(b.target.local_config.wait_synced.count() == 7);
  CHECK(b.target.local_config.wait_unsynced.count() == 9);
  CHECK(b.run(status::Local{}) == Status::success);
  CHECK_FALSE(b.target.local_config.enabled);
  CHECK(b.target.local_config.stratum == 5);
}

TEST_CASE("local from a chronyc that knows no waits gets our own for an orphan") {
  Bench b;
  status::Local on;
  on.on = true;
  CHECK(b.run(on) == Status::success);
  CHECK(b.target.local_config.wait_unsynced == 0s);
  on.orphan = true;
  CHECK(b.run(on) == Status::success);
  CHECK(b.target.local_config.wait_unsynced == 300s);
}

TEST_CASE("local with an impossible stratum changes nothing") {
  Bench b;
  status::Local on;
  on.on = true;
  for (const std::uint32_t stratum : {0U, 16U, 256U + 10U}) {
    on.stratum = stratum;
    CHECK(b.run(on) == Status::failed);
    CHECK_FALSE(b.target.local_config.enabled);
  }
}

TEST_CASE("cyclelogs says whether the log could be opened again") {
  Bench b;
  CHECK(b.run(status::CycleLogs{}) == Status::success);
  b.target.log_opens = false;
  CHECK(b.run(status::CycleLogs{}) == Status::failed);
  CHECK(b.target.cycles == 2);
}

TEST_CASE("shutdown answers first and begins the exit") {
  Bench b;
  CHECK(b.run(status::Shutdown{}) == Status::success);
  CHECK(b.target.shut_down);
}

TEST_CASE("commands for sources find none") {
  Bench b;
  CHECK(b.run(status::Online{}) == Status::no_such_source);
  CHECK(b.run(status::Offline{}) == Status::no_such_source);
  CHECK(b.run(status::Burst{}) == Status::no_such_source);
  CHECK(b.run(status::ModifySource{}) == Status::no_such_source);
  CHECK(b.run(status::DeleteSource{}) == Status::no_such_source);
  CHECK(b.run(status::SetSelectOptions{}) == Status::no_such_source);
  CHECK(b.run(status::SetOffset{}) == Status::no_such_source);
}

TEST_CASE("commands with nothing to act on succeed") {
  Bench b;
  CHECK(b.run(status::OnOffline{}) == Status::success);
  CHECK(b.run(status::RefreshSources{}) == Status::success);
  CHECK(b.run(status::ReloadSources{}) == Status::success);
  CHECK(b.run(status::ResetSources{}) == Status::success);
  CHECK(b.run(status::Reselect{}) == Status::success);
  CHECK(b.run(status::SetReselectDistance{}) == Status::success);
  CHECK(b.run(status::SetMaxUpdateSkew{}) == Status::success);
  CHECK(b.run(status::SetMakestep{}) == Status::success);
  CHECK(b.run(status::Dump{}) == Status::success);
  CHECK(b.run(status::Manual{status::Manual::Action::off}) == Status::success);
  CHECK(b.run(status::Manual{status::Manual::Action::reset}) == Status::success);
}

TEST_CASE("rekey reads the key file again and says when it cannot") {
  Bench b;
  CHECK(b.run(status::Rekey{}) == Status::success);
  b.target.key_file_there = false;
  CHECK(b.run(status::Rekey{}) == Status::failed);
  CHECK(b.target.rereads == 2);
}

TEST_CASE("what is not done is never reported as done") {
  Bench b;
  CHECK(b.run(status::AddSource{}) == Status::not_enabled);
  CHECK(b.run(status::Makestep{}) == Status::failed);
  CHECK(b.run(status::AdjustFrequency{}) == Status::failed);
  CHECK(b.run(status::AdjustOffset{}) == Status::failed);
  CHECK(b.run(status::SetTime{}) == Status::not_enabled);
  CHECK(b.run(status::Manual{status::Manual::Action::on}) == Status::not_enabled);
  CHECK(b.run(status::ManualDelete{}) == Status::bad_sample);
  CHECK(b.run(status::Smoothtime{}) == Status::not_enabled);
  CHECK(b.run(status::WriteRtc{}) == Status::no_rtc);
  CHECK(b.run(status::TrimRtc{}) == Status::no_rtc);
  CHECK(b.target.access_changes == 0);
}
