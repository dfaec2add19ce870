// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/options.hpp"

#include <fstream>
#include <iterator>
#include <regex>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::doctor;

namespace {

Result<Options> parse(const std::vector<std::string>& words) {
  return parse_options(words);
}

}  // namespace

TEST_CASE("options and cards are read in any order") {
  const auto o = parse({"eth1", "--json", "-f", "x.conf", "0000:3b:00.0", "--", "-odd"});
  REQUIRE(o);
  CHECK(o->json);
  CHECK(o->config_file == "x.conf");
  CHECK(o->cards == std::vector<std::string>{"eth1", "0000:3b:00.0", "-odd"});
  CHECK(parse({"-fy.conf"})->config_file == "y.conf");
  CHECK_FALSE(parse({})->config_file);
}

TEST_CASE("what cannot be understood is named") {
  CHECK(parse({"--jason"}).error().message == "expected an option that -h lists, found \"--jason\"");
  CHECK(parse({"-f"}).error().message == "-f: expected a file name, found the end of the command line");
  CHECK_FALSE(parse({""}));
  CHECK_FALSE(parse({"-"}));
}

TEST_CASE("help and version are answered at once") {
  CHECK(parse({"-h", "--nonsense"})->action == Options::Action::print_help);
  CHECK(parse({"--version"})->action == Options::Action::print_version);
}

TEST_CASE("the manual page and the help text have every option, and no others") {
  std::ifstream file{GOLDEN_DIR "/../../deploy/man/wiretime-doctor.8"};
  REQUIRE(file);
  const std::string manual{std::istreambuf_iterator<char>{file}, {}};
  std::vector<std::string> in_manual, in_help;
  const std::regex item{R"(\n\.It ((?:Fl [^\n ]+(?: ,)? ?)+))"};
  const std::regex flag{R"(Fl (-?\w+))"};
  for (std::sregex_iterator i{manual.begin(), manual.end(), item}, end; i != end; ++i) {
    const std::string flags = (*i)[1];
    for (std::sregex_iterator f{flags.begin(), flags.end(), flag}; f != end; ++f)
      in_manual.push_back("-" + (*f)[1].str());
  }
  const std::string help = help_text();
  const std::regex listed{R"(\n  (--?\w+)(?:, (--?\w+))?)"};
  for (std::sregex_iterator i{help.begin(), help.end(), listed}, end; i != end; ++i)
    for (const int group : {1, 2})
      if ((*i)[static_cast<std::size_t>(group)].matched)
        in_help.push_back((*i)[static_cast<std::size_t>(group)]);
  CHECK(in_manual == in_help);
  REQUIRE(in_help.size() == 6);
  for (const std::string& option : in_help) {
    INFO(option);
    const auto parsed = option == "-f" ? parse({option, "x"}) : parse({option});
    CHECK(parsed);
  }
}
