// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/rate_limit.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"
#include "ntp/client_table.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

constexpr std::array<std::uint64_t, 2> kSecret{7, 8};

// What the record's integers stand for, in plain numbers.
class SlowBucket {
 public:
  explicit SlowBucket(const RateLimit::Rule& rule) : rule_{rule} {}
  bool has_answer(std::uint32_t now) {
    const double interval = std::exp2(std::max(rule_.interval, -4));
    credit_ = std::min<double>(rule_.burst, credit_ + (now - last_) / 16.0 / interval);
    last_ = now;
    return credit_ >= 1;
  }
  void take() { credit_ -= 1; }
  void empty() { credit_ = 0; }

 private:
  RateLimit::Rule rule_;
  double credit_ = 1e9;
  std::uint32_t last_ = 0;
};

}  // namespace

TEST_CASE("a burst is answered at once, then one request an interval, exactly") {
  for (const RateLimit::Rule rule : {RateLimit::Rule{3, 8, 4, 0}, RateLimit::Rule{1, 1, 4, 0},
                                     RateLimit::Rule{-4, 16, 4, 0}, RateLimit::Rule{6, 4, 4, 0}}) {
    const RateLimit limit = RateLimit::of(rule);
    ClientTable table{{}, kSecret};
    const auto a = IpAddress::v4(0x0A00'0001U);
    SlowBucket slow{rule};
    std::mt19937_64 random{3};
    std::uint32_t now = 1;
    for (int i = 0; i < 5000; ++i) {
      now += static_cast<std::uint32_t>(random() % (32U << std::max(rule.interval, 0)));
      const bool due = slow.has_answer(now);
      const auto got = table.admit(a, now, limit, random());
      if (due) {
        CHECK(got == Admission::answer);
        slow.take();
      } else if (got == Admission::answer) {  // leaked
        slow.empty();
      }
    }
  }
}

TEST_CASE("long intervals and large bursts keep their meaning within the bucket's grain") {
  for (const RateLimit::Rule rule :
       {RateLimit::Rule{12, 255, 2, 0}, RateLimit::Rule{8, 100, 2, 0}, RateLimit::Rule{3, 255, 2, 0}}) {
    const RateLimit limit = RateLimit::of(rule);
    CHECK(limit.full <= RateLimit::kMostTokens);
    CHECK(limit.full == limit.price * rule.burst);
    // Tokens of one interval pay for one answer.
    CHECK((16U << rule.interval) >> limit.shift == limit.price);
  }
}

TEST_CASE("of what is over the limit, one in 2^leak is answered, and one in 2^kod of the rest kissed") {
  for (unsigned leak = 1; leak <= 4; ++leak) {
    for (unsigned kod = 0; kod <= 4; ++kod) {
      const RateLimit limit = RateLimit::of({12, 1, leak, kod});
      ClientTable table{{}, kSecret};
      const auto a = IpAddress::v4(0x0A00'0001U);
      std::mt19937_64 random{leak * 10 + kod};
      std::array<double, 3> count{};
      constexpr double kTimes = 40'000;
      std::uint32_t now = 100;
      (void)table.admit(a, now, limit, random());
      for (int i = 0; i < static_cast<int>(kTimes); ++i)
        count[static_cast<std::size_t>(table.admit(a, now, limit, random()))] += 1;
      const double leaked = std::exp2(-static_cast<double>(leak));
      CHECK(count[0] / kTimes == Approx(leaked).epsilon(0.1));
      const double kissed = kod == 0 ? 0 : (1 - leaked) * std::exp2(-static_cast<double>(kod));
      CHECK(count[1] / kTimes == Approx(kissed).epsilon(0.1));
      const auto r = table.at(*table.slot_of(a));
      CHECK(r->drops ==
            std::min<std::uint32_t>(static_cast<std::uint32_t>(count[2]), (1U << 14) - 1));
      CHECK(r->hits == static_cast<std::uint32_t>(kTimes) + 1);
    }
  }
}

TEST_CASE("a client that asks more than twice as often when it is not answered is mostly answered") {
  const RateLimit limit = RateLimit::of({6, 1, 4, 0});
  ClientTable table{{}, kSecret};
  const auto a = IpAddress::v4(0x0A00'0001U);
  std::mt19937_64 random{17};
  std::uint32_t now = 16;
  int answers = 0;
  int asked = 0;
  for (int round = 0; round < 400; ++round) {
    now += 16 * 16;  // after an answer: 16 s
    int tries = 0;
    while (table.admit(a, now, limit, random()) != Admission::answer && tries < 50) {
      ++tries;
      now += 16;  // else after 1 s
      if (round >= 100) ++asked;
    }
    if (round >= 100) ++asked, ++answers;
  }
  CHECK(answers * 2 > asked);
}

TEST_CASE("without a limit nobody is refused and nothing is asked for") {
  const RateLimit limit;
  CHECK_FALSE(limit.enabled);
  CHECK(limit.interval == -128);
  ClientTable table{{}, kSecret};
  for (int i = 0; i < 1000; ++i) CHECK(table.admit(IpAddress::v4(1U), 5, limit, 0) == Admission::answer);
}
