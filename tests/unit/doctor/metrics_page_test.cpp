// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/metrics_page.hpp"

#include <cmath>
#include <random>

#include "catch.hpp"
#include "status/exposition.hpp"

using namespace wiretime;
using namespace wiretime::doctor;

TEST_CASE("samples are read with labels and values; comments and blank lines are not") {
  const auto page = read_metrics(
      "# HELP x y\n# TYPE x gauge\nx 1\n\nrung{port=\"eth1\",rung=\"tsc\"} 0\nlate{a=\"b\",} 2.5e3 "
      "1700000000\n"
      "inf +Inf\nlast{} 7");
  REQUIRE(page.size() == 5);
  CHECK(page[0].name == "x");
  CHECK(page[1].label("rung") == "tsc");
  CHECK(page[1].label("nothing").empty());
  CHECK(page[2].value == 2500);
  CHECK(std::isinf(page[3].value));
  CHECK(page[4].value == 7);
}

TEST_CASE("what the exposition writes is read back, also odd labels") {
  status::Exposition out;
  out.family("odd", status::MetricType::gauge, "Odd.");
  const std::string odd = "a\"b\\c\nd},=";
  out.sample({{"port", odd}, {"empty", ""}}, 0.1);
  const auto page = read_metrics(std::move(out).take());
  REQUIRE(page.size() == 1);
  CHECK(page[0].label("port") == odd);
  CHECK(page[0].labels.size() == 2);
  CHECK(page[0].value == 0.1);
}

TEST_CASE("what is no sample is passed over") {
  for (const char* line : {"x", "x one", " x 1", "{a=\"b\"} 1", "x{a=\"b\" 1", "x{a=b} 1", "x{a=\"b\"}1",
                           "x{a=\"\\", "x{=\"b\"} 1", "x{a", "x{a=", "x{a=\"", "x ", "x 1x"}) {
    INFO(line);
    CHECK_FALSE(read_sample(line));
  }
}

TEST_CASE("random lines are read to their end at most") {
  constexpr std::string_view kAlphabet = "ab{}=\",\\ 1.\n#";
  std::mt19937 random{7};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t length = random() % 24; text.size() < length;)
      text += kAlphabet[random() % kAlphabet.size()];
    for (const Sample& s : read_metrics(text)) CHECK_FALSE(s.name.empty());
  }
}

TEST_CASE("only a good response has a body") {
  CHECK(*body_of("HTTP/1.1 200 OK\r\nA: b\r\n\r\nx 1\n") == "x 1\n");
  CHECK(body_of("HTTP/1.1 200 OK\r\n\r\n")->empty());
  CHECK(body_of("HTTP/1.1 404 Not Found\r\n\r\nx").error().message ==
        "it has no metrics: HTTP/1.1 404 Not Found");
  CHECK_FALSE(body_of("SSH-2.0-OpenSSH\r\n\r\n"));
  CHECK_FALSE(body_of("HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(body_of("HTTP/1.1\r\n\r\n 200 "));
  CHECK_FALSE(body_of(""));
}
