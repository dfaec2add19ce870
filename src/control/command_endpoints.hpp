// SPDX-License-Identifier: BSD-3-Clause
// Where chronyc knocks: a unix datagram socket with full access, and UDP 323 for monitoring. Decides who may
// ask, counts, and leaves the protocol to status::handle. Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "control/service_state.hpp"
#include "ntp/client_table.hpp"
#include "os/event_loop.hpp"
#include "os/files.hpp"
#include "os/udp_socket.hpp"
#include "os/unix_datagram.hpp"
#include "status/cmdmon.hpp"

namespace wiretime::control {

class CommandEndpoints {
 public:
  using AccessCheck = std::function<bool(const IpAddress&)>;
  using Clock = std::function<std::uint32_t()>;  // uptime, 1/16 s

  // All outlive this object. `clients` may be null (noclientlog).
  struct Context {
    os::EventLoop& loop;
    status::Report& report;
    status::Executor& executor;
    ntp::ClientTable* clients;
    ntp::RateLimit limit;
    CommandCounts& counts;
    AccessCheck allows;  // cmdallow; loopback is let in regardless
    Clock uptime;
  };
  CommandEndpoints(Context context, status::OpenCommands open_commands);
  CommandEndpoints(const CommandEndpoints&) = delete;
  CommandEndpoints& operator=(const CommandEndpoints&) = delete;
  ~CommandEndpoints();

  // UDP, while privileged: 323 is below 1024.
  [[nodiscard]] os::SocketResult<void> open_udp(const IpAddress& address, std::uint16_t port,
                                                const std::string& device);
  // After dropping privileges, so that the file belongs to the user we run as.
  [[nodiscard]] os::SocketResult<void> open_unix(const std::string& path);
  void close();

  [[nodiscard]] std::vector<std::string> listening() const;

 private:
  struct Udp {
    os::UdpSocket socket;
    std::uint16_t port;
    os::EventLoop::WatchId watch;
  };
  void receive_udp(std::size_t index);
  void receive_unix();
  void answer_udp(Udp& udp, const os::Datagram& datagram);

  Context context_;
  status::OpenCommands open_;
  std::vector<Udp> udp_;
  std::optional<os::UnixDatagramServer> unix_;
  os::EventLoop::WatchId unix_watch_ = os::EventLoop::WatchId::none;
  os::ReceiveBatch batch_;
};

}  // namespace wiretime::control
