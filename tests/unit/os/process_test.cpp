// SPDX-License-Identifier: BSD-3-Clause
// Pid file, going into the background, privileges: what a process does once in its life.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "catch.hpp"
#include "os/daemonize.hpp"
#include "os/pidfile.hpp"
#include "os/privileges.hpp"
#include "temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::os;

namespace {

std::string contents(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream{path}.rdbuf();
  return out.str();
}

// Runs `body` in a child and returns its wait status; 128 and up from exit mean that a check failed.
pid_t spawn(const std::function<int()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(body());
  return child;
}

int exit_code(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int run(const std::function<int()>& body) {
  return exit_code(spawn(body));
}

// A process that waits to be killed and is called `name`.
pid_t impostor(const char* name) {
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int comm = open("/proc/self/comm", O_WRONLY);
    if (write(comm, name, std::strlen(name)) < 0 || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
  close(ready[1]);
  return child;
}

void end(pid_t child) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace

TEST_CASE("the pid file holds our pid while we run and goes when we stop") {
  TemporaryDirectory dir;
  const auto path = dir / "run/chronyd.pid";  // the directory is made
  {
    auto file = PidFile::acquire(path);
    REQUIRE(file);
    CHECK(contents(path) == std::to_string(getpid()) + "\n");
    PidFile moved = std::move(*file);
    CHECK(std::filesystem::exists(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a second instance is refused with the pid of the first") {
  TemporaryDirectory dir;
  const auto path = dir / "chronyd.pid";
  auto first = PidFile::acquire(path);
  REQUIRE(first);
  const auto second = PidFile::acquire(path);
  REQUIRE_FALSE(second);
  CHECK(second.error().message ==
        "another wiretimed, pid " + std::to_string(getpid()) + ", is already running (pidfile " + path + ")");
  CHECK(run([&] { return PidFile::acquire(path) ? 1 : 0; }) == 0);
}

TEST_CASE("the file of a killed instance is replaced") {
  TemporaryDirectory dir;
  const auto path = dir / "chronyd.pid";
  const pid_t killed = spawn([&] {
    const auto file = PidFile::acquire(path);
    if (!file) return 1;
    raise(SIGKILL);
    return 2;
  });
  REQUIRE(exit_code(killed) == 1000 + SIGKILL);
  REQUIRE(contents(path) == std::to_string(killed) + "\n");
  CHECK(PidFile::acquire(path));
}

TEST_CASE("a living chronyd's pid file is respected, although it takes no lock") {
  TemporaryDirectory dir;
  const auto path = dir / "chronyd.pid";
  const pid_t chronyd = impostor("chronyd");
  std::ofstream{path} << chronyd << '\n';
  const auto refused = PidFile::acquire(path);
  end(chronyd);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "another chronyd, pid " + std::to_string(chronyd) + ", is already running (pidfile " + path + ")");
  CHECK(PidFile::acquire(path));  // and once it is dead, the file is stale
}

TEST_CASE("a pid recycled by some other program does not block the start, nor does rubbish") {
  TemporaryDirectory dir;
  const auto path = dir / "chronyd.pid";
  const pid_t other = impostor("some-shell");
  std::ofstream{path} << other << '\n';
  CHECK(PidFile::acquire(path));
  end(other);
  for (const char* rubbish : {"", "\n", "-1\n", "0\n", "not a pid", "99999999999999999999\n"}) {
    std::ofstream{path} << rubbish;
    CHECK(PidFile::acquire(path));
  }
}

TEST_CASE("a pid file is not written through a symbolic link") {
  TemporaryDirectory dir;
  std::ofstream{dir / "target"} << "precious";
  std::filesystem::create_symlink(dir / "target", dir / "chronyd.pid");
  CHECK_FALSE(PidFile::acquire(dir / "chronyd.pid"));
  CHECK(contents(dir / "target") == "precious");
}

TEST_CASE("of many instances starting and stopping at once, never two hold the pid file") {
  TemporaryDirectory dir;
  const auto path = dir / "chronyd.pid";
  const auto witness = dir / "witness";
  std::vector<pid_t> children;
  for (int child = 0; child < 6; ++child)
    children.push_back(spawn([&] {
      int held = 0;
      for (int i = 0; i < 300; ++i) {
        const auto file = PidFile::acquire(path);
        if (!file) continue;
        // O_EXCL: fails when another holder is inside.
        const int fd = open(witness.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
        if (fd < 0) return 1;
        close(fd);
        unlink(witness.c_str());
        ++held;
      }
      return held > 0 ? 0 : 2;
    }));
  for (const auto child : children) {
    const int code = exit_code(child);
    CHECK(code != 1);
    CHECK(code < 3);
  }
  CHECK(PidFile::acquire(path));
}

TEST_CASE("the parent of a daemon exits 0 only after the daemon is ready") {
  TemporaryDirectory dir;
  const int code = run([&] {
    auto daemon = Daemonizer::start();
    if (!daemon) return 3;
    usleep(20'000);
    std::ofstream{dir / "state"} << (getsid(0) == getpid() ? "new session" : "old session") << ' '
                                 << std::filesystem::current_path().string();
    daemon->ready();
    return 0;
  });
  CHECK(code == 0);
  CHECK(contents(dir / "state") == "new session /");
}

TEST_CASE("when a daemon fails before it is ready, its error reaches the terminal and the parent exits 1") {
  TemporaryDirectory dir;
  const int code = run([&] {
    const int terminal = open((dir / "terminal").c_str(), O_CREAT | O_WRONLY, 0600);
    dup2(terminal, STDERR_FILENO);
    auto daemon = Daemonizer::start();
    if (!daemon) return 3;
    dprintf(STDERR_FILENO, "cannot listen\n");
    dprintf(STDOUT_FILENO, "not seen\n");
    return 0;
  });
  CHECK(code == 1);
  CHECK(contents(dir / "terminal") == "cannot listen\n");
}

TEST_CASE("a daemon killed while starting is reported with the signal") {
  TemporaryDirectory dir;
  const int code = run([&] {
    const int terminal = open((dir / "terminal").c_str(), O_CREAT | O_WRONLY, 0600);
    dup2(terminal, STDERR_FILENO);
    auto daemon = Daemonizer::start();
    raise(SIGKILL);
    return 0;
  });
  CHECK(code == 1);
  CHECK(contents(dir / "terminal") == "start failed: killed by signal 9\n");
}

TEST_CASE("users are found by name or number, and unknown ones are named") {
  CHECK(look_up_user("root")->uid == 0);
  CHECK(look_up_user("0")->uid == 0);
  const auto nobody = look_up_user("no-such-user-here");
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().message.find("\"no-such-user-here\"") != std::string::npos);
}

TEST_CASE("dropping privileges keeps the user's identity and only the capabilities asked for") {
  if (!running_as_root() || !has_capability(Capability::net_bind_service) ||
      !has_capability(Capability::net_raw)) {
    WARN("skipped: needs root with CAP_NET_BIND_SERVICE and CAP_NET_RAW");
    return;
  }
  const auto user = look_up_user("nobody");
  REQUIRE(user);
  CHECK(run([&] {
          const Capability keep[] = {Capability::net_bind_service};
          if (!drop_privileges(*user, keep)) return 1;
          if (geteuid() != user->uid || getegid() != user->gid || getuid() != user->uid) return 2;
          if (!has_capability(Capability::net_bind_service)) return 3;
          if (has_capability(Capability::net_raw)) return 4;
          if (setuid(0) == 0) return 5;
          if (!drop_privileges(*user, keep)) return 6;          // already there
          if (drop_privileges({"root", 0, 0}, keep)) return 7;  // no way back
          return drop_privileges({"x", user->uid + 1, 0}, keep) ? 8 : 0;
        }) == 0);
  CHECK(run([&] {
          if (!drop_privileges({"root", 0, 0}, {})) return 1;  // to become root is to do nothing
          return has_capability(Capability::net_raw) ? 0 : 2;
        }) == 0);
}
