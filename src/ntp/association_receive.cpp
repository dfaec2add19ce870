// SPDX-License-Identifier: BSD-3-Clause
// Association's receiving half: RFC 5905's packet tests, chronyd's A to D, kisses, and what is kept for the
// next exchange.
#include <algorithm>
#include <cmath>

#include "ntp/association.hpp"

namespace wiretime::ntp {

namespace {

// Bits of AssociationReport::tests.
constexpr unsigned kTest1 = 9, kTest2 = 8, kTest3 = 7, kTest5 = 6, kTest6 = 5, kTest7 = 4;
constexpr unsigned kTestA = 3, kTestB = 2, kTestC = 1, kTestD = 0;

constexpr double kRefusedPoll = 0.02;  // polls longer for each answer that gives no sample
constexpr double kUselessPoll = 0.1;   // the same for a source that has no time, or only ours
constexpr double kRateBackOff = 4.0;   // extra wait after a RATE kiss, in shortest intervals
// The exchange before is measured alone when it was this much shorter than the time since.
constexpr double kPreviousRatio = 0.1;

constexpr std::uint32_t code(const char (&text)[5]) noexcept {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(text[i]);
  return value;
}

bool printable(std::uint32_t refid) noexcept {
  for (int shift = 0; shift < 32; shift += 8) {
    const auto c = (refid >> shift) & 0xFFU;
    if (c < 0x20 || c > 0x7E) return false;
  }
  return true;
}

KissReceived kiss(std::uint32_t refid) noexcept {
  KissReceived k;
  for (std::size_t i = 0; i < 4; ++i) k.code[i] = static_cast<char>((refid >> (24 - 8 * i)) & 0xFFU);
  return k;
}

bool newer(NtpTimestamp a, NtpTimestamp b) noexcept {
  return (a - b).units > 0;
}

}  // namespace

void Association::Judged::test(unsigned bit, bool passed, Refusal why) noexcept {
  if (passed) {
    tests = static_cast<std::uint16_t>(tests | (1U << bit));
  } else if (!refusal) {
    refusal = why;
  }
}

bool Association::wants(std::span<const std::byte> packet) const noexcept {
  if (packet.size() < kHeaderLength) return false;
  const Mode m = mode(packet.data());
  if (options_.kind == SourceKind::server) return m == Mode::server;
  return m == Mode::symmetric_active || m == Mode::symmetric_passive;
}

std::optional<Refusal> Association::malformed(const Reception& reception) const noexcept {
  if (reception.bytes.size() < kHeaderLength || reception.bytes.size() % 4 != 0) return Refusal::length;
  const std::uint8_t v = version(reception.bytes.data());
  if (v < 1 || v > 4) return Refusal::version;
  if (!wants(reception.bytes)) return Refusal::mode;
  return {};
}

Association::Judged Association::judge_header(const Reception& reception) const noexcept {
  Judged j;
  j.reply = read_reply(reception.bytes);
  j.time = reception.stamp.time;
  j.transmit_stamp = sent_.stamp.source;
  j.receive_stamp = reception.stamp.source;
  const Reply& r = j.reply;
  const bool basic = sent_.wire.transmit.value != 0 && r.origin == sent_.wire.transmit;
  j.interleaved =
      !basic && options_.xleave && sent_.wire.receive.value != 0 && r.origin == sent_.wire.receive;

  const bool duplicate =
      previous_.known && r.receive == previous_.remote_receive && r.transmit == previous_.remote_transmit;
  j.test(kTest1, !duplicate, Refusal::duplicate);
  const bool ours = basic || j.interleaved;
  j.test(kTest2, ours && sent_.awaits_reply, ours ? Refusal::answered : Refusal::origin);
  j.test(kTest3, r.origin.value != 0 && r.receive.value != 0 && r.transmit.value != 0, Refusal::timestamps);
  const bool authentic = options_.require_authentication ? reception.authentication == AuthResult::passed
                                                         : reception.authentication != AuthResult::failed;
  j.test(kTest5, authentic, Refusal::authentication);
  j.valid = !j.refusal;

  const bool kissed = r.stratum == 0 && printable(r.refid);
  j.test(kTest6, r.leap != 3 && r.stratum != 0 && r.stratum < kMaxStratum,
         kissed ? Refusal::kiss_other : Refusal::unsynchronised);
  j.test(kTest7, r.root_delay / 2 + r.root_dispersion < kMaxRootDistance, Refusal::root_distance);
  j.synced = !j.refusal;
  return j;
}

Actions Association::receive(const Moment& now, const Reception& reception) {
  ++report_.received;
  ++report_.receive_stamps[static_cast<std::size_t>(reception.stamp.source)];
  if (const auto why = malformed(reception)) {
    refuse(*why);
    return {};
  }
  Actions actions;
  Judged judged = judge_header(reception);
  report_.tests = judged.tests;
  if (handle_kiss(now, judged, actions)) {
    actions.emplace_back(PacketJudged{judged});
    return finish(std::move(actions));
  }
  if (!judged.valid) {
    refuse(*judged.refusal);
    if (options_.kind == SourceKind::peer) remember_unanswered(reception, judged);
    actions.emplace_back(PacketJudged{judged});
    return actions;
  }

  ++report_.received_valid;
  report_.last = judged.reply;
  report_.local = reception.local;
  report_.interleaved = judged.interleaved;
  report_.authenticated = reception.authentication == AuthResult::passed;
  remote_poll_ = judged.reply.mode == Mode::symmetric_active ? int{judged.reply.poll} : kHighestPoll;
  report_.transmit_stamp = sent_.stamp.source;
  report_.receive_stamp = reception.stamp.source;
  note_reach(judged.synced, actions);
  update_status(judged, actions);
  if (judged.synced) take_sample(now, reception, judged, actions);
  if (judged.refusal) {
    refuse(*judged.refusal);
    const bool useless = (judged.tests & 1U << kTestD) == 0;
    if (!sent_.presend) schedule_.adjust(useless ? kUselessPoll : kRefusedPoll);
  }
  report_.tests = judged.tests;
  actions.emplace_back(PacketJudged{judged});
  remember(reception, judged);
  if (options_.kind == SourceKind::peer) {
    if (transmit_at_) send_in(now, delay_after_reply(now));
  } else {
    actions.emplace_back(CloseSocket{});
    close_socket_at_.reset();
    send_sooner(now);
  }
  return finish(std::move(actions));
}

// True when the packet was a kiss that changed what we do.
bool Association::handle_kiss(const Moment& now, Judged& judged, Actions& actions) {
  constexpr std::uint16_t kAuthentic = 1U << kTest1 | 1U << kTest2 | 1U << kTest5;
  const Reply& r = judged.reply;
  if (r.stratum != 0 || (judged.tests & kAuthentic) != kAuthentic) return false;
  const bool rate = r.refid == code("RATE");
  const bool deny = r.refid == code("DENY") || r.refid == code("RSTR");
  if (!rate && !deny) return false;

  refuse(rate ? Refusal::kiss_rate : Refusal::kiss_deny);
  actions.emplace_back(kiss(r.refid));
  sent_.awaits_reply = false;
  unanswered_ = 0;
  reach_.record(false);
  update_status(judged, actions);
  if (close_socket_at_) actions.emplace_back(CloseSocket{});
  close_socket_at_.reset();
  if (deny) {
    // RFC 5905 section 7.4: stop sending to that server. An operator's `online` or a new address resumes.
    denied_ = true;
    schedule_.end_burst();
    connectivity_ = connectivity_ == Connectivity::burst_offline || connectivity_ == Connectivity::offline
                        ? Connectivity::offline
                        : Connectivity::online;
    transmit_at_.reset();
    actions.emplace_back(Unreachable{Unreachable::Reason::denied});
    return true;
  }
  const double shortest = poll_seconds(std::max(schedule_.min_poll(), kMinDistantPoll));
  schedule_.slow_down(r.poll);
  if (bursting()) end_burst(now, actions);
  if (transmit_at_) send_in(now, poll_seconds(schedule_.effective_poll(false)) + kRateBackOff * shortest);
  return true;
}

bool Association::uses_previous_request(const Judged& judged) const noexcept {
  const double since = clock::seconds_between(previous_.local_receive.time, sent_.stamp.time);
  const double before = clock::seconds_between(previous_.local_transmit.time, previous_.local_receive.time);
  return judged.interleaved && kPreviousRatio * since > before;
}

void Association::take_sample(const Moment& now, const Reception& reception, Judged& judged,
                              Actions& actions) {
  const Reply& r = judged.reply;
  if (judged.interleaved && !previous_.measurable) {
    judged.refusal = Refusal::previous_exchange;
    return;
  }
  ExchangeStamps stamps{sent_.stamp, r.receive, r.transmit, reception.stamp};
  NtpTimestamp request_received = r.receive;
  if (judged.interleaved) {
    request_received = previous_.remote_receive;
    stamps.local_receive = previous_.local_receive;
    if (uses_previous_request(judged)) {
      stamps.local_transmit = previous_.local_transmit;
      stamps.remote_receive = previous_.remote_receive;
    }
  }
  const double precision = clock_.precision + std::ldexp(1.0, r.precision);
  const Measurement m = measure(stamps, precision, skew_);
  const double response_time = (r.transmit - request_received).seconds();

  const auto failure = fails_test_a(judged, m, precision, response_time);
  judged.test(kTestA, !failure, failure.value_or(Refusal::delay));
  judged.test(kTestB, true, Refusal::delay_ratio);  // both until judged() says otherwise
  judged.test(kTestC, true, Refusal::delay_deviation);
  judged.test(kTestD, !loops_to_us(now, reception, r), Refusal::loop);

  schedule_.note_delay(m.delay);
  clock::Sample sample;
  sample.time = m.time;
  sample.offset = m.offset + options_.offset_correction;
  sample.peer_delay = m.delay;
  sample.peer_dispersion = m.dispersion;
  sample.root_delay = r.root_delay + m.delay;
  sample.root_dispersion = r.root_dispersion + m.dispersion;
  sample.stratum = remote_stratum_;
  sample.leap = remote_leap_;

  judged.time = m.time;
  report_.offset = judged.offset = sample.offset;
  report_.peer_delay = judged.peer_delay = m.delay;
  report_.peer_dispersion = judged.peer_dispersion = m.dispersion;
  report_.response_time = std::fabs(response_time);
  report_.transmit_stamp = judged.transmit_stamp = stamps.local_transmit.source;
  report_.receive_stamp = judged.receive_stamp = stamps.local_receive.source;
  if (judged.refusal) return;
  ++report_.received_good;
  actions.emplace_back(SampleTaken{sample});
}

std::optional<Refusal> Association::fails_test_a(const Judged& judged, const Measurement& m, double precision,
                                                 double response_time) const noexcept {
  if (sent_.presend) return Refusal::presend;
  if (m.delay - m.dispersion > options_.max_delay || precision > options_.max_delay) return Refusal::delay;
  if (options_.kind == SourceKind::server) {
    const bool backwards = response_time < -std::ldexp(1.0, judged.reply.precision);
    if (backwards || std::fabs(response_time) > kMaxServerInterval) return Refusal::response_time;
  }
  if (peer_missed_response(judged, m.delay)) return Refusal::missed_response;
  return {};
}

// In interleaved symmetric mode the times belong together only when no packet between the peers was lost:
// with one missing, the delay is wrong by an interval, or the peer sent before it heard our last packet.
bool Association::peer_missed_response(const Judged& judged, double peer_delay) const noexcept {
  if (options_.kind != SourceKind::peer || !judged.interleaved) return false;
  const Reply& r = judged.reply;
  const double interval = poll_seconds(std::min(int{r.poll}, poll_before_));
  return peer_delay > 0.5 * interval || !newer(r.receive, r.transmit);
}

bool Association::loops_to_us(const Moment& now, const Reception& reception, const Reply& r) const noexcept {
  if (!reception.own_refid) return false;
  if (r.stratum > 1 && r.refid == *reception.own_refid) return true;
  const clock::Reference& us = now.reference;
  return us.stratum != 0 && r.stratum == us.stratum && r.refid == us.refid &&
         r.reference_time == us.reference_time;
}

void Association::remember(const Reception& reception, const Judged& judged) noexcept {
  const Reply& r = judged.reply;
  previous_ =
      Previous{sent_.stamp, sent_.wire.transmit, r.receive, r.transmit, reception.stamp, true, judged.synced};
  sent_.awaits_reply = false;
  unanswered_before_ = unanswered_;
  unanswered_ = 0;
  poll_before_ = current_poll();
}

// Symmetric mode only: a packet that gives no sample may still tell where the peer is, or neither side would
// ever find the other's timestamps again after a loss or a restart. Older timestamps are replays.
void Association::remember_unanswered(const Reception& reception, const Judged& judged) noexcept {
  constexpr std::uint16_t kNeeded = 1U << kTest1 | 1U << kTest5;
  const Reply& r = judged.reply;
  if ((judged.tests & kNeeded) != kNeeded || r.transmit.value == 0) return;
  if (previous_.known && !newer(r.transmit, previous_.remote_transmit)) return;
  previous_ = Previous{{}, {}, r.receive, r.transmit, reception.stamp, true, false};
  unanswered_before_ = 0;  // packets do not alternate: the next one goes in basic mode
}

std::uint8_t Association::status_stratum(const Reply& r) const noexcept {
  if (r.stratum == 0 || r.stratum >= kMaxStratum) return kMaxStratum;
  const unsigned stratum = options_.copy ? r.stratum - 1U : r.stratum;
  return static_cast<std::uint8_t>(std::min<unsigned>(std::max(stratum, options_.min_stratum), kMaxStratum));
}

void Association::update_status(const Judged& judged, Actions& actions) {
  StatusUpdate status;
  if (judged.synced) {
    remote_stratum_ = status_stratum(judged.reply);
    remote_leap_ = static_cast<clock::Leap>(judged.reply.leap);
    if (options_.copy) status.refid = judged.reply.refid;
  }
  status.stratum = remote_stratum_;
  status.leap = remote_leap_;
  status.reach = reach_.bits();
  status.synchronised = judged.synced;
  actions.emplace_back(status);
}

Actions Association::judged(const Moment& now, const Judgement& judgement) {
  Actions actions;
  skew_ = judgement.skew;
  if (judgement.delay_ratio_ok && judgement.delay_deviation_ok) {
    if (judgement.poll) schedule_.set_poll(*judgement.poll);
    schedule_.adjust(judgement.poll_change);
    if (bursting() && schedule_.burst_sample_good()) end_burst(now, actions);
    if (options_.kind == SourceKind::server) send_sooner(now);
    return finish(std::move(actions));
  }
  if (report_.received_good > 0) --report_.received_good;
  refuse(judgement.delay_ratio_ok ? Refusal::delay_deviation : Refusal::delay_ratio);
  const unsigned failed =
      (judgement.delay_ratio_ok ? 0U : 1U << kTestB) | (judgement.delay_deviation_ok ? 0U : 1U << kTestC);
  report_.tests = static_cast<std::uint16_t>(report_.tests & ~failed);
  schedule_.adjust(kRefusedPoll);
  return finish(std::move(actions));
}

}  // namespace wiretime::ntp
