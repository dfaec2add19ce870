// SPDX-License-Identifier: BSD-3-Clause
#include "os/event_loop.hpp"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::os;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<EventLoop> make_loop() {
  auto loop = EventLoop::create();
  REQUIRE(loop);
  return std::move(*loop);
}

// A connected pair of datagram sockets.
struct Pair {
  Pair() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    a = FileDescriptor{ends[0]};
    b = FileDescriptor{ends[1]};
  }
  void send() const { REQUIRE(write(b.get(), "x", 1) == 1); }
  void take() const {
    char byte;
    REQUIRE(read(a.get(), &byte, 1) == 1);
  }
  FileDescriptor a, b;
};

}  // namespace

TEST_CASE("timers run in the order of their deadlines") {
  std::unique_ptr<EventLoop> loop;
  std::string order;
  std::chrono::steady_clock::time_point began;
  do {  // until all of them were made before the first of the late ones is due
    loop = make_loop();
    began = std::chrono::steady_clock::now();
    loop->after(20ms, [&] {
      order += 'c';
      loop->stop();
    });
    loop->after(10ms, [&] { order += 'b'; });
    loop->after(0ms, [&] { order += 'a'; });
    loop->after(-5s, [&] { order += 'A'; });
  } while (std::chrono::steady_clock::now() - began > 10ms);
  REQUIRE(loop->run());
  CHECK(order.size() == 4);
  CHECK(order.substr(2) == "bc");
}

TEST_CASE("timers with the same deadline run in the order of their creation") {
  auto loop = make_loop();
  std::string order;
  for (char c = 'a'; c <= 'e'; ++c) loop->after(0ms, [&order, c] { order += c; });
  loop->after(1ms, [&] { loop->stop(); });
  REQUIRE(loop->run());
  CHECK(order == "abcde");
}

TEST_CASE("a periodic timer runs until it cancels itself") {
  auto loop = make_loop();
  int runs = 0;
  auto id = EventLoop::TimerId::none;
  id = loop->every(100us, [&] {
    if (++runs == 5) {
      loop->cancel(id);
      loop->after(2ms, [&] { loop->stop(); });
    }
  });
  REQUIRE(loop->run());
  CHECK(runs == 5);
}

TEST_CASE("a periodic timer skips the periods it missed") {
  auto loop = make_loop();
  int runs = 0;
  loop->every(1ms, [&] {
    if (++runs == 1) std::this_thread::sleep_for(20ms);
    if (runs == 3) loop->stop();
  });
  const auto start = loop->now();
  REQUIRE(loop->run());
  // 20 missed periods are not made up: the third run keeps the phase of the first.
  CHECK(loop->now() - start >= 21ms);
  CHECK(runs == 3);
}

TEST_CASE("a cancelled timer does not run, also when another timer's callback cancels it") {
  auto loop = make_loop();
  bool ran = false;
  const auto first = loop->after(0ms, [&] { ran = true; });
  loop->cancel(first);
  auto victim = EventLoop::TimerId::none;
  loop->after(0ms, [&] { loop->cancel(victim); });
  victim = loop->after(0ms, [&] { ran = true; });
  loop->cancel(EventLoop::TimerId{12345});
  loop->after(1ms, [&] { loop->stop(); });
  REQUIRE(loop->run());
  CHECK_FALSE(ran);
}

TEST_CASE("timers that keep adding timers without delay do not starve sockets") {
  auto loop = make_loop();
  Pair pair;
  std::function<void()> again = [&] { loop->after(0ms, again); };
  again();
  loop->watch(pair.a.get(), kReadable, [&](Ready) { loop->stop(); });
  pair.send();
  REQUIRE(loop->run());
  SUCCEED("the watcher was reached");
}

TEST_CASE("a watcher is called while its descriptor is readable") {
  auto loop = make_loop();
  Pair pair;
  int calls = 0;
  loop->watch(pair.a.get(), kReadable, [&](Ready ready) {
    CHECK(ready.readable);
    CHECK_FALSE(ready.writable);
    if (++calls < 3) return;  // level triggered: unread data comes back
    pair.take();
    loop->after(1ms, [&] { loop->stop(); });
  });
  pair.send();
  REQUIRE(loop->run());
  CHECK(calls == 3);
}

TEST_CASE("a callback may remove its own watcher and others that are ready too") {
  auto loop = make_loop();
  Pair one, two, three;
  int calls = 0;
  EventLoop::WatchId ids[3];
  const auto remove_all = [&](Ready) {
    ++calls;
    for (const auto id : ids) loop->unwatch(id);
    loop->after(2ms, [&] { loop->stop(); });
  };
  ids[0] = loop->watch(one.a.get(), kReadable, remove_all);
  ids[1] = loop->watch(two.a.get(), kReadable, remove_all);
  ids[2] = loop->watch(three.a.get(), kReadable, remove_all);
  one.send();
  two.send();
  three.send();
  REQUIRE(loop->run());
  CHECK(calls == 1);
}

TEST_CASE("a callback may close its descriptor and watch a new one with the same number") {
  auto loop = make_loop();
  Pair old_pair, other;
  std::string seen;
  EventLoop::WatchId id{};
  std::unique_ptr<Pair> fresh;
  id = loop->watch(old_pair.a.get(), kReadable, [&](Ready) {
    seen += "old ";
    const int number = old_pair.a.get();
    loop->unwatch(id);
    old_pair.a.reset();
    fresh = std::make_unique<Pair>();
    REQUIRE(fresh->a.get() == number);
    loop->watch(number, kReadable, [&](Ready) {
      seen += "new";
      loop->stop();
    });
    fresh->send();
  });
  old_pair.send();
  REQUIRE(loop->run());
  CHECK(seen == "old new");
}

TEST_CASE("interest can change between reading and writing") {
  auto loop = make_loop();
  Pair pair;
  std::string seen;
  EventLoop::WatchId id{};
  id = loop->watch(pair.a.get(), kReadable, [&](Ready ready) {
    seen += ready.writable ? 'w' : 'r';
    if (ready.writable) return loop->stop();
    pair.take();
    loop->set_interest(id, kWritable);
  });
  pair.send();
  REQUIRE(loop->run());
  CHECK(seen == "rw");
}

TEST_CASE("a watcher whose descriptor was closed hears an error once") {
  auto loop = make_loop();
  int errors = 0;
  const int closed = dup(0);
  close(closed);
  loop->watch(closed, kReadable, [&](Ready ready) {
    CHECK(ready.error);
    ++errors;
    loop->after(2ms, [&] { loop->stop(); });
  });
  REQUIRE(loop->run());
  CHECK(errors == 1);
}

TEST_CASE("signals reach the loop as callbacks, and a second loop may not take them") {
  auto loop = make_loop();
  auto other = make_loop();
  std::vector<int> got;
  REQUIRE(loop->on_signal([&](int number) {
    got.push_back(number);
    if (number == SIGTERM) return loop->stop();
    loop->after(1ms, [] { raise(SIGTERM); });
  }));
  CHECK_FALSE(other->on_signal([](int) {}));
  raise(SIGPIPE);  // ignored
  raise(SIGHUP);
  raise(SIGHUP);
  REQUIRE(loop->run());
  CHECK(got == std::vector<int>{SIGHUP, SIGTERM});
}

TEST_CASE("no signal is lost, whenever it arrives relative to poll") {
  auto loop = make_loop();
  constexpr int kRounds = 2000;
  int got = 0;
  REQUIRE(loop->on_signal([&](int) { ++got; }));
  const pthread_t control = pthread_self();
  std::atomic<int> acknowledged{0};
  // No timers and no descriptors: after a lost signal the loop would sleep for ever, and the test time out.
  std::thread sender{[&] {
    for (int i = 0; i < kRounds; ++i) {
      while (acknowledged.load() < i) std::this_thread::yield();
      // Now to the control thread, now to this one: a daemon's workers get signals too.
      pthread_kill(i % 2 == 0 ? control : pthread_self(), SIGHUP);
    }
  }};
  REQUIRE(loop->on_signal([&](int) {
    acknowledged.store(++got);
    if (got == kRounds) loop->stop();
  }));
  REQUIRE(loop->run());
  sender.join();
  CHECK(got == kRounds);
}

TEST_CASE("previous signal dispositions come back with the end of the loop") {
  struct sigaction before {};
  sigaction(SIGTERM, nullptr, &before);
  {
    auto loop = make_loop();
    REQUIRE(loop->on_signal([](int) {}));
    struct sigaction during {};
    sigaction(SIGTERM, nullptr, &during);
    CHECK(during.sa_handler != before.sa_handler);
  }
  struct sigaction after {};
  sigaction(SIGTERM, nullptr, &after);
  CHECK(after.sa_handler == before.sa_handler);
}

TEST_CASE("watching for clock steps disturbs nothing while the clock is not set") {
  auto loop = make_loop();
  int steps = 0;
  REQUIRE(loop->on_clock_step([&] { ++steps; }));
  loop->after(2ms, [&] { loop->stop(); });
  REQUIRE(loop->run());
  CHECK(steps == 0);
}
