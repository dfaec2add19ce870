// SPDX-License-Identifier: BSD-3-Clause
// Symmetric mode: two associations facing each other, and one that faces a server which only replies.
#include <memory>
#include <random>

#include "catch.hpp"
#include "ntp/association.hpp"
#include "ntp/simulated_source.hpp"

using namespace wiretime;
using namespace wiretime::ntp;
using test::Simulation;

namespace {

SourceOptions peer_options(int poll = 4, bool xleave = false) {
  SourceOptions options;
  options.kind = SourceKind::peer;
  options.min_poll = poll;
  options.max_poll = poll;
  options.xleave = xleave;
  return options;
}

// One end of a pair.
struct End {
  explicit End(const SourceOptions& options) : association(options, test::kTestClock) {}
  Association association;
  double clock_offset = 0;  // s ahead of true time
  clock::Reference reference{};
  std::optional<Nanoseconds> timer;
  std::vector<clock::Sample> samples;
  std::vector<Nanoseconds> sent_at;
  Header last_sent{};
};

class Pair {
 public:
  Pair(const SourceOptions& a, const SourceOptions& b) : ends{End{a}, End{b}} {
    for (auto& end : ends) {
      end.reference.leap = clock::Leap::none;
      end.reference.stratum = 3;
    }
    ends[1].reference.reference_time = {77};
  }
  std::array<End, 2> ends;
  double delay = 1e-3;
  std::function<bool()> lose = [] { return false; };
  Nanoseconds now{0};

  WallTime local(const End& end) const {
    return clock::advanced(WallTime{std::chrono::seconds{1'800'000'000}} + now, end.clock_offset);
  }
  Moment moment(const End& end) {
    return {now, local(end), {random_(), random_(), random_()}, end.reference};
  }

  void start(std::size_t i) { carry_out(i, ends[i].association.start(moment(ends[i]))); }

  void run_for(double seconds) {
    const Nanoseconds until = now + from_seconds(seconds);
    while (true) {
      Nanoseconds next = until;
      for (const auto& end : ends)
        if (end.timer) next = std::min(next, *end.timer);
      for (const auto& packet : packets_) next = std::min(next, packet.at);
      now = std::max(now, next);
      if (next >= until) return;
      const auto packet =
          std::find_if(packets_.begin(), packets_.end(), [&](const auto& p) { return p.at <= now; });
      if (packet != packets_.end()) {
        const Packet p = *packet;
        packets_.erase(packet);
        deliver(p.to, p.bytes);
        continue;
      }
      for (std::size_t i = 0; i < 2; ++i) {
        if (!ends[i].timer || *ends[i].timer > now) continue;
        ends[i].timer.reset();
        carry_out(i, ends[i].association.timer(moment(ends[i])));
      }
    }
  }

  void deliver(std::size_t to, const Header& bytes) {
    End& end = ends[to];
    if (!end.association.wants(bytes)) return;
    Reception r;
    r.bytes = bytes;
    r.stamp = {local(end), 0, StampSource::kernel};
    carry_out(to, end.association.receive(moment(end), r));
  }

 private:
  struct Packet {
    Nanoseconds at;
    std::size_t to;
    Header bytes;
  };

  void carry_out(std::size_t i, const Actions& actions) {
    End& end = ends[i];
    bool sampled = false;
    for (const auto& action : actions) {
      if (const auto* set = std::get_if<SetTimer>(&action)) end.timer = set->at;
      if (const auto* taken = std::get_if<SampleTaken>(&action)) {
        end.samples.push_back(taken->sample);
        sampled = true;
      }
      if (const auto* send = std::get_if<Send>(&action)) {
        CHECK(send->socket == SocketUse::server);
        end.sent_at.push_back(now);
        end.last_sent = send->bytes;
        end.association.transmitted({local(end), 0, StampSource::daemon});
        if (!lose()) packets_.push_back({now + from_seconds(delay), 1 - i, send->bytes});
      }
    }
    if (sampled) carry_out(i, end.association.judged(moment(end), {true, true, {}, 0, 1e-6}));
  }

  std::vector<Packet> packets_;
  std::mt19937_64 random_{11};
};

std::size_t refused(const End& end, Refusal why) {
  return end.association.report().refused[static_cast<std::size_t>(why)];
}

}  // namespace

TEST_CASE("two peers measure each other with opposite signs, basic or interleaved") {
  for (const bool xleave : {false, true}) {
    Pair pair{peer_options(4, xleave), peer_options(4, xleave)};
    pair.ends[0].clock_offset = 0.25;
    pair.start(0);
    pair.run_for(5);
    pair.start(1);
    pair.run_for(1000);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto& end = pair.ends[i];
      CHECK(end.association.report().interleaved == xleave);
      CHECK(end.association.reach().bits() == 0xFF);
      REQUIRE(end.samples.size() > 50);
      for (const auto& s : end.samples) {
        CHECK(s.offset == Approx(i == 0 ? -0.25 : 0.25).margin(5e-8));
        CHECK(s.peer_delay == Approx(2e-3).margin(5e-8));
      }
    }
  }
}

TEST_CASE("a peer's packet tells our state") {
  Pair pair{peer_options(), peer_options()};
  pair.ends[0].reference = {clock::Leap::remove, 5, 0xC000'0207U, {0x1234}, {0x5678}, {0x9ABC}};
  pair.start(0);
  pair.run_for(1);
  const Reply r = read_reply(pair.ends[0].last_sent);
  CHECK(r.mode == Mode::symmetric_active);
  CHECK(r.leap == 2);
  CHECK(r.stratum == 5);
  CHECK(r.refid == 0xC000'0207U);
  CHECK(r.root_delay == NtpShort{0x1234}.seconds());
  CHECK(r.reference_time.value == 0x9ABC);
  CHECK(r.precision == test::kTestClock.log2_precision);
  CHECK(std::abs((r.transmit - NtpTimestamp::from(pair.local(pair.ends[0]))).seconds()) < 1.0);
}

TEST_CASE("peers that lose packets find each other again within a few polls") {
  for (const bool xleave : {false, true}) {
    Pair pair{peer_options(4, xleave), peer_options(4, xleave)};
    pair.lose = [random = std::mt19937_64{12}]() mutable { return random() % 4 == 0; };
    pair.ends[1].clock_offset = -0.1;
    pair.start(0);
    pair.start(1);
    pair.run_for(16 * 1000);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(pair.ends[i].samples.size() > 200);
      for (const auto& s : pair.ends[i].samples) CHECK(s.offset == Approx(i == 0 ? -0.1 : 0.1).margin(5e-8));
    }
  }
}

TEST_CASE("a peer that restarts is heard again") {
  Pair pair{peer_options(), peer_options()};
  pair.start(0);
  pair.start(1);
  pair.run_for(200);
  pair.start(1);
  const auto before = pair.ends[0].samples.size();
  pair.run_for(100);
  CHECK(pair.ends[0].samples.size() >= before + 4);
  CHECK(pair.ends[1].association.reach().bits() >= 0b1111);
}

TEST_CASE("the peer that asks more often gets its way, down to the other's minpoll") {
  auto slow = peer_options(6);
  slow.min_poll = 5;
  slow.max_poll = 6;
  Pair pair{slow, peer_options(4)};
  pair.start(0);
  pair.start(1);
  pair.run_for(2000);
  const auto& sent = pair.ends[0].sent_at;
  REQUIRE(sent.size() > 3);
  const double gap = std::chrono::duration<double>(sent.back() - sent[sent.size() - 2]).count();
  CHECK(gap < 32 * 1.2);
  CHECK(gap > 15);
  CHECK(read_reply(pair.ends[0].last_sent).poll == 5);
}

TEST_CASE("the peer nearer to the root answers soon after the other's packet") {
  Pair pair{peer_options(4), peer_options(4)};
  pair.ends[0].reference.stratum = 2;
  pair.ends[1].reference.stratum = 5;
  pair.start(0);
  pair.run_for(9);
  pair.start(1);
  pair.run_for(3000);
  // The follower's measurement is the shorter one: from its packet to the answer.
  const auto& leader = pair.ends[0].sent_at;
  const auto& follower = pair.ends[1].sent_at;
  const auto last_asked = *std::prev(std::lower_bound(follower.begin(), follower.end(), leader.back()));
  CHECK(leader.back() - last_asked < std::chrono::seconds{3});
}

TEST_CASE("a server that is no peer of ours answers in mode 2 and is measured") {
  Simulation sim{peer_options()};
  sim.server.interleaved = false;
  sim.world.local_offset = 0.125;
  sim.reference.stratum = 10;
  sim.start();
  sim.run_for(500);
  CHECK(sim.association.report().last.mode == Mode::symmetric_passive);
  REQUIRE(sim.samples.size() > 20);
  for (const auto& s : sim.samples) CHECK(s.offset == Approx(-0.125).margin(5e-8));
  CHECK(sim.closed == 0);
}

TEST_CASE("an interleaved peer measures a server that answers stateless, too") {
  Simulation sim{peer_options(4, true)};
  sim.world.local_offset = 0.125;
  sim.reference.stratum = 10;
  sim.start();
  sim.run_for(500);
  REQUIRE(sim.samples.size() > 20);
  for (const auto& s : sim.samples) CHECK(s.offset == Approx(-0.125).margin(5e-8));
}

TEST_CASE("a peer wants modes 1 and 2, a client mode 4: all else are requests to our server") {
  const Association peer{peer_options(), test::kTestClock};
  const Association client{SourceOptions{}, test::kTestClock};
  for (unsigned mode = 0; mode < 8; ++mode) {
    Header m{};
    store_u8(m.data(), flags(0, 4, static_cast<Mode>(mode)));
    CHECK(peer.wants(m) == (mode == 1 || mode == 2));
    CHECK(client.wants(m) == (mode == 4));
  }
  CHECK_FALSE(peer.wants({}));
}

TEST_CASE("a server that only repeats our poll does not hold it down") {
  auto options = peer_options(4);
  options.max_poll = 6;
  Simulation sim{options};
  sim.judgement.poll_change = 0.5;
  sim.start();
  sim.run_for(1000);
  REQUIRE(sim.sent_at.size() > 3);
  CHECK(sim.sent_at.back() - sim.sent_at[sim.sent_at.size() - 2] >= std::chrono::seconds{64});
}

TEST_CASE("an interleaved peer goes back to basic mode when an answer is missing") {
  Simulation sim{peer_options(4, true)};
  sim.start();
  sim.run_for(100);
  const auto age = [&sim] {  // of the transmit stamp in the last packet, when it was sent
    const auto sent = NtpTimestamp::from(sim.world.local_time(sim.sent_at.back()));
    return (sent - read_reply(sim.sends.back().bytes).transmit).seconds();
  };
  CHECK(age() > 15);
  sim.lose = [] { return true; };
  sim.run_for(40);
  CHECK(std::abs(age()) < 1e-6);
}

TEST_CASE("two packets of the peer in a row are answered in basic mode, to the newer one") {
  Pair pair{peer_options(4, true), peer_options(4, true)};
  pair.start(0);
  pair.run_for(5);
  pair.start(1);
  pair.run_for(200);
  CHECK(pair.ends[0].association.report().interleaved);
  const auto sent = pair.ends[0].sent_at.size();
  while (pair.ends[0].sent_at.size() == sent) pair.run_for(0.5);
  const auto answered = pair.ends[1].sent_at.size();
  while (pair.ends[1].sent_at.size() == answered) pair.run_for(0.5);
  pair.run_for(0.5);
  Header extra = pair.ends[1].last_sent;
  const auto later = timestamp(extra.data(), offset::kTransmit) + NtpDuration::from(std::chrono::seconds{20});
  set_timestamp(extra.data(), offset::kTransmit, later);
  const auto samples = pair.ends[0].samples.size();
  pair.deliver(0, extra);
  CHECK(refused(pair.ends[0], Refusal::answered) == 1);
  while (pair.ends[0].sent_at.size() == sent + 1) pair.run_for(0.5);
  CHECK(pair.ends[0].samples.size() == samples);
  CHECK(read_reply(pair.ends[0].last_sent).origin == later);
}

TEST_CASE("interleaved times with a packet missing between them give no sample") {
  for (const bool early : {true, false}) {
    Simulation sim{peer_options(4, true)};
    sim.start();
    sim.run_for(100);
    CHECK(sim.association.report().interleaved);
    const auto samples = sim.samples.size();
    sim.tamper = [early](Header& m) {
      const auto transmit = timestamp(m.data(), offset::kTransmit);
      const auto receive = timestamp(m.data(), offset::kReceive);
      // The peer says it sent after it heard us, by little; or an interval before it did.
      if (early)
        set_timestamp(m.data(), offset::kTransmit, receive + NtpDuration::from(std::chrono::microseconds{9}));
      else
        set_timestamp(m.data(), offset::kTransmit, transmit + NtpDuration::from(-std::chrono::seconds{9}));
    };
    sim.association.set_max_delay(100);
    sim.run_for(16.4);
    CHECK(sim.samples.size() == samples);
    CHECK(sim.refused(Refusal::missed_response) == 1);
  }
}

TEST_CASE("bursts are not for peers") {
  auto options = peer_options();
  options.iburst = true;
  options.burst = true;
  Simulation sim{options};
  sim.start();
  sim.carry_out(sim.association.burst(sim.moment(), 4, 8));
  CHECK(sim.association.connectivity() == Connectivity::online);
  sim.run_for(15);
  CHECK(sim.sends.size() == 1);
}

TEST_CASE("replayed packets give a peer no sample") {
  for (const bool xleave : {false, true}) {
    Pair pair{peer_options(4, xleave), peer_options(4, xleave)};
    std::vector<Header> heard;
    pair.start(0);
    pair.start(1);
    std::mt19937_64 random{13};
    for (int i = 0; i < 300; ++i) {
      pair.run_for(4);
      heard.push_back(pair.ends[1].last_sent);
      const auto before = pair.ends[0].samples.size();
      // Not the newest: that one may still be under way.
      const Header replayed = heard[heard.size() > 10 ? random() % (heard.size() - 10) : 0];
      if (heard.size() > 10) pair.deliver(0, replayed);
      CHECK(pair.ends[0].samples.size() == before);
      const auto sent = pair.ends[0].sent_at.size();
      pair.run_for(4);
      // Nor does it become what we answer next.
      if (heard.size() > 10 && pair.ends[0].sent_at.size() > sent)
        CHECK(read_reply(pair.ends[0].last_sent).origin != read_reply(replayed).transmit);
    }
    CHECK(pair.ends[0].samples.size() > 60);
    for (const auto& s : pair.ends[0].samples) CHECK(s.offset == Approx(0).margin(5e-8));
    CHECK(refused(pair.ends[0], Refusal::origin) + refused(pair.ends[0], Refusal::duplicate) > 200);
  }
}
