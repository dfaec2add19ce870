// SPDX-License-Identifier: BSD-3-Clause
#include "control/metrics_endpoint.hpp"

#include <array>
#include <span>

#include "status/http.hpp"

namespace wiretime::control {

MetricsEndpoint::~MetricsEndpoint() {
  while (!connections_.empty()) close(connections_.begin());
  for (const Listener& l : listeners_) loop_.unwatch(l.watch);
}

os::SocketResult<void> MetricsEndpoint::open(const IpAddress& address, std::uint16_t port) {
  auto socket = os::TcpListener::open({address, port});
  if (!socket) return tl::make_unexpected(socket.error());
  const std::size_t index = listeners_.size();
  const auto watch = loop_.watch(socket->fd(), os::kReadable, [this, index](os::Ready) { accept(index); });
  listeners_.push_back({std::move(*socket), watch});
  return {};
}

std::vector<os::Endpoint> MetricsEndpoint::listening() const {
  std::vector<os::Endpoint> endpoints;
  for (const Listener& l : listeners_) endpoints.push_back(l.socket.local());
  return endpoints;
}

void MetricsEndpoint::accept(std::size_t listener) {
  auto socket = listeners_[listener].socket.accept();
  if (!socket) return;
  connections_.push_back(Connection{std::move(*socket), {}, {}, {}, {}, 0});
  const Place place = std::prev(connections_.end());
  place->watch =
      loop_.watch(place->socket.fd(), os::kReadable, [this, place](os::Ready) { progress(place); });
  place->timer = loop_.after(kTimeout, [this, place] { close(place); });
  if (connections_.size() == kMaxConnections) listen_for_more(false);
}

void MetricsEndpoint::progress(Place place) {
  const bool keep = place->response.empty() ? read_request(*place) : send_response(*place);
  if (!keep) close(place);
}

bool MetricsEndpoint::read_request(Connection& c) {
  std::array<char, 2048> buffer;
  const auto got = c.socket.receive(std::as_writable_bytes(std::span{buffer}));
  if (got.state == os::TcpConnection::State::would_block) return true;
  if (got.state == os::TcpConnection::State::closed) return false;
  c.request.append(buffer.data(), got.bytes);
  auto response = status::http_respond(c.request, report_);
  if (!response) return c.request.size() <= status::kMaxHttpRequest;
  c.response = std::move(*response);
  loop_.set_interest(c.watch, os::kWritable);
  return send_response(c);
}

bool MetricsEndpoint::send_response(Connection& c) {
  const auto rest = std::as_bytes(std::span{c.response}).subspan(c.sent);
  const auto sent = c.socket.send(rest);
  if (sent.state == os::TcpConnection::State::would_block) return true;
  if (sent.state == os::TcpConnection::State::closed) return false;
  c.sent += sent.bytes;
  return c.sent < c.response.size();
}

void MetricsEndpoint::close(Place place) {
  loop_.unwatch(place->watch);
  loop_.cancel(place->timer);
  const bool was_full = connections_.size() == kMaxConnections;
  connections_.erase(place);
  if (was_full) listen_for_more(true);
}

void MetricsEndpoint::listen_for_more(bool more) {
  for (const Listener& l : listeners_) loop_.set_interest(l.watch, more ? os::kReadable : os::Ready{});
}

}  // namespace wiretime::control
