// SPDX-License-Identifier: BSD-3-Clause
#include "os/tcp_client.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "os/system_error.hpp"
#include "os/tcp_listener.hpp"

namespace wiretime::os {

namespace {

using Clock = std::chrono::steady_clock;
using State = TcpConnection::State;

// False: time is up.
bool wait_for(int fd, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd p{fd, events, 0};
    if (poll(&p, 1, static_cast<int>(left)) > 0) return true;
  }
}

Result<TcpConnection> connect_to(const Endpoint& server, Clock::time_point deadline) {
  const bool v6 = server.address.family == Family::ipv6;
  auto fd = make_socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, "TCP");
  if (!fd) return fail(fd.error().message);
  const auto address = to_system(server);
  if (connect(fd->get(), &address.base, system_length(server.address.family)) != 0) {
    if (errno != EINPROGRESS) return fail(errno_text());
    if (!wait_for(fd->get(), POLLOUT, deadline)) return fail("no answer in time");
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd->get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
      return fail(errno_text(error));
  }
  return TcpConnection{std::move(*fd), server};
}

}  // namespace

Result<std::string> ask_tcp(const Endpoint& server, std::string_view question,
                            std::chrono::milliseconds patience, std::size_t most) {
  const auto deadline = Clock::now() + patience;
  auto connection = connect_to(server, deadline);
  if (!connection) return tl::make_unexpected(connection.error());
  while (!question.empty()) {
    if (!wait_for(connection->fd(), POLLOUT, deadline)) return fail("no answer in time");
    const auto sent = connection->send(std::as_bytes(std::span{question}));
    if (sent.state == State::closed) return fail(errno_text());
    question.remove_prefix(sent.bytes);
  }
  std::string answer;
  std::array<char, 65'536> buffer;
  for (;;) {
    if (!wait_for(connection->fd(), POLLIN, deadline)) return fail("no whole answer in time");
    errno = 0;
    const auto got = connection->receive(std::as_writable_bytes(std::span{buffer}));
    if (got.state == State::would_block) continue;
    if (got.state == State::closed) {
      if (errno != 0) return fail(errno_text());
      return answer;
    }
    if (answer.size() + got.bytes > most) return fail("the answer does not end");
    answer.append(buffer.data(), got.bytes);
  }
}

}  // namespace wiretime::os
