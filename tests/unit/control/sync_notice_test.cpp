// SPDX-License-Identifier: BSD-3-Clause
#include "control/sync_notice.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace std::chrono_literals;
using control::SyncNotice;

namespace {

SyncNotice::Situation situation(clock::ServedAs as) {
  SyncNotice::Situation s;
  s.served.as = as;
  s.served.reference.stratum = as == clock::ServedAs::unsynchronised ? 0 : 10;
  s.config_file = "/etc/chrony/chrony.conf";
  return s;
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the newcomer's trap is named with its way out") {
  SyncNotice notice;
  const auto line = notice.update(situation(clock::ServedAs::unsynchronised), 0s);
  REQUIRE(line);
  CHECK(line->warning);
  CHECK(line->text ==
        "clients see this server as unsynchronised: no source is selected and no 'local' directive is "
        "configured; "
        "add e.g. 'local stratum 10' to /etc/chrony/chrony.conf");
}

TEST_CASE("configured sources that are not selected yet are no reason to worry") {
  SyncNotice notice;
  auto s = situation(clock::ServedAs::unsynchronised);
  s.sources_configured = true;
  const auto line = notice.update(s, 0s);
  REQUIRE(line);
  CHECK_FALSE(line->warning);
  CHECK(has(line->text, "no source is selected yet"));
}

TEST_CASE("a local reference that waits says for what") {
  SyncNotice notice;
  auto s = situation(clock::ServedAs::unsynchronised);
  s.local.enabled = true;
  s.local.wait_unsynced = 300s;
  const auto line = notice.update(s, 0s);
  REQUIRE(line);
  CHECK(has(line->text, "waitunsynced 300 s"));
  CHECK_FALSE(has(line->text, "no 'local' directive"));
}

TEST_CASE("nothing is repeated while nothing changes") {
  SyncNotice notice;
  CHECK(notice.update(situation(clock::ServedAs::synchronised), 0s));
  auto later = situation(clock::ServedAs::synchronised);
  later.state.root_dispersion = 5ms;  // moves all the time
  for (int second = 1; second < 100; ++second)
    CHECK_FALSE(notice.update(later, std::chrono::seconds{second}));
}

TEST_CASE("a change is told, but a flapping clock is not told each time") {
  SyncNotice notice;
  int lines = 0;
  for (int second = 0; second < 100; ++second) {
    const auto as = second % 2 == 0 ? clock::ServedAs::local : clock::ServedAs::unsynchronised;
    if (notice.update(situation(as), std::chrono::seconds{second})) ++lines;
  }
  CHECK(lines >= 5);
  CHECK(lines <= 10);
}

TEST_CASE("a change within the pause is told after it") {
  SyncNotice notice;
  CHECK(notice.update(situation(clock::ServedAs::local), 0s));
  CHECK_FALSE(notice.update(situation(clock::ServedAs::unsynchronised), 1s));
  const auto line = notice.update(situation(clock::ServedAs::unsynchronised), 11s);
  REQUIRE(line);
  CHECK(line->warning);
}
