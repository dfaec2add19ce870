// SPDX-License-Identifier: BSD-3-Clause
// A world for one association: true time, a local clock that may be wrong, a path with a delay each way, and
// a server that is always right and speaks basic and interleaved mode. Everything is driven by the actions.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "base/bytes.hpp"
#include "ntp/association.hpp"

namespace wiretime::test {

using ntp::Actions;
using ntp::Association;

inline const ntp::LocalClock kTestClock{1e-9, -29};
inline constexpr std::uint32_t kOurRefid = 0xC000'0202U;

// True time, as nanoseconds since the world began; the server's clock shows `epoch` + that.
struct World {
  WallTime epoch{std::chrono::seconds{1'800'000'000}};
  Nanoseconds now{0};
  double local_offset = 0;     // s, local clock ahead of true time at the beginning
  double local_frequency = 0;  // s/s, local clock runs fast by this

  [[nodiscard]] WallTime true_time(Nanoseconds t) const { return epoch + t; }
  [[nodiscard]] WallTime local_time(Nanoseconds t) const {
    const double drift = local_offset + local_frequency * std::chrono::duration<double>(t).count();
    return clock::advanced(epoch + t, drift);
  }
};

// A stratum 1 server without errors.
class PerfectServer {
 public:
  bool interleaved = true;
  std::uint8_t leap = 0;
  std::uint8_t stratum = 1;
  std::uint32_t refid = 0x4750'5300U;  // "GPS"
  double root_delay = 0;
  double root_dispersion = 0;
  std::int8_t precision = -29;
  NtpTimestamp reference_time{};

  // The reply to `request`, received and sent at these moments of the server's clock.
  ntp::Header reply(const ntp::Header& request, WallTime received, WallTime sent) {
    const NtpTimestamp origin = ntp::timestamp(request.data(), ntp::offset::kOrigin);
    const NtpTimestamp request_receive = ntp::timestamp(request.data(), ntp::offset::kReceive);
    const NtpTimestamp request_transmit = ntp::timestamp(request.data(), ntp::offset::kTransmit);
    const auto known = transmitted_.find(origin.value);
    const bool interleave = interleaved && (origin.value & 1U) == 1 && request_receive != request_transmit &&
                            known != transmitted_.end();
    ntp::Header m = request;
    const auto mode =
        ntp::mode(request.data()) == ntp::Mode::client ? ntp::Mode::server : ntp::Mode::symmetric_passive;
    store_u8(m.data(), ntp::flags(leap, ntp::version(request.data()), mode));
    store_u8(m.data() + ntp::offset::kStratum, stratum);
    store_u8(m.data() + ntp::offset::kPrecision, static_cast<std::uint8_t>(precision));
    store_be32(m.data() + ntp::offset::kRootDelay, to_short(root_delay));
    store_be32(m.data() + ntp::offset::kRootDispersion, to_short(root_dispersion));
    store_be32(m.data() + ntp::offset::kReferenceId, refid);
    ntp::set_timestamp(m.data(), ntp::offset::kReferenceTime, reference_time);
    const NtpTimestamp receive{NtpTimestamp::from(received).value | 1};
    ntp::set_timestamp(m.data(), ntp::offset::kOrigin, interleave ? request_receive : request_transmit);
    ntp::set_timestamp(m.data(), ntp::offset::kReceive, receive);
    const NtpTimestamp basic{NtpTimestamp::from(sent).value & ~std::uint64_t{1}};
    ntp::set_timestamp(m.data(), ntp::offset::kTransmit, interleave ? known->second : basic);
    if (interleave) transmitted_.erase(known);
    transmitted_[receive.value] = basic;
    ++replies;
    return m;
  }
  void forget() { transmitted_.clear(); }
  unsigned replies = 0;

 private:
  static std::uint32_t to_short(double seconds) { return static_cast<std::uint32_t>(seconds * 65536.0); }
  std::map<std::uint64_t, NtpTimestamp> transmitted_;  // receive stamp -> transmit stamp
};

// Runs one association against the server over a path.
class Simulation {
 public:
  explicit Simulation(const ntp::SourceOptions& options, std::uint64_t seed = 1)
      : association(options, kTestClock), random_(seed) {}

  World world;
  PerfectServer server;
  Association association;
  // Path, may change in the course of a test.
  std::function<double()> forward = [] { return 1e-3; };
  std::function<double()> backward = [] { return 1e-3; };
  double processing = 10e-6;
  double send_latency = 0;  // s from the event to the moment a packet leaves
  std::function<bool()> lose = [] { return false; };
  std::function<void(ntp::Header&)> tamper = [](ntp::Header&) {};
  ntp::Judgement judgement{true, true, {}, 0, 1e-6};
  bool send_fails = false;
  clock::Reference reference{};

  // What happened.
  std::vector<Nanoseconds> sent_at;
  std::vector<ntp::Send> sends;
  std::vector<ntp::Header> replies;  // as they arrived
  std::vector<clock::Sample> samples;
  std::vector<ntp::StatusUpdate> statuses;
  std::vector<ntp::Unreachable> unreachable;
  std::vector<std::array<char, 4>> kisses;
  unsigned closed = 0;
  unsigned went_offline = 0;
  std::optional<Nanoseconds> timer;

  [[nodiscard]] ntp::Moment moment() {
    return {world.now, world.local_time(world.now), {random_(), random_(), random_()}, reference};
  }

  void start() { carry_out(association.start(moment())); }

  // One event: a packet or the timer. False when nothing will ever happen again.
  bool step(Nanoseconds until = Nanoseconds::max()) {
    const auto next_packet = std::min_element(arrivals_.begin(), arrivals_.end(),
                                              [](const auto& a, const auto& b) { return a.at < b.at; });
    const bool packet = next_packet != arrivals_.end() && (!timer || next_packet->at <= *timer);
    if (!packet && !timer) return false;
    const Nanoseconds at = packet ? next_packet->at : *timer;
    if (at > until) return false;
    world.now = std::max(world.now, at);
    if (packet) {
      const ntp::Header bytes = next_packet->bytes;
      arrivals_.erase(next_packet);
      deliver(bytes);
    } else {
      timer.reset();
      carry_out(association.timer(moment()));
    }
    return true;
  }
  void run_for(double seconds) {
    const Nanoseconds until = world.now + ntp::from_seconds(seconds);
    while (step(until)) {
    }
    world.now = until;
  }
  // Gives a packet to the association now, as if from the source.
  void deliver(std::span<const std::byte> bytes, ntp::AuthResult auth = ntp::AuthResult::none,
               ntp::StampSource source = ntp::StampSource::kernel) {
    ntp::Reception r;
    r.bytes = bytes;
    r.stamp = {world.local_time(world.now), 0, source};
    r.local = IpAddress::v4(kOurRefid);
    r.authentication = auth;
    r.own_refid = kOurRefid;
    if (bytes.size() == ntp::kHeaderLength) {
      replies.emplace_back();
      std::copy(bytes.begin(), bytes.end(), replies.back().begin());
    }
    carry_out(association.receive(moment(), r));
  }
  void arrive(const ntp::Header& bytes, double in_seconds) {
    arrivals_.push_back({world.now + ntp::from_seconds(in_seconds), bytes});
  }
  // The reply the server would give to the last request, not delivered; the request counts as lost.
  [[nodiscard]] ntp::Header answer_by_hand() {
    arrivals_.clear();
    return server.reply(sends.back().bytes, world.true_time(world.now + std::chrono::milliseconds{1}),
                        world.true_time(world.now + std::chrono::milliseconds{1}));
  }
  void drop_arrivals() { arrivals_.clear(); }
  [[nodiscard]] std::uint32_t refused(ntp::Refusal why) const {
    return association.report().refused[static_cast<std::size_t>(why)];
  }

  void carry_out(const Actions& actions) {
    for (const auto& action : actions) {
      if (const auto* send = std::get_if<ntp::Send>(&action)) transmit(*send);
      if (const auto* set = std::get_if<ntp::SetTimer>(&action)) timer = set->at;
      if (std::get_if<ntp::CloseSocket>(&action) != nullptr) ++closed;
      if (std::get_if<ntp::WentOffline>(&action) != nullptr) ++went_offline;
      if (const auto* status = std::get_if<ntp::StatusUpdate>(&action)) statuses.push_back(*status);
      if (const auto* u = std::get_if<ntp::Unreachable>(&action)) unreachable.push_back(*u);
      if (const auto* kiss = std::get_if<ntp::KissReceived>(&action)) kisses.push_back(kiss->code);
      if (const auto* taken = std::get_if<ntp::SampleTaken>(&action)) samples.push_back(taken->sample);
    }
    // As in the daemon, events that follow from actions come after all of them.
    const bool sampled = std::any_of(actions.begin(), actions.end(), [](const auto& a) {
      return std::holds_alternative<ntp::SampleTaken>(a);
    });
    if (sampled) carry_out(association.judged(moment(), judgement));
    if (failed_send_) {
      failed_send_ = false;
      carry_out(association.send_failed(moment()));
    }
  }

 private:
  struct Arrival {
    Nanoseconds at;
    ntp::Header bytes;
  };

  void transmit(const ntp::Send& send) {
    if (send_fails) {
      failed_send_ = true;
      return;
    }
    sent_at.push_back(world.now);
    sends.push_back(send);
    const Nanoseconds left = world.now + ntp::from_seconds(send_latency);
    association.transmitted({world.local_time(left), 0, ntp::StampSource::daemon});
    if (lose()) return;
    const Nanoseconds received = left + ntp::from_seconds(forward());
    const Nanoseconds sent = received + ntp::from_seconds(processing);
    ntp::Header bytes = server.reply(send.bytes, world.true_time(received), world.true_time(sent));
    tamper(bytes);
    if (!lose()) arrivals_.push_back({sent + ntp::from_seconds(backward()), bytes});
  }

  std::vector<Arrival> arrivals_;
  std::mt19937_64 random_;
  bool failed_send_ = false;
};

}  // namespace wiretime::test
