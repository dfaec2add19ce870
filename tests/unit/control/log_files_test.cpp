// SPDX-License-Identifier: BSD-3-Clause
#include "control/log_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "catch.hpp"
#include "os/temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture()
      : loop{std::move(*os::EventLoop::create())}, log{*os::Log::to_file(dir / "main", os::LogLevel::info)} {}

  void run(Nanoseconds duration) {
    loop->after(duration, [this] { loop->stop(); });
    REQUIRE(loop->run());
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream{dir / name}.rdbuf();
    return out.str();
  }
  [[nodiscard]] unsigned lines(const std::string& name, const std::string& part = {}) const {
    std::istringstream in{text(name)};
    unsigned n = 0;
    for (std::string line; std::getline(in, line);) n += line.find(part) != std::string::npos ? 1U : 0U;
    return n;
  }

  TemporaryDirectory dir;
  std::unique_ptr<os::EventLoop> loop;
  os::Log log;
};

status::TemperatureRecord temperature(double t) {
  return {WallTime{1'800'000'000s}, t, 0};
}

}  // namespace

TEST_CASE("a log file is made by its first line and has a banner every so many lines") {
  Fixture f;
  LogFiles files{f.dir.path, 3, *f.loop, f.log};
  CHECK_FALSE(std::filesystem::exists(f.dir / "tempcomp.log"));
  for (int i = 0; i < 7; ++i) files.write(temperature(i));
  files.flush();
  CHECK(f.lines("tempcomp.log", "====") == 6);
  CHECK(f.lines("tempcomp.log", "Date (UTC)") == 3);
  CHECK(f.lines("tempcomp.log") == 16);
  CHECK_FALSE(std::filesystem::exists(f.dir / "tracking.log"));
}

TEST_CASE("logbanner 0 leaves banners out") {
  Fixture f;
  LogFiles files{f.dir.path, 0, *f.loop, f.log};
  files.write(temperature(1));
  files.flush();
  CHECK(f.lines("tempcomp.log") == 1);
}

TEST_CASE("lines reach the file without anybody asking, and at the end") {
  Fixture f;
  {
    LogFiles files{f.dir.path, 0, *f.loop, f.log};
    files.write(temperature(1));
    CHECK(f.lines("tempcomp.log") == 0);  // waits for others
    f.run(200ms);
    CHECK(f.lines("tempcomp.log") == 1);
    files.write(temperature(2));
  }
  CHECK(f.lines("tempcomp.log") == 2);
}

TEST_CASE("after cyclelogs a renamed log keeps what it had and a new one begins with a banner") {
  Fixture f;
  LogFiles files{f.dir.path, 32, *f.loop, f.log};
  files.write(temperature(1));
  files.flush();
  std::filesystem::rename(f.dir / "tempcomp.log", f.dir / "old");
  files.write(temperature(2));
  files.cycle();
  CHECK(f.lines("old") == 5);
  CHECK_FALSE(std::filesystem::exists(f.dir / "tempcomp.log"));
  files.write(temperature(3));
  files.flush();
  CHECK(f.lines("old") == 5);
  CHECK(f.lines("tempcomp.log") == 4);
}

TEST_CASE("a log file that cannot be written is one warning, and is written when it can be") {
  Fixture f;
  LogFiles files{f.dir / "logs", 0, *f.loop, f.log};
  for (int i = 0; i < 3; ++i) {
    files.write(temperature(i));
    files.flush();
  }
  CHECK(f.lines("main", "Could not open " + (f.dir / "logs/tempcomp.log")) == 1);
  std::filesystem::create_directory(f.dir / "logs");
  files.flush();
  CHECK(f.lines("logs/tempcomp.log") == 3);
  CHECK(f.lines("main", "Writing " + (f.dir / "logs/tempcomp.log") + " again") == 1);
}

TEST_CASE("a full disk costs lines and one warning, no memory without end") {
  if (access("/dev/full", W_OK) != 0) return;
  Fixture f;
  LogFiles files{f.dir.path, 0, *f.loop, f.log};
  std::filesystem::create_symlink("/dev/full", f.dir / "tempcomp.log");
  for (int i = 0; i < 5000; ++i) {
    files.write(temperature(i));
    if (i % 10 == 0) files.flush();
  }
  CHECK(f.lines("main", "Could not write") == 1);
  std::filesystem::remove(f.dir / "tempcomp.log");
  files.cycle();
  files.write(temperature(0));
  files.flush();
  const std::string text = f.text("tempcomp.log");
  CHECK(text.size() < 100'000);
  CHECK(text.size() > 10'000);
  CHECK(f.lines("tempcomp.log", "2027-01-15 08:00:00") == f.lines("tempcomp.log"));
}

TEST_CASE("a pipe in a log file's place that nobody reads does not stop the daemon") {
  Fixture f;
  LogFiles files{f.dir.path, 0, *f.loop, f.log};
  REQUIRE(mkfifo((f.dir / "tempcomp.log").c_str(), 0600) == 0);
  files.write(temperature(1));
  files.flush();
  CHECK(f.lines("main", "Could not open") == 1);
}

TEST_CASE("without logdir one warning says that nothing is written") {
  Fixture f;
  LogFiles files{"", 32, *f.loop, f.log};
  files.write(temperature(1));
  files.write(temperature(2));
  files.flush();
  CHECK(f.lines("main", "logdir not specified") == 1);
  CHECK(f.lines("main") == 1);
}
