// SPDX-License-Identifier: BSD-3-Clause
#include "control/ntp_endpoints.hpp"

#include <algorithm>

#include "ntp/packet.hpp"
#include "os/kernel_clock.hpp"
#include "server/handler.hpp"

namespace wiretime::control {

namespace {

constexpr std::uint32_t kBroadcastV4 = 0xFFFF'FFFFU;

server::Stamp sent_by(ntp::StampSource source) {
  switch (source) {
    case ntp::StampSource::hardware:
      return server::Stamp::transmit_hardware;
    case ntp::StampSource::kernel:
      return server::Stamp::transmit_kernel;
    case ntp::StampSource::daemon:
      break;
  }
  return server::Stamp::transmit_daemon;
}

server::Stamp counted_as(ntp::StampSource source) {
  switch (source) {
    case ntp::StampSource::hardware:
      return server::Stamp::receive_hardware;
    case ntp::StampSource::kernel:
      return server::Stamp::receive_kernel;
    case ntp::StampSource::daemon:
      break;
  }
  return server::Stamp::receive_daemon;
}

}  // namespace

std::optional<Verdict> refuse_by_address(const os::Datagram& datagram, std::uint16_t our_port) noexcept {
  const IpAddress& source = datagram.peer.address;
  if (datagram.peer.port == 0 || source.is_unspecified()) return Verdict::source_invalid;
  if (source.is_multicast() || (source.family == Family::ipv4 && source.v4_host_order() == kBroadcastV4))
    return Verdict::source_multicast;
  // A host may ask itself, but not from the very socket that answers.
  if (source == datagram.local && datagram.peer.port == our_port) return Verdict::source_own_address;
  const bool destination_known = datagram.destination.family != Family::unspecified;
  if (destination_known && (datagram.destination.is_multicast() || datagram.destination != datagram.local))
    return Verdict::link_broadcast;
  return std::nullopt;
}

NtpEndpoints::NtpEndpoints(os::EventLoop& loop, const RcuPointer<server::Tables>& tables,
                           server::WorkerState& state, SnapshotSource snapshot, NtpEndpointSettings settings)
    : loop_{loop},
      tables_{tables},
      state_{state},
      snapshot_{std::move(snapshot)},
      settings_{std::move(settings)} {}

NtpEndpoints::~NtpEndpoints() {
  for (const auto* l : {&v4_, &v6_})
    if (*l) loop_.unwatch((*l)->watch);
}

os::SocketResult<void> NtpEndpoints::open(Family family) {
  if (settings_.port == 0 || is_open(family)) return {};
  const bool v6 = family == Family::ipv6;
  const auto& wanted = v6 ? settings_.address_v6 : settings_.address_v4;
  os::Endpoint bind_to;
  bind_to.address = wanted.value_or(IpAddress{{}, family});
  bind_to.port = settings_.port;
  os::UdpOptions options;
  options.bind_device = settings_.device;
  options.free_bind = wanted.has_value();  // chronyd starts before its address is there
  options.dscp = settings_.dscp;
  options.hardware = hardware_ != nullptr && hardware_->any();
  auto socket = os::UdpSocket::open(bind_to, options);
  if (!socket) return tl::make_unexpected(socket.error());
  auto& slot = v6 ? v6_ : v4_;
  const auto watch = loop_.watch(socket->fd(), os::kReadableOrStamped,
                                 [this, family](os::Ready ready) { receive(family, ready); });
  slot.emplace(Listener{std::move(*socket), watch});
  return {};
}

bool NtpEndpoints::is_open(Family family) const {
  return listener(family).has_value();
}

std::vector<os::Endpoint> NtpEndpoints::listening() const {
  std::vector<os::Endpoint> endpoints;
  for (const auto* l : {&v4_, &v6_})
    if (*l) endpoints.push_back((*l)->socket.local());
  return endpoints;
}

void NtpEndpoints::receive(Family family, os::Ready ready) {
  os::UdpSocket& socket = (family == Family::ipv6 ? v6_ : v4_)->socket;
  if (ready.error || ready.priority)
    for (const os::TransmitStamp& stamp : socket.transmit_stamps(batch_)) {
      const auto sent = hardware_ != nullptr ? hardware_->sent(stamp) : KernelStamp{stamp.sent};
      if (!sent || reply_stamps_.left(stamp.frame, served_time(sent->time), sent->source)) continue;
      if (stamps_) stamps_(stamp.frame, *sent);
    }
  if (!ready.readable && !ready.error) return;
  auto datagrams = socket.receive_batch(batch_);
  if (!datagrams) return;  // the next round tries again; level triggered
  const clock::TimeSnapshot snapshot = snapshot_();
  for (os::Datagram& datagram : *datagrams) state_.verdicts.add(answer(socket, datagram, snapshot));
}

KernelStamp NtpEndpoints::received_at(const os::Datagram& datagram) {
  if (hardware_ != nullptr)
    if (const auto stamp = hardware_->received(datagram)) return *stamp;
  if (datagram.received) return {*datagram.received};
  return {os::wall_now(), 0, ntp::StampSource::daemon};
}

Verdict NtpEndpoints::answer(os::UdpSocket& socket, os::Datagram& datagram,
                             const clock::TimeSnapshot& snapshot) {
  const bool copy = std::find(data_plane_interfaces_.begin(), data_plane_interfaces_.end(),
                              datagram.interface_index) != data_plane_interfaces_.end();
  if (datagram.truncated) return copy ? Verdict::other_dataplane : Verdict::ntp_too_long;
  if (const auto refused = refuse_by_address(datagram, settings_.port))
    return copy ? Verdict::other_dataplane : *refused;
  // Also from a copy: no worker knows our associations.
  if (peers_ && peers_(datagram)) return Verdict::peer_packet;
  if (copy) return Verdict::other_dataplane;

  const KernelStamp received = received_at(datagram);
  const server::Message message{datagram.peer.address, datagram.peer.port, datagram.payload,
                                served_time(received.time)};
  const server::Answer answer = server::handle(message, snapshot, tables_.control_view(), state_);
  if (!is_ntp_answer(answer.verdict)) return answer.verdict;

  const auto reply = datagram.payload.first(answer.length);
  const ntp::Exchange& exchange = answer.exchange;
  // Of the reply before, which this one tells of.
  const auto transmit_source =
      exchange.interleaved ? reply_stamps_.source_of(*exchange.entry) : ntp::StampSource::daemon;
  server::finish_reply(reply, answer.key, answer.exchange, served_time(os::wall_now()), snapshot, state_);
  const bool stamped = exchange.interleaved && *exchange.entry != 0;
  if (socket.send(reply, datagram.peer, datagram.local, datagram.interface_index, stamped) !=
      os::UdpSocket::SendResult::sent)
    return Verdict::transmit_failed;
  if (stamped) reply_stamps_.expect(reply, exchange.entry, snapshot.epoch);
  state_.stamps.add(counted_as(received.source));
  state_.stamps.add(sent_by(transmit_source));
  return answer.verdict;
}

bool NtpEndpoints::send(const os::Endpoint& to, std::span<const std::byte> message) {
  auto& slot = to.address.family == Family::ipv6 ? v6_ : v4_;
  return slot && slot->socket.send_stamped(message, to) == os::UdpSocket::SendResult::sent;
}

}  // namespace wiretime::control
