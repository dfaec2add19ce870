// SPDX-License-Identifier: BSD-3-Clause
#include "os/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::os;
using namespace std::chrono_literals;

namespace {

std::string contents(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream{path}.rdbuf();
  return out.str();
}

Log open_log(const std::string& path, LogLevel least = LogLevel::info) {
  auto log = Log::to_file(path, least);
  REQUIRE(log);
  return std::move(*log);
}

}  // namespace

TEST_CASE("a log line is chronyd's: UTC time, a blank, the message") {
  TemporaryDirectory dir;
  auto log = open_log(dir / "log");
  log.info("listening on port {}", 123);
  auto line = contents(dir / "log");
  for (auto& c : line)
    if (c >= '0' && c <= '9') c = '9';
  CHECK(line == "9999-99-99T99:99:99Z listening on port 999\n");
}

TEST_CASE("messages below the level are left out") {
  TemporaryDirectory dir;
  auto log = open_log(dir / "log", LogLevel::warning);
  log.debug("debug");
  log.info("info");
  log.limited(LogLevel::info, "key", 1h, "limited");
  CHECK(contents(dir / "log").empty());
  log.warning("warning");
  log.error("error");
  log.write(LogLevel::fatal, "fatal");
  const auto text = contents(dir / "log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK_FALSE(log.enabled(LogLevel::info));
}

TEST_CASE("a message cannot forge a second line or drive a terminal") {
  TemporaryDirectory dir;
  auto log = open_log(dir / "log");
  log.info("name {}", "a\n2026-01-01T00:00:00Z forged\x1b[2J%s");
  const auto text = contents(dir / "log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find("a\\x0a2026") != std::string::npos);
  CHECK(text.find("\\x1b[2J%s") != std::string::npos);
}

TEST_CASE("a limited message comes once per key") {
  TemporaryDirectory dir;
  auto log = open_log(dir / "log");
  for (int i = 0; i < 5; ++i) log.limited(LogLevel::warning, "one", 1h, "first {}", i);
  log.limited(LogLevel::warning, "two", 1h, "second");
  const auto text = contents(dir / "log");
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.find("first 0") != std::string::npos);
  CHECK(text.find("second") != std::string::npos);
}

TEST_CASE("the rate limiter counts what it held back") {
  RateLimiter limiter;
  CHECK(limiter.admit("a", 0s, 10s) == 0U);
  CHECK(limiter.admit("a", 1s, 10s) == std::nullopt);
  CHECK(limiter.admit("a", 9s, 10s) == std::nullopt);
  CHECK(limiter.admit("b", 9s, 10s) == 0U);
  CHECK(limiter.admit("a", 10s, 10s) == 2U);
  CHECK(limiter.admit("a", 11s, 10s) == std::nullopt);
  CHECK(limiter.admit("a", 30s, 10s) == 1U);
}

TEST_CASE("the rate limiter forgets old keys but never grows without bound") {
  RateLimiter limiter;
  int admitted = 0;
  for (int i = 0; i < 10'000; ++i) admitted += limiter.admit(std::to_string(i), 0s, 10s).has_value();
  CHECK(admitted == 256);
  CHECK(limiter.admit("later", 11s, 10s) == 0U);
}

TEST_CASE("reopen follows a renamed file, and keeps the old one when it cannot") {
  TemporaryDirectory dir;
  auto log = open_log(dir / "log");
  log.info("before");
  REQUIRE(std::rename((dir / "log").c_str(), (dir / "log.1").c_str()) == 0);
  REQUIRE(log.reopen());
  log.info("after");
  CHECK(contents(dir / "log.1").find("before") != std::string::npos);
  CHECK(contents(dir / "log").find("after") != std::string::npos);
  CHECK(contents(dir / "log").find("before") == std::string::npos);
  std::filesystem::rename(dir / "log", dir / "log.2");
  std::filesystem::create_directory(dir / "log");
  CHECK_FALSE(log.reopen());
  log.info("still");
  CHECK(contents(dir / "log.2").find("still") != std::string::npos);
}

TEST_CASE("a log file that cannot be opened is named") {
  const auto log = Log::to_file("/nonexistent/dir/log", LogLevel::info);
  REQUIRE_FALSE(log);
  CHECK(log.error().message == "cannot open log file /nonexistent/dir/log: No such file or directory");
}

TEST_CASE("while echo is on, warnings of a file log also reach stderr") {
  TemporaryDirectory dir;
  auto log = open_log(dir / "log");
  const int saved = dup(STDERR_FILENO);
  const FileDescriptor capture{open((dir / "stderr").c_str(), O_WRONLY | O_CREAT, 0600)};
  REQUIRE(dup2(capture.get(), STDERR_FILENO) >= 0);
  log.set_echo(true);
  log.info("quiet");
  log.warning("loud");
  log.set_echo(false);
  log.warning("later");
  dup2(saved, STDERR_FILENO);
  close(saved);
  CHECK(contents(dir / "stderr") == "loud\n");
}

TEST_CASE("fields are key=value, quoted where needed") {
  CHECK(fields("port opened", "interface", "eth1", "queues", 2) == "port opened interface=eth1 queues=2");
  CHECK(fields("x", "name", "two words", "empty", "") == "x name=\"two words\" empty=\"\"");
  CHECK(fields("", "quote", "a\"b\\c") == "quote=\"a\\\"b\\\\c\"");
}
