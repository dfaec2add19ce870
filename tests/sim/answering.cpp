// SPDX-License-Identifier: BSD-3-Clause
#include "sim/answering.hpp"

#include "base/bytes.hpp"
#include "ntp/packet.hpp"

namespace wiretime::sim {

namespace {

constexpr std::int8_t kFinest = -32;  // log2 s: all bits of a timestamp are the clock's

}  // namespace

ntp::AccessRules everybody() {
  ntp::AccessRules rules;
  rules.set_everywhere(true, true);
  return rules;
}

Answering::Answering(const ntp::AccessRules& rules, std::uint64_t seed)
    : state_{"simulated", 0, {seed, seed + 1}, nullptr} {
  tables_.access = ntp::AccessList{rules};
}

std::optional<Packet> Answering::answer(const Packet& request, const clock::TimeSnapshot& snapshot,
                                        NtpTimestamp receive, NtpTimestamp transmit) {
  Packet reply{request.to, request.from, request.bytes};
  const server::Answer answer = server::handle(
      {request.from.address, request.from.port, reply.bytes, receive}, snapshot, tables_, state_);
  if (!is_ntp_answer(answer.verdict)) return std::nullopt;
  reply.bytes.resize(answer.length);
  server::finish_reply(reply.bytes, answer.key, answer.exchange, transmit, snapshot, state_);
  return reply;
}

ReferenceServer::ReferenceServer(const ServerConfig& config, const IpAddress& address, WallTime start,
                                 Timeline& timeline, Network& network, std::uint64_t seed)
    : config_{config},
      address_{address},
      start_{start},
      timeline_{timeline},
      network_{network},
      random_{seed},
      answering_{everybody(), seed} {
  network_.attach(address_, [this](const Packet& packet) { receive(packet); });
}

NtpTimestamp ReferenceServer::read(double later) const {
  const double now = seconds(timeline_.now());
  const double error = config_.offset + config_.frequency * now +
                       (now >= config_.jump_at ? config_.jump : 0) - (now >= config_.leap_at ? 1 : 0);
  const TrueTime shown = timeline_.now() + true_time(error + later);
  // Exact to the timestamp's 2^-32 s, of which no whole number makes a nanosecond.
  const auto units = (static_cast<__int128>(shown.count()) << 32) / std::pico::den;
  return NtpTimestamp::from(start_) + NtpDuration{static_cast<std::int64_t>(units)};
}

clock::TimeSnapshot ReferenceServer::snapshot() const {
  const auto dispersion = std::chrono::duration<double>{config_.root_dispersion};
  const auto delay = std::chrono::duration<double>{config_.root_delay};
  clock::TimeSnapshot s;
  s.anchor_time = read(0);
  const bool leap = config_.leap_at < 1e18 && seconds(timeline_.now()) < config_.leap_at;
  s.reference = {leap ? clock::Leap::insert : clock::Leap::none,
                 config_.stratum,
                 0x47505300,  // "GPS"
                 NtpShort::from(std::chrono::duration_cast<Nanoseconds>(delay)),
                 NtpShort::from(std::chrono::duration_cast<Nanoseconds>(dispersion)),
                 read(-1)};
  s.precision = kFinest;
  s.valid = true;
  return s;
}

void ReferenceServer::receive(const Packet& packet) {
  if (packet.to.port != ntp::kPort) return;
  const double lag = config_.transmit_lag > 0 ? config_.transmit_lag * exponential_(random_) : 0;
  auto reply = answering_.answer(packet, snapshot(), read(0), read(0));
  if (!reply) return;
  interleave(packet, *reply, read(lag));
  timeline_.after(lag, [this, r = std::move(*reply)] { network_.send(r); });
}

void ReferenceServer::interleave(const Packet& request, Packet& reply, NtpTimestamp left) {
  namespace field = ntp::offset;
  Last& last = last_[request.from.address];
  const NtpTimestamp origin = ntp::timestamp(request.bytes.data(), field::kOrigin);
  const NtpTimestamp receive = ntp::timestamp(request.bytes.data(), field::kReceive);
  const NtpTimestamp transmit = ntp::timestamp(request.bytes.data(), field::kTransmit);
  std::byte* const m = reply.bytes.data();
  if (origin.value != 0 && origin == last.receive && receive != transmit) {
    ntp::set_timestamp(m, field::kOrigin, receive);
    ntp::set_timestamp(m, field::kTransmit, last.transmit);
  }
  last = {ntp::timestamp(m, field::kReceive), left};
}

}  // namespace wiretime::sim
