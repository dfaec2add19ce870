// SPDX-License-Identifier: BSD-3-Clause
#include "clock/leap_schedule.hpp"

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::clock;
using namespace std::chrono_literals;

namespace {

using Step = LeapSchedule::Step;

constexpr WallTime kMidnight{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};
constexpr WallTime kDay = kMidnight - 24h;

LeapTable table_2016() {
  return *LeapTable::from_list("3644697600 36\n3692217600 37\n");  // July 2015, January 2017
}

constexpr WallTime kMidnight2017{std::chrono::sys_days{std::chrono::year{2017} / 1 / 1}};

}  // namespace

TEST_CASE("a leap second is due on the last day of June or December, while it is announced") {
  LeapSchedule s{LeapMode::step};
  s.update(Leap::insert, kDay - 1s);
  CHECK(s.due() == Leap::none);
  CHECK_FALSE(s.deadline());
  s.update(Leap::insert, kDay);
  CHECK(s.due() == Leap::insert);
  CHECK(s.correction() == -1);
  CHECK(s.deadline() == kMidnight);
  CHECK(s.event(kDay) == LeapEvent{kMidnight, 1, false});
  s.update(Leap::none, kDay + 1h);
  CHECK(s.due() == Leap::none);
  CHECK_FALSE(s.deadline());
  s.update(Leap::remove, kDay + 2h);
  CHECK(s.correction() == 1);
  CHECK(s.deadline() == kMidnight - 1s);
  s.update(Leap::unsynchronised, kDay + 3h);
  CHECK(s.due() == Leap::none);
  s.update(Leap::insert, kDay - 48h);
  CHECK(s.due() == Leap::none);
}

TEST_CASE("an inserted second is corrected at midnight and over when it has passed twice") {
  LeapSchedule s{LeapMode::step};
  s.update(Leap::insert, kDay);
  CHECK(s.service(kMidnight - 1ns) == Step::none);
  CHECK_FALSE(s.in_progress());
  CHECK(s.service(kMidnight) == Step::correct);
  CHECK(s.in_progress());
  CHECK(s.event(kMidnight - 1s) == LeapEvent{kMidnight, 1, true});
  s.update(Leap::insert, kMidnight - 1s);  // sources still announce it, and it is December again
  CHECK(s.deadline() == kMidnight + 2s);
  CHECK(s.service(kMidnight) == Step::none);
  CHECK(s.due() == Leap::insert);
  CHECK(s.service(kMidnight + 2s) == Step::end);
  CHECK(s.service(kMidnight + 2s) == Step::none);
  CHECK(s.due() == Leap::none);
  CHECK_FALSE(s.in_progress());
  s.update(Leap::insert, kMidnight + 3s);
  s.update(Leap::insert, kMidnight + 60s);
  CHECK(s.due() == Leap::none);
  CHECK_FALSE(s.deadline());
  CHECK(s.event(kMidnight + 60s) == LeapEvent{kMidnight, 1, true});
  CHECK_FALSE(s.event(kMidnight + 12h));
}

TEST_CASE("a removed second is corrected at 23:59:59") {
  LeapSchedule s{LeapMode::slew};
  s.update(Leap::remove, kMidnight - 20h);
  CHECK(s.service(kMidnight - 1s) == Step::correct);
  CHECK(s.correction() == 1);
  CHECK(s.service(kMidnight + 2s) == Step::end);
  CHECK(s.event(kMidnight + 1h) == LeapEvent{kMidnight, -1, true});
}

TEST_CASE("in system mode the kernel has half a second's notice") {
  LeapSchedule s{LeapMode::system};
  s.update(Leap::insert, kDay);
  CHECK(s.service(kMidnight - 500ms) == Step::wait);
  CHECK(s.in_progress());
  CHECK(s.service(kMidnight + 2s) == Step::end);
}

TEST_CASE("samples are not trusted within five seconds of a leap second, before and after it is corrected") {
  LeapSchedule s{LeapMode::step};
  CHECK_FALSE(s.is_close(kMidnight));
  s.update(Leap::insert, kDay);
  CHECK_FALSE(s.is_close(kMidnight - 6s));
  CHECK(s.is_close(kMidnight - 5s));
  CHECK(s.is_close(kMidnight + 4s));
  CHECK_FALSE(s.is_close(kMidnight + 5s));
  static_cast<void>(s.service(kMidnight));
  static_cast<void>(s.service(kMidnight + 2s));
  CHECK(s.is_close(kMidnight + 4s));
  CHECK_FALSE(s.is_close(kMidnight + 5s));
}

TEST_CASE("the table announces what sources do not, once the clock is synchronised") {
  LeapSchedule s{LeapMode::step};
  s.set_table(table_2016());
  s.update(std::nullopt, kMidnight2017 - 10h);
  CHECK(s.due() == Leap::none);
  CHECK(s.tai_offset() == 0);
  s.update(Leap::none, kMidnight2017 - 10h);
  CHECK(s.due() == Leap::insert);
  CHECK(s.tai_offset() == 36);
  CHECK(s.service(kMidnight2017) == Step::correct);
  CHECK(s.service(kMidnight2017 + 2s) == Step::end);
  CHECK(s.tai_offset() == 37);
  // What sources say that the table does not know is believed all the same.
  s.update(Leap::insert, kDay);
  CHECK(s.due() == Leap::insert);
  CHECK(s.tai_offset() == 37);
}

TEST_CASE("after a restart the table still tells of the leap second of the last twelve hours") {
  LeapSchedule s{LeapMode::step};
  s.set_table(table_2016());
  CHECK(s.event(kMidnight2017 + 3h) == LeapEvent{kMidnight2017, 1, true});
  CHECK_FALSE(s.event(kMidnight2017 + 12h));
  CHECK_FALSE(s.event(kMidnight2017 - 1h));  // not synchronised: who knows what day it is
}

TEST_CASE("a clock that is set to another day amid a leap second forgets it") {
  LeapSchedule s{LeapMode::step};
  s.update(Leap::insert, kDay);
  CHECK(s.service(kMidnight) == Step::correct);
  s.update(Leap::insert, kMidnight - 24h * 40);
  CHECK_FALSE(s.in_progress());
  CHECK(s.due() == Leap::none);
  CHECK_FALSE(s.deadline());
}
