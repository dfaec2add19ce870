// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "perf/report/text.hpp"
#include "samples.hpp"

using namespace wiretime::report;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("rates and times are scaled and keep four digits") {
  CHECK(format_rate(0) == "0");
  CHECK(format_rate(7) == "7");
  CHECK(format_rate(0.25) == "0.25");
  CHECK(format_rate(999.96) == "1.00k");
  CHECK(format_rate(812'500) == "812.5k");
  CHECK(format_rate(10'960'000) == "10.96M");
  CHECK(format_rate(99'999'999) == "100.0M");
  CHECK(format_time(128) == "128ns");
  CHECK(format_time(12'345) == "12.35us");
  CHECK(format_time(1.2e6) == "1.20ms");
  CHECK(format_time(100e9) == "100.0s");
  CHECK(format_time(5e12) == "5000s");
  CHECK(format_time(1e300).size() < 12);
}

TEST_CASE("a loss is never shown as none, nor a partial loss as all") {
  CHECK(format_percent(0) == "0");
  CHECK(format_percent(1e-9) == "<0.001");
  CHECK(format_percent(0.00005) == "0.005");
  CHECK(format_percent(0.0012) == "0.12");
  CHECK(format_percent(0.25) == "25.0");
  CHECK(format_percent(0.99999) == "99.99");
  CHECK(format_percent(1) == "100");
}

TEST_CASE("the final table has one aligned line a step") {
  const Run run = sample_run("wiretimed", 2e6);
  const auto lines = lines_of(final_table(run));
  REQUIRE(lines.size() == 3 + run.steps.size());
  CHECK(lines[0] ==
        "wiretimed: sweep of 192.0.2.1:123 from af_packet eth1, 65536 clients, every reply checked");
  for (const char* name : {"offered/s", "sent/s", "answered/s", "lost %", "invalid", "p50", "p99.99"})
    CHECK(lines[2].find(name) != std::string::npos);
  CHECK(lines[2].find("kiss") == std::string::npos);
  for (std::size_t i = 1; i < lines.size(); ++i) CHECK(lines[i].size() == lines[2].size());
  CHECK(lines[2].size() <= 110);
  CHECK(lines[3].find("10.00k") != std::string::npos);
}

TEST_CASE("the final table says what was not sent, what was invalid and why") {
  Run run = sample_run("a", 2e6, 1e4, 1e4);
  run.check_share = 0.1;
  run.steps[0].not_sent = run.steps[0].sent / 99;
  CHECK(final_table(run).find("10.00k*") == std::string::npos);
  run.steps[0].not_sent += 10;
  run.steps[0].invalid = 3;
  run.steps[0].kiss = 1;
  run.steps[0].invalid_reasons = {{"origin", 2}, {"checksum", 1}};
  const std::string table = final_table(run);
  CHECK(table.find("10.0 % of the replies checked") != std::string::npos);
  CHECK(table.find("10.00k*") != std::string::npos);
  CHECK(table.find("\n* the generator could not send") != std::string::npos);
  CHECK(table.find("\ninvalid at 10.00k/s: origin 2 checksum 1\n") != std::string::npos);
  CHECK(lines_of(table)[2].find("kiss") != std::string::npos);
}

TEST_CASE("a step without answers has no times") {
  Run run = sample_run("silent", 2e6, 1e4, 1e4);
  run.steps[0].response_time = {};
  run.steps[0].receive_to_transmit = {};
  const auto lines = lines_of(final_table(run));
  CHECK(std::count(lines[3].begin(), lines[3].end(), '-') == 6);
}

TEST_CASE("the progress line is always of one width that a terminal has") {
  STATIC_REQUIRE(kProgressWidth < 80);
  std::mt19937_64 random{80};
  for (int i = 0; i < 2000; ++i) {
    const auto rate = [&] { return static_cast<double>(random() >> (random() % 64)) / 1e9; };
    Progress p{random() % 1000, random() % 1000, rate(), rate(), rate(), rate() / 1e10, rate() * 10};
    REQUIRE(progress_line(p).size() == kProgressWidth);
  }
  const std::string full = progress_line({100, 100, 999.9e3, 999.9e3, 999.9e3, 0.9999, 999.9e3});
  CHECK(full.find("99.99 % p99 999.9us ") != std::string::npos);
}
