// SPDX-License-Identifier: BSD-3-Clause
#include "control/command_endpoints.hpp"

#include <array>

namespace wiretime::control {

namespace {

constexpr int kUnixMessagesPerWakeUp = 16;

}  // namespace

CommandEndpoints::CommandEndpoints(Context context, status::OpenCommands open_commands)
    : context_{std::move(context)}, open_{open_commands} {}

CommandEndpoints::~CommandEndpoints() {
  close();
}

void CommandEndpoints::close() {
  for (const Udp& udp : udp_) context_.loop.unwatch(udp.watch);
  udp_.clear();
  if (unix_) context_.loop.unwatch(unix_watch_);
  unix_.reset();
}

os::SocketResult<void> CommandEndpoints::open_udp(const IpAddress& address, std::uint16_t port,
                                                  const std::string& device) {
  os::UdpOptions options;
  options.bind_device = device;
  options.timestamps = false;
  options.free_bind = !address.is_loopback() && !address.is_unspecified();
  auto socket = os::UdpSocket::open({address, port}, options);
  if (!socket) return tl::make_unexpected(socket.error());
  const std::size_t index = udp_.size();
  const auto watch =
      context_.loop.watch(socket->fd(), os::kReadable, [this, index](os::Ready) { receive_udp(index); });
  udp_.push_back({std::move(*socket), port, watch});
  return {};
}

os::SocketResult<void> CommandEndpoints::open_unix(const std::string& path) {
  auto socket = os::UnixDatagramServer::bind(path);
  if (!socket) return tl::make_unexpected(socket.error());
  unix_watch_ = context_.loop.watch(socket->fd(), os::kReadable, [this](os::Ready) { receive_unix(); });
  unix_.emplace(std::move(*socket));
  return {};
}

std::vector<std::string> CommandEndpoints::listening() const {
  std::vector<std::string> where;
  if (unix_) where.push_back(unix_->path());
  for (const Udp& udp : udp_) where.push_back(udp.socket.local().to_string());
  return where;
}

void CommandEndpoints::receive_udp(std::size_t index) {
  auto datagrams = udp_[index].socket.receive_batch(batch_);
  if (!datagrams) return;
  for (const os::Datagram& datagram : *datagrams) answer_udp(udp_[index], datagram);
}

void CommandEndpoints::answer_udp(Udp& udp, const os::Datagram& datagram) {
  const IpAddress& client = datagram.peer.address;
  // An answer to the very port that answers would come back as a request.
  if (datagram.peer.port == 0 || (client == datagram.local && datagram.peer.port == udp.port)) return;
  if (!client.is_loopback() && !context_.allows(client)) return;
  ++context_.counts.hits;
  if (context_.clients) {
    // Whoever is on this host has better ways to keep it busy.
    const auto random = std::uint64_t{datagram.peer.port} << 32 ^ context_.counts.hits;
    const auto admission = context_.clients->admit(
        client, context_.uptime(), client.is_loopback() ? ntp::RateLimit{} : context_.limit, random);
    if (admission != ntp::Admission::answer) {
      ++context_.counts.drops;
      return;
    }
  }
  const auto reply =
      status::handle(datagram.payload, status::Privilege::monitor, open_, context_.report, context_.executor);
  if (!reply.bytes().empty())
    udp.socket.send(reply.bytes(), datagram.peer, datagram.local, datagram.interface_index);
}

void CommandEndpoints::receive_unix() {
  std::array<std::byte, os::ReceiveBatch::kMaxLength> buffer;
  for (int i = 0; i < kUnixMessagesPerWakeUp && unix_; ++i) {
    const auto message = unix_->receive(buffer);
    if (!message) return;
    ++context_.counts.hits;
    const auto reply =
        status::handle(message->payload, status::Privilege::full, open_, context_.report, context_.executor);
    if (!reply.bytes().empty() && !message->peer_path.empty()) unix_->send(reply.bytes(), message->peer_path);
  }
}

}  // namespace wiretime::control
