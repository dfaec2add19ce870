// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/print.hpp"

#include <nlohmann/json.hpp>

#include "catch.hpp"

using namespace wiretime::doctor;

namespace {

const Findings kSome{{Level::ok, "host", "kernel", "Linux 6.12", ""},
                     {Level::warning, "host", "hugepages", "none", "set some aside"},
                     {Level::note, "eth1", "xdp", "native", ""}};

}  // namespace

TEST_CASE("a finding is a line, in columns, with what to do behind an arrow") {
  CHECK(to_text(kSome, false) ==
        "ok       host  kernel     Linux 6.12\n"
        "warning  host  hugepages  none -> set some aside\n"
        "note     eth1  xdp        native\n"
        "0 problems, 1 warning, 1 note, 1 ok\n");
}

TEST_CASE("colours take no room") {
  const std::string text = to_text(kSome, true);
  CHECK(text.find("\033[33mwarning \033[0m host  hugepages  none") != std::string::npos);
  CHECK(to_text(kSome, false).find('\033') == std::string::npos);
}

TEST_CASE("programs get the same findings, whatever bytes are in them") {
  Findings odd = kSome;
  odd.push_back({Level::problem, "e\xFFth", "card", "\"quoted\"\n", ""});
  const auto json = nlohmann::json::parse(to_json(odd));
  REQUIRE(json["findings"].size() == 4);
  CHECK(json["findings"][1]["next"] == "set some aside");
  CHECK(json["findings"][3]["what"] == "\"quoted\"\n");
  CHECK(json["summary"]["problem"] == 1);
  CHECK(json["summary"]["ok"] == 1);
}

TEST_CASE("only a problem fails") {
  CHECK(exit_status({}) == 0);
  CHECK(exit_status(kSome) == 0);
  Findings bad = kSome;
  bad.push_back({Level::problem, "host", "card", "gone", ""});
  CHECK(exit_status(bad) == 1);
}
