// SPDX-License-Identifier: BSD-3-Clause
// The metrics page over TCP: few, small, short connections, one request each. Control thread.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "os/event_loop.hpp"
#include "os/tcp_listener.hpp"
#include "status/report.hpp"

namespace wiretime::control {

class MetricsEndpoint {
 public:
  static constexpr std::size_t kMaxConnections = 16;                // more wait in the kernel's backlog
  static constexpr Nanoseconds kTimeout = std::chrono::seconds{5};  // from accept to the last byte sent

  // Both outlive this object.
  MetricsEndpoint(os::EventLoop& loop, const status::Report& report) : loop_{loop}, report_{report} {}
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;
  ~MetricsEndpoint();

  [[nodiscard]] os::SocketResult<void> open(const IpAddress& address, std::uint16_t port);
  [[nodiscard]] std::vector<os::Endpoint> listening() const;
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  struct Listener {
    os::TcpListener socket;
    os::EventLoop::WatchId watch;
  };
  struct Connection {
    os::TcpConnection socket;
    os::EventLoop::WatchId watch = os::EventLoop::WatchId::none;
    os::EventLoop::TimerId timer = os::EventLoop::TimerId::none;
    std::string request;
    std::string response;
    std::size_t sent = 0;
  };
  using Place = std::list<Connection>::iterator;

  void accept(std::size_t listener);
  void progress(Place connection);
  [[nodiscard]] bool read_request(Connection& c);  // false: close
  [[nodiscard]] bool send_response(Connection& c);
  void close(Place connection);
  void listen_for_more(bool more);

  os::EventLoop& loop_;
  const status::Report& report_;
  std::vector<Listener> listeners_;
  std::list<Connection> connections_;
};

}  // namespace wiretime::control
