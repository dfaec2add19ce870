// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/timestamp_span.hpp"

#include <array>

#include "catch.hpp"

using namespace wiretime;
using namespace std::chrono_literals;
using ntp::ExchangeLine;
using ntp::TimestampSpan;

namespace {

// Replies that are remembered, one a second, with a look after each.
struct Server {
  void remember(std::size_t place) {
    ExchangeLine::put(&places[place], ++replies << 28 | 1);
    span.look(now, &places[place]);
    now += 1s;
  }
  [[nodiscard]] Nanoseconds covered() const { return span.ends()->newest - span.ends()->oldest; }

  std::array<ExchangeLine::Entry, 4096> places{};
  TimestampSpan span;
  Nanoseconds now = 100s;
  std::uint64_t replies = 0;
};

}  // namespace

TEST_CASE("replies that are remembered cover the time from the oldest to the newest") {
  Server s;
  CHECK_FALSE(s.span.ends());
  s.span.look(s.now, nullptr);
  CHECK_FALSE(s.span.ends());
  s.remember(0);
  CHECK(s.covered() == 0s);
  for (std::size_t place = 1; place <= 10; ++place) s.remember(place);
  CHECK(s.covered() == 10s);
  s.now += 60s;
  s.span.look(s.now, &s.places[10]);  // nobody asked since
  CHECK(s.covered() == 10s);
  s.remember(11);
  CHECK(s.covered() == 71s);
}

TEST_CASE("a reply whose place is taken counts no more") {
  Server s;
  for (int n = 0; n < 20; ++n) s.remember(0);  // one client
  CHECK(s.covered() == 0s);
  for (std::size_t n = 0; n < 64; ++n) s.remember(n % 8);  // eight who ask every 8 s
  CHECK(s.covered() == 7s);
  s.now += 20s;
  s.remember(0);  // of the others the oldest asked 27 s before
  CHECK(s.covered() == 27s);
}

TEST_CASE("a span longer than what is watched keeps its oldest end") {
  Server s;
  for (std::size_t place = 0; place < 4000; ++place) s.remember(place);
  CHECK(s.covered() == 3999s);
  // With the first 1,000 gone it begins with one of those that are watched of the rest.
  for (std::size_t place = 0; place < 1000; ++place) ExchangeLine::put(&s.places[place], 5);
  s.remember(4000);
  CHECK(s.covered() <= 3000s);
  CHECK(s.covered() > 2900s);
}
