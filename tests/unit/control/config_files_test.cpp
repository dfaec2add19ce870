// SPDX-License-Identifier: BSD-3-Clause
// Patterns, words and the reader that really opens files.
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "control/config_include.hpp"
#include "control/config_parse.hpp"
#include "control/config_tokens.hpp"

using namespace wiretime::control;

namespace {

// A directory that goes away with the test.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "wtconfigXXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + '/' + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream{path(name)} << text; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("shell patterns match as a shell matches") {
  const std::pair<const char*, const char*> matching[] = {
      {"*", "a"},        {"*.conf", "a.conf"}, {"a*b*c", "aXbYbc"}, {"?", "x"},           {"[a-c]x", "bx"},
      {"[!a-c]x", "dx"}, {"[]]", "]"},         {"[a-]", "-"},       {"[", "["},           {"\\*", "*"},
      {".*", ".x"},      {"**", ""},           {"a[b", "a[b"},      {"*[0-9].d", "x7.d"}, {"", ""},
      {"[^a]", "b"}};
  for (const auto& [pattern, name] : matching) {
    INFO(pattern << " " << name);
    CHECK(matches_pattern(pattern, name));
  }
  const std::pair<const char*, const char*> different[] = {
      {"*", ".hidden"}, {"*.conf", "a.conf~"}, {"?", ""},     {"?", "ab"}, {"[a-c]", "d"},
      {"[!a]", "a"},    {"\\*", "a"},          {"a*b", "ac"}, {"", "a"},   {"[!a]x", ".x"}};
  for (const auto& [pattern, name] : different) {
    INFO(pattern << " " << name);
    CHECK_FALSE(matches_pattern(pattern, name));
  }
}

TEST_CASE("numbers are whole words") {
  CHECK(parse_integer("-12") == -12);
  CHECK(parse_integer("+12") == 12);
  for (const char* bad : {"", "+", "-", "+-1", "12a", " 1", "0x10", "1.0", "99999999999999999999"})
    CHECK_FALSE(parse_integer(bad));
  CHECK(parse_real("1e-3") == 1e-3);
  CHECK(parse_real("+.5") == 0.5);
  for (const char* bad : {"", "nan", "inf", "-inf", "1e999", "0x1p3", "1,5", "1.0s"})
    CHECK_FALSE(parse_real(bad));
}

TEST_CASE("the configuration is read from real files and directories") {
  const ScratchDirectory scratch;
  std::filesystem::create_directory(scratch.path("conf.d"));
  scratch.write("conf.d/b.conf", "port 2\n");
  scratch.write("conf.d/a.conf", "local stratum 4\n");
  scratch.write("main.conf",
                "confdir " + scratch.path("conf.d") + "\ninclude " + scratch.path("conf.d/[b]*") + "\n");
  const DiskReader reader;
  const auto config = parse_config_file(scratch.path("main.conf"), reader);
  REQUIRE(config);
  CHECK(print_config(*config) == "local stratum 4\nport 2\nport 2\n");
  CHECK(config->lines[1].where == scratch.path("conf.d/b.conf") + ":1");

  CHECK(reader.read(scratch.path("none")).error().message == "No such file or directory");
  CHECK(reader.read(scratch.path("conf.d")).error().message == "Is a directory");
  CHECK(reader.list(scratch.path("none")).error().message == "No such file or directory");
  CHECK(reader.read("/dev/zero").error().message == "larger than 64 MiB");
}
