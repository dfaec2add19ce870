// SPDX-License-Identifier: BSD-3-Clause
// What this host has: clock, CPUs, interfaces, names, randomness.
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "catch.hpp"
#include "os/interfaces.hpp"
#include "os/kernel_clock.hpp"
#include "os/random.hpp"
#include "os/resolver.hpp"
#include "os/scheduling.hpp"
#include "os/tsc.hpp"

using namespace wiretime;
using namespace wiretime::os;
using namespace std::chrono_literals;

TEST_CASE("the kernel clock's status can be read without privilege") {
  const auto status = kernel_clock_status();
  REQUIRE(status);
  CHECK(status->leap != clock::Leap::unsynchronised);
  CHECK(status->max_error >= 0ns);
  CHECK(std::abs(status->frequency_ppb) <= 500'001.0);  // the kernel's own limit
  CHECK(std::abs(status->tai_offset) < 1000);
}

TEST_CASE("wall time and monotonic time do not run backwards here") {
  const auto a = monotonic_now();
  const auto b = monotonic_now();
  CHECK(b >= a);
  CHECK(wall_now() > WallTime{1'700'000'000s});
}

TEST_CASE("a cross reading is the narrowest of its attempts") {
  // Widths 50, 20, 70.
  const std::array<std::uint64_t, 6> readings{100, 150, 200, 220, 300, 370};
  std::size_t next = 0;
  const auto before = wall_now();
  const auto best = cross_read([&] { return Ticks{readings[next++]}; }, 3);
  CHECK(next == readings.size());
  CHECK(best.before.value == 200);
  CHECK(best.after.value == 220);
  CHECK(best.time - before < 60s);
  next = 0;
  CHECK(cross_read([&] { return Ticks{readings[next++]}; }, 1).before.value == 100);
}

TEST_CASE("the time-stamp counter advances") {
  const auto reading = cross_read(read_tsc_ordered, 8);
  CHECK(reading.after > reading.before);
  CHECK(read_tsc_ordered() > reading.after);
}

TEST_CASE("CPU lists are read and written, and nonsense is refused") {
  using Cpus = std::vector<unsigned>;
  CHECK(parse_cpu_list("0") == Cpus{0});
  CHECK(parse_cpu_list("2-5,8") == Cpus{2, 3, 4, 5, 8});
  CHECK(parse_cpu_list("8,2-3,3") == Cpus{2, 3, 8});
  for (const char* bad : {"", ",", "1,", "-1", "3-2", "a", "1-", "1 ", "0x1", "4096", "1--2", "99999999999"})
    CHECK(parse_cpu_list(bad) == std::nullopt);
  CHECK(format_cpu_list(Cpus{2, 3, 4, 5, 8}) == "2-5,8");
  CHECK(format_cpu_list(Cpus{}).empty());
}

TEST_CASE("a CPU that exists can be used and one that does not is refused with those that do") {
  const auto cpus = online_cpus();
  REQUIRE_FALSE(cpus.empty());
  const auto here = static_cast<unsigned>(sched_getcpu());
  CHECK(check_cpu(here));
  const auto absent = check_cpu(4000);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().message == "no CPU 4000 on this host (online: " + format_cpu_list(cpus) + ")");
  CHECK_FALSE(pin_this_thread(std::array{1'000'000U}));
}

TEST_CASE("a pinned thread runs where it was put") {
  const auto here = static_cast<unsigned>(sched_getcpu());
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0)
    _exit(pin_this_thread(std::array{here}) && sched_getcpu() == static_cast<int>(here) ? 0 : 1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("the loopback interface has its address, index and MTU, and no MAC") {
  const auto lo = find_interface("lo");
  REQUIRE(lo);
  CHECK(lo->loopback);
  CHECK(lo->index == if_nametoindex("lo"));
  CHECK_FALSE(lo->mac);
  const auto has = [&](const char* text, unsigned length) {
    return std::any_of(lo->addresses.begin(), lo->addresses.end(), [&](const auto& a) {
      return a.address == *IpAddress::parse(text) && a.prefix_length == length;
    });
  };
  CHECK(has("127.0.0.1", 8));
  CHECK(link_mtu("lo").value_or(0) >= 1500);
  CHECK_FALSE(link_speed("lo"));
  const auto all = local_addresses();
  REQUIRE(all);
  CHECK(std::binary_search(all->begin(), all->end(), *IpAddress::parse("127.0.0.1")));
}

TEST_CASE("an interface that does not exist is named") {
  const auto none = find_interface("wtnone0");
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "no network interface \"wtnone0\" (list them with: ip -brief link)");
  CHECK_FALSE(link_mtu("wtnone0"));
  CHECK_FALSE(link_mtu("a-name-longer-than-any-interface-may-have"));
}

TEST_CASE("the interface watcher hears of a new address") {
  // In a network namespace of its own, in a child, where changing the loopback interface harms nobody.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNET) != 0) _exit(77);
    auto watcher = InterfaceWatcher::open();
    if (!watcher || watcher->take_changes()) _exit(1);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    const FileDescriptor any{socket(AF_INET, SOCK_DGRAM, 0)};
    if (ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) _exit(2);
    pollfd p{watcher->fd(), POLLIN, 0};
    if (poll(&p, 1, 60'000) != 1) _exit(3);
    if (!watcher->take_changes()) _exit(4);
    while (watcher->take_changes()) usleep(1000);  // the kernel may have more to say, but not for ever
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    WARN("skipped: needs root for a network namespace");
    return;
  }
  CHECK(status == 0);
}

TEST_CASE("numeric host names resolve to themselves, by family") {
  CHECK(resolve("192.0.2.1") == std::vector{*IpAddress::parse("192.0.2.1")});
  CHECK(resolve("2001:db8::1", Family::ipv6) == std::vector{*IpAddress::parse("2001:db8::1")});
  const auto wrong = resolve("2001:db8::1", Family::ipv4);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message.find("cannot resolve \"2001:db8::1\"") == 0);
}

TEST_CASE("random bytes fill the whole buffer and differ") {
  std::array<std::byte, 512> a{}, b{};  // more than getrandom gives in one piece when interrupted
  REQUIRE(fill_random(a));
  REQUIRE(fill_random(b));
  CHECK(a != b);
  CHECK(std::any_of(a.end() - 32, a.end(), [](std::byte x) { return x != std::byte{0}; }));
  CHECK(random_value<std::uint64_t>().value() != random_value<std::uint64_t>().value());
}
