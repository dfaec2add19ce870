// SPDX-License-Identifier: BSD-3-Clause
// Two queues of one port that predict when their replies leave, each by its own account of the wire, and a
// NIC that lets them take turns. In simulated time, with fixed seeds.
#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <random>
#include <vector>

#include "catch.hpp"
#include "clock/transmit_calibration.hpp"
#include "clock/transmit_ladder.hpp"
#include "clock/transmit_plan.hpp"

using namespace wiretime;
using namespace wiretime::clock;

namespace {

constexpr double kHertz = 2.6e9;
constexpr unsigned kBytes = 114;                  // a reply on the wire
constexpr double kWire = kBytes * 8 / 10e9;       // s, at 10 Gbit/s
constexpr double kWork = 42e-9;                   // s, of a worker for a request
constexpr double kReach = 700e-9;                 // s, from the doorbell to the wire, and
constexpr double kJitter = 30e-9;                 // s, mean of what comes on top
constexpr double kPeriod = 5e-3, kBusy = 0.2e-3;  // s: requests come for so long in each period
constexpr unsigned kBurst = 32;

Ticks ticks(double t) {
  return {static_cast<std::uint64_t>(std::llround((t + 1) * kHertz))};
}
double seconds(Ticks t) {
  return static_cast<double>(t.value) / kHertz - 1;
}

struct Sending {
  // `load`: of the wire by all queues together, while requests come.
  Sending(unsigned queues, double load, std::uint64_t seed) : random{seed}, load_{load}, queues_(queues) {
    plan.wire_rate = static_cast<std::uint32_t>(kHertz * 8 / 10e9 * 65536);
    plan.longest_backlog = static_cast<std::uint64_t>(1e-3 * kHertz);
  }

  void run(double duration) {
    for (const double end = now_ + duration; now_ < end; now_ += kPeriod) {
      for (Queue& q : queues_) {
        q.next = now_ + gap();
        q.free_at = now_;
      }
      sample_ = true;
      sample_at_ = now_ + kBusy * std::uniform_real_distribution<double>{}(random);
      for (;;) {
        auto& q = *std::min_element(queues_.begin(), queues_.end(),
                                    [](const Queue& a, const Queue& b) { return a.event() < b.event(); });
        if (q.next > now_ + kBusy && q.pending.empty()) break;
        send_until(q.event() + kReach);
        step(q);
      }
      send_until(now_ + kPeriod);
      look();
    }
  }

  void load(double l) { load_ = l; }

  TransmitPlan plan;
  TransmitCalibration calibration;
  TransmitLadder ladder{{false, true}};
  std::mt19937_64 random;
  std::vector<double> errors;  // s, absolute, of replies predicted
  [[nodiscard]] double quantile(double share) {
    std::sort(errors.begin(), errors.end());
    return errors.at(static_cast<std::size_t>(share * static_cast<double>(errors.size() - 1)));
  }

 private:
  struct Frame {
    double ready = 0, says = 0;  // s
    bool sampled = false;
  };
  struct Queue {
    double next = 0;     // s, when the next request is there
    double free_at = 0;  // s, of the worker
    double ready = 0;    // s, the NIC had the last reply
    std::vector<Frame> pending;
    double done = 0;  // s, of the burst planned
    Departure departure{};
    Ticks wire_free{};
    std::deque<Frame> sent;
    [[nodiscard]] double event() const { return pending.empty() ? std::max(next, free_at) : done; }
  };

  double exponential(double mean) { return std::exponential_distribution<double>{1 / mean}(random); }
  double gap() { return exponential(kWire / load_ * static_cast<double>(queues_.size())); }

  // A burst is planned, or given to the NIC.
  void step(Queue& q) {
    if (q.pending.empty()) {
      const double polled = q.event();
      unsigned n = 0;
      for (; n < kBurst && q.next <= polled && q.next <= now_ + kBusy; ++n) q.next += gap();
      if (n == 0) {
        q.next = now_ + kPeriod;
        return;
      }
      const double written = polled + n * kWork / 2;
      q.done = written + n * kWork / 2;
      q.departure = plan.depart(ticks(written), n, q.wire_free);
      for (unsigned i = 0; i < n; ++i)
        q.pending.push_back(
            {0, seconds(q.departure.first) + i * kWire * (q.departure.wire_rate != 0), false});
      return;
    }
    q.ready = std::max(q.ready, q.done + kReach + exponential(kJitter));
    q.wire_free = plan.free_after(q.departure, ticks(q.done), plan.wire_ticks(q.pending.size() * kBytes));
    if (sample_ && q.done > sample_at_) {
      sample_ = false;
      q.pending.front().sampled = true;
      sampled_ = {q.departure, ticks(q.done), static_cast<unsigned>(q.pending.size())};
    }
    for (Frame& f : q.pending) {
      f.ready = q.ready;
      q.sent.push_back(f);
    }
    q.free_at = q.done;
    q.pending.clear();
  }

  // Frames that begin before `limit`: the queues take turns where several have some.
  void send_until(double limit) {
    for (;;) {
      Queue* best = nullptr;
      double begins = limit;
      for (std::size_t i = 0; i < queues_.size(); ++i) {
        Queue& q = queues_[(turn_ + i) % queues_.size()];
        if (q.sent.empty()) continue;
        const double at = std::max(q.sent.front().ready, wire_free_);
        if (at < begins) {
          begins = at;
          best = &q;
        }
      }
      if (best == nullptr) return;
      const Frame f = best->sent.front();
      best->sent.pop_front();
      turn_ = static_cast<std::size_t>(best - queues_.data()) + 1;
      wire_free_ = begins + kWire;
      if (ladder.rung() == TransmitRung::predicted) errors.push_back(std::fabs(f.says - begins));
      if (f.sampled) learn(ticks(begins));
    }
  }

  // As TransmitStamps does.
  void learn(Ticks left) {
    const Departure& d = sampled_.departure;
    const auto off = [](Ticks a, Ticks b) {
      return static_cast<double>(static_cast<std::int64_t>(a.value - b.value));
    };
    const double deviation = off(left, d.leaves);
    if (d.follows)
      calibration.add_deviation(deviation);
    else
      calibration.add(sampled_.frames, deviation + static_cast<double>(d.latency),
                      deviation + off(d.leaves, sampled_.done));
  }
  void look() {
    TransmitLadder::Evidence e;
    e.now = now_;
    e.calibrated = calibration.ready();
    e.spread = calibration.spread() / kHertz;
    (void)ladder.judge(e);
    plan.rung = ladder.rung();
    plan.latency = std::llround(calibration.line().latency);
    plan.per_frame = std::llround(calibration.line().per_frame * 65536);
    plan.reach = std::llround(calibration.reach());
  }

  struct Sampled {
    Departure departure{};
    Ticks done{};
    unsigned frames = 0;
  };
  double load_;
  std::vector<Queue> queues_;
  double now_ = 0, wire_free_ = 0;
  std::size_t turn_ = 0;
  bool sample_ = false;
  double sample_at_ = 0;
  Sampled sampled_;
};

}  // namespace

TEST_CASE("a queue that has the wire for itself predicts well, however full it is") {
  for (const double load : {0.3, 0.9, 0.97}) {
    Sending s{1, load, 5};
    s.run(2);
    INFO(load << ": " << s.quantile(0.5) * 1e9 << ", " << s.quantile(0.99) * 1e9 << " ns");
    CHECK(s.ladder.rung() == TransmitRung::predicted);
    CHECK(s.quantile(0.5) < 50e-9);
    CHECK(s.quantile(0.99) < 500e-9);
  }
}

TEST_CASE("two queues on one wire predict as well as long as it is half empty") {
  Sending s{2, 0.5, 5};
  s.run(2);
  INFO(s.quantile(0.5) * 1e9 << ", " << s.quantile(0.99) * 1e9 << " ns");
  CHECK(s.ladder.rung() == TransmitRung::predicted);
  CHECK(s.quantile(0.5) < 50e-9);
  CHECK(s.quantile(0.99) < 500e-9);
}

TEST_CASE("how far off two queues are on a wire that is nearly full is told by the spread") {
  Sending s{2, 0.9, 5};
  s.run(2);
  const double spread = s.calibration.spread() / kHertz;
  INFO("three in four within " << s.quantile(0.75) * 1e9 << " ns, told " << spread * 1e9 << " ns");
  CHECK(spread > 100e-9);
  CHECK(spread < 1e-6);
  CHECK(s.quantile(0.75) < 3 * spread);
}

TEST_CASE("two queues that overload their wire are found out: the port says when it writes") {
  Sending s{2, 0.5, 5};
  s.run(1);
  REQUIRE(s.ladder.rung() == TransmitRung::predicted);
  s.load(1.3);
  s.run(1);
  CHECK(s.ladder.rung() == TransmitRung::plain);
}
