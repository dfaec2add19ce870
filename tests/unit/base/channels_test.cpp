// SPDX-License-Identifier: BSD-3-Clause
// The channels between control thread and workers; the tests with threads earn their keep under TSan.
#include <numeric>
#include <thread>

#include "base/counters.hpp"
#include "base/rcu.hpp"
#include "base/seqlock.hpp"
#include "base/verdict.hpp"
#include "catch.hpp"

using namespace wiretime;

namespace {

struct Wide {
  std::array<std::uint64_t, 9> words{};
};

struct Guarded {
  explicit Guarded(int v, std::atomic<int>* count) : value{v}, alive{count} { ++*alive; }
  ~Guarded() { --*alive; }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  int value;
  std::atomic<int>* alive;
};

}  // namespace

TEST_CASE("a seqlock reader never sees half of a write") {
  Seqlock<Wide> lock;
  std::atomic<bool> stop{false};
  std::uint64_t torn = 0;
  std::uint64_t loads = 0;
  std::thread reader([&] {
    Wide seen;
    while (!stop.load()) {
      if (!lock.try_load(seen)) continue;
      ++loads;
      for (auto w : seen.words) torn += w != seen.words[0];
    }
  });
  for (std::uint64_t i = 1; i <= 200'000; ++i) {
    Wide w;
    w.words.fill(i);
    lock.store(w);
  }
  stop = true;
  reader.join();
  CHECK(torn == 0);
  Wide last;
  REQUIRE(lock.try_load(last));
  CHECK(last.words[8] == 200'000);
}

TEST_CASE("counters lose nothing while another thread reads them") {
  Counters<Verdict> counters;
  std::thread writer([&] {
    for (int i = 0; i < 100'000; ++i) counters.add(Verdict::answered);
    counters.add(Verdict::denied, 7);
  });
  std::uint64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto now = counters.get(Verdict::answered);
    CHECK(now >= last);
    last = now;
  }
  writer.join();
  Counters<Verdict>::Values sum{};
  counters.add_to(sum);
  counters.add_to(sum);
  CHECK(sum[static_cast<std::size_t>(Verdict::answered)] == 200'000);
  CHECK(sum[static_cast<std::size_t>(Verdict::denied)] == 14);
}

TEST_CASE("runs of one event are counted as each of them") {
  Counters<Verdict> counters;
  {
    RunCounter run{counters};
    for (const Verdict v : {Verdict::denied, Verdict::denied, Verdict::answered, Verdict::denied}) run.add(v);
  }
  Counters<Verdict>::Values sum{};
  counters.add_to(sum);
  CHECK(sum[static_cast<std::size_t>(Verdict::denied)] == 3);
  CHECK(sum[static_cast<std::size_t>(Verdict::answered)] == 1);
  CHECK(std::accumulate(sum.begin(), sum.end(), std::uint64_t{0}) == 4);
}

TEST_CASE("an RCU object lives as long as a worker may hold it, and no longer") {
  std::atomic<int> alive{0};
  RcuPointer<Guarded, 2> pointer{std::make_unique<Guarded>(1, &alive)};
  const auto* seen = pointer.refresh(0);
  pointer.publish(std::make_unique<Guarded>(2, &alive));
  CHECK(alive == 2);
  CHECK(seen->value == 1);
  CHECK(pointer.refresh(0)->value == 2);
  pointer.reclaim();
  CHECK(alive == 1);
  pointer.offline(0);
  pointer.publish(std::make_unique<Guarded>(3, &alive));
  CHECK(alive == 1);
}

TEST_CASE("RCU readers in other threads never touch a freed object") {
  std::atomic<int> alive{0};
  {
    RcuPointer<Guarded, 2> pointer{std::make_unique<Guarded>(0, &alive)};
    std::atomic<bool> stop{false};
    std::atomic<int> backwards{0};
    auto worker = [&](std::size_t id) {
      int last = 0;
      while (!stop.load()) {
        const auto* p = pointer.refresh(id);
        for (int i = 0; i < 10; ++i) backwards += p->value < last;
        last = p->value;
      }
      pointer.offline(id);
    };
    std::thread a(worker, 0);
    std::thread b(worker, 1);
    for (int i = 1; i <= 20'000; ++i) pointer.publish(std::make_unique<Guarded>(i, &alive));
    stop = true;
    a.join();
    b.join();
    pointer.reclaim();
    CHECK(backwards == 0);
    CHECK(pointer.retired() == 0);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("every verdict has a name, a description and one disposition") {
  for (std::size_t i = 0; i < kVerdictCount; ++i) {
    CHECK_FALSE(name(static_cast<Verdict>(i)).empty());
    CHECK_FALSE(describe(static_cast<Verdict>(i)).empty());
  }
  CHECK(disposition(Verdict::answered) == Disposition::reply);
  CHECK(disposition(Verdict::denied) == Disposition::drop);
  CHECK(is_ntp_answer(Verdict::answered_version1));
  CHECK_FALSE(is_ntp_answer(Verdict::arp_answered));
}
