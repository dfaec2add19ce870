// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <random>
#include <string>

#include "catch.hpp"
#include "perf/report/json.hpp"
#include "samples.hpp"

using namespace wiretime::report;

namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::string error_of(const std::string& text) {
  const auto run = run_from_json(text, "a.json");
  REQUIRE_FALSE(run);
  return run.error().message;
}

const std::string kComparison = R"({"title": "T", "date": "2026-11-23", "machine": "2 cores", "links": [
  {"name": "memif", "ceiling": "testpmd 5tswap", "bars": [
    {"name": "wiretimed", "median": 8.5e6, "min": 8e6, "max": 9e6, "rounds": 5},
    {"name": "testpmd 5tswap", "median": 1e7, "min": 1e7, "max": 1e7, "rounds": 5}]}]})";

}  // namespace

TEST_CASE("a run that is written and read is the same run") {
  std::mt19937_64 random{7};
  const auto any = [&] { return random() >> (random() % 64); };
  const auto real = [&] { return std::uniform_real_distribution{0.0, 1e9}(random); };
  for (int round = 0; round < 200; ++round) {
    Run run{"\"quoted\" \\ \n \xc3\xa9",
            "flood",
            "[2001:db8::1]:123",
            "memif",
            "2026-11-23T10:30:00Z",
            "",
            any(),
            0.25,
            {}};
    for (std::uint64_t i = any() % 4; i > 0; --i) {
      Step step;
      step.offered_rate = real();
      step.seconds = real();
      step.sent = any();
      step.lost = step.sent / 3;
      for (auto* count : {&step.not_sent, &step.answered, &step.invalid, &step.kiss, &step.checked})
        *count = any();
      for (std::uint64_t r = any() % 3; r > 0; --r) step.invalid_reasons.push_back({"origin", any()});
      double quantile = 0;
      for (auto* value : {&step.response_time.p50, &step.response_time.p90, &step.response_time.p99,
                          &step.response_time.p99_9, &step.response_time.p99_99, &step.response_time.max})
        *value = quantile += real();
      step.response_time.count = any();
      if (any() % 2 == 0) step.round_trip = {real(), real()};
      run.steps.push_back(step);
    }
    const auto back = run_from_json(to_json(run), "a.json");
    REQUIRE(back);
    REQUIRE(*back == run);
  }
}

TEST_CASE("a label that is no UTF-8 is still written as JSON") {
  Run run = sample_run("caf\xe9", 1e6);
  const auto back = run_from_json(to_json(run), "a.json");
  REQUIRE(back);
  CHECK(back->label == "caf\xef\xbf\xbd");
}

TEST_CASE("what is wrong in a run's JSON is told with the file and the place") {
  const std::string good = to_json(sample_run("a", 1e6));
  CHECK(error_of(replaced(good, "\"sweep\"", "\"sweet\"")) ==
        "a.json: mode: expected sweep, rate, flood, overload or window, found \"sweet\"");
  CHECK(error_of(replaced(good, "\"label\"", "\"table\"")) ==
        "a.json: \"table\": expected a known key, found \"a\"");
  CHECK(error_of(replaced(good, "\"lost\": 0,", "")) ==
        "a.json: steps[0].lost: expected a value, found nothing");
  CHECK(error_of(replaced(good, "\"lost\": 0,", "\"lost\": -1,")) ==
        "a.json: steps[0].lost: expected a count, found -1");
  CHECK(error_of(replaced(good, "\"lost\": 0,", "\"lost\": 20001,")) ==
        "a.json: steps[0].lost: expected at most sent, 20000, found 20001");
  CHECK(error_of(replaced(good, "\"check_share\": 1.0", "\"check_share\": 1.5")) ==
        "a.json: check_share: expected a number from 0 to 1, found 1.5");
  CHECK(error_of(replaced(good, "\"p50\": ", "\"p50\": 1000000000"))
            .find("a.json: steps[0].response_time.p90: expected at least the quantile before it, ") == 0);
  CHECK(
      error_of(replaced(good, "\"response_time\"", "\"round_trip\": {\"before\": 700}, \"response_time\"")) ==
      "a.json: steps[0].round_trip.after: expected a value, found nothing");
  CHECK(error_of(replaced(good, "wireload-run-1", "wireload-run-2")) ==
        "a.json: schema: expected \"wireload-run-1\", found \"wireload-run-2\"");
  CHECK(error_of("[]") == "a.json: expected an object, found an array");
}

TEST_CASE("text that is no JSON is told with its line") {
  CHECK(error_of("{\n\"label\": x}") == "a.json:2: expected JSON, found byte 0x78 at offset 11");
  CHECK(error_of("{\n\"label\": 1,\n") == "a.json:3: expected JSON, found the end of the file");
  CHECK(error_of("") == "a.json:1: expected JSON, found the end of the file");
  CHECK(error_of("{\"a\": 1e999}") == "a.json: expected numbers that a double holds, found a larger one");
}

TEST_CASE("a comparison is read, with and without a reference") {
  const auto plain = comparison_from_json(kComparison, "c.json");
  REQUIRE(plain);
  REQUIRE(plain->links.size() == 1);
  CHECK(plain->links[0].bars[0] == Bar{"wiretimed", 8.5e6, 8e6, 9e6, 5});
  CHECK(plain->links[0].reference.empty());
  const auto referring = comparison_from_json(
      replaced(kComparison, "\"ceiling\"", "\"reference\": \"wiretimed\", \"ceiling\""), "c.json");
  REQUIRE(referring);
  CHECK(referring->links[0].reference == "wiretimed");
}

TEST_CASE("a comparison whose ceiling or median cannot be is refused") {
  const auto error = [](const std::string& text) {
    return comparison_from_json(text, "c.json").error().message;
  };
  CHECK(error(replaced(kComparison, "\"ceiling\": \"testpmd 5tswap\"", "\"ceiling\": \"testpmd\"")) ==
        "c.json: links[0].ceiling: expected the name of a bar, found \"testpmd\"");
  CHECK(
      error(replaced(kComparison, "\"median\": 8.5e6", "\"median\": 9.5e6")) ==
      "c.json: links[0].bars[0].median: expected a number from min, 8000000, to max, 9000000, found 9500000");
}
