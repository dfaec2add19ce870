// SPDX-License-Identifier: BSD-3-Clause
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "catch.hpp"
#include "os/tcp_client.hpp"
#include "os/tcp_listener.hpp"
#include "os/unix_datagram.hpp"
#include "temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::os;
using Kind = SocketError::Kind;

namespace {

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

void wait_for(int fd, short events) {
  pollfd p{fd, events, 0};
  REQUIRE(poll(&p, 1, 60'000) == 1);
}

std::span<const std::byte> as_bytes(const char* text) {
  return std::as_bytes(std::span{text, std::strlen(text)});
}

std::string as_text(std::span<const std::byte> data) {
  std::string out(data.size(), '\0');
  std::memcpy(out.data(), data.data(), data.size());
  return out;
}

// A bound socket file that nobody has open any more, as a killed daemon leaves it.
void leave_stale_socket(const std::string& path) {
  SocketAddress address;
  address.local.sun_family = AF_UNIX;
  std::strcpy(address.local.sun_path, path.c_str());
  const FileDescriptor fd{socket(AF_UNIX, SOCK_DGRAM, 0)};
  REQUIRE(bind(fd.get(), &address.base, sizeof address.local) == 0);
}

}  // namespace

TEST_CASE("a peer's datagram is answered at the path it is bound to") {
  TemporaryDirectory dir;
  auto server = UnixDatagramServer::bind(dir / "server.sock");
  auto client = UnixDatagramServer::bind(dir / "client.sock");  // a bound unix socket is all a client needs
  REQUIRE(server);
  REQUIRE(client);
  std::array<std::byte, 64> buffer;
  CHECK_FALSE(server->receive(buffer));
  REQUIRE(client->send(as_bytes("request"), server->path()));
  const auto request = server->receive(buffer);
  REQUIRE(request);
  CHECK(as_text(request->payload) == "request");
  CHECK(request->peer_path == client->path());
  CHECK_FALSE(request->truncated);
  REQUIRE(server->send(as_bytes("reply"), request->peer_path));
  const auto reply = client->receive(buffer);
  REQUIRE(reply);
  CHECK(as_text(reply->payload) == "reply");
}

TEST_CASE("an unbound peer, a vanished peer and a long message are told apart") {
  TemporaryDirectory dir;
  auto server = UnixDatagramServer::bind(dir / "server.sock");
  REQUIRE(server);
  SocketAddress address;
  address.local.sun_family = AF_UNIX;
  std::strcpy(address.local.sun_path, server->path().c_str());
  const FileDescriptor unbound{socket(AF_UNIX, SOCK_DGRAM, 0)};
  REQUIRE(sendto(unbound.get(), "0123456789", 10, 0, &address.base, sizeof address.local) == 10);
  std::array<std::byte, 4> buffer;
  const auto message = server->receive(buffer);
  REQUIRE(message);
  CHECK(message->truncated);
  CHECK(message->payload.size() == 4);
  CHECK(message->peer_path.empty());
  CHECK_FALSE(server->send(as_bytes("x"), message->peer_path));
  CHECK_FALSE(server->send(as_bytes("x"), dir / "gone.sock"));
}

TEST_CASE("the socket's directory is made closed to others, and the file goes with the server") {
  TemporaryDirectory dir;
  const auto path = dir / "run/chrony/server.sock";
  {
    auto server = UnixDatagramServer::bind(path);
    REQUIRE(server);
    CHECK(mode_of(dir / "run/chrony") == 0770);
    CHECK((mode_of(path) & 07) == 0);
    auto moved = std::move(*server);
    CHECK(exists(path));
  }
  CHECK_FALSE(exists(path));
}

TEST_CASE("a stale socket is replaced, a living one is not") {
  TemporaryDirectory dir;
  const auto path = dir / "server.sock";
  leave_stale_socket(path);
  REQUIRE(exists(path));
  {
    auto first = UnixDatagramServer::bind(path);
    REQUIRE(first);
    const auto second = UnixDatagramServer::bind(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == Kind::in_use);
    CHECK(second.error().message.find(path) != std::string::npos);
    CHECK(exists(path));
  }
}

TEST_CASE("a file that is no socket is left alone") {
  TemporaryDirectory dir;
  const auto path = dir / "server.sock";
  std::ofstream{path} << "precious";
  const auto refused = UnixDatagramServer::bind(path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("not a socket") != std::string::npos);
  CHECK(exists(path));
}

TEST_CASE("another program's stream socket at the path is left alone") {
  TemporaryDirectory dir;
  const auto path = dir / "server.sock";
  SocketAddress address;
  address.local.sun_family = AF_UNIX;
  std::strcpy(address.local.sun_path, path.c_str());
  const FileDescriptor other{socket(AF_UNIX, SOCK_STREAM, 0)};
  REQUIRE(bind(other.get(), &address.base, sizeof address.local) == 0);
  REQUIRE(listen(other.get(), 1) == 0);
  const auto refused = UnixDatagramServer::bind(path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Kind::in_use);
  CHECK(exists(path));
}

TEST_CASE("a directory open to all users and a path too long are refused") {
  TemporaryDirectory dir;
  REQUIRE(mkdir((dir / "open").c_str(), 0755) == 0);
  REQUIRE(chmod((dir / "open").c_str(), 0755) == 0);
  const auto open = UnixDatagramServer::bind(dir / "open/server.sock");
  REQUIRE_FALSE(open);
  CHECK(open.error().message.find("chmod o-rwx") != std::string::npos);
  const auto longer = UnixDatagramServer::bind(dir / std::string(120, 'x'));
  REQUIRE_FALSE(longer);
  CHECK(longer.error().message.find("too long") != std::string::npos);
}

TEST_CASE("a TCP connection is accepted, read, answered and seen closing") {
  auto listener = TcpListener::open({*IpAddress::parse("127.0.0.1"), 0, 0});
  REQUIRE(listener);
  CHECK_FALSE(listener->accept());
  const FileDescriptor client{socket(AF_INET, SOCK_STREAM, 0)};
  const auto address = to_system(listener->local());
  REQUIRE(connect(client.get(), &address.base, sizeof address.v4) == 0);
  wait_for(listener->fd(), POLLIN);
  auto connection = listener->accept();
  REQUIRE(connection);
  CHECK(connection->peer() == bound_endpoint(client.get()));
  std::array<std::byte, 64> buffer;
  CHECK(connection->receive(buffer).state == TcpConnection::State::would_block);
  REQUIRE(write(client.get(), "GET", 3) == 3);
  wait_for(connection->fd(), POLLIN);
  const auto got = connection->receive(buffer);
  CHECK(got.state == TcpConnection::State::open);
  CHECK(as_text(std::span{buffer}.first(got.bytes)) == "GET");
  CHECK(connection->send(as_bytes("200")).bytes == 3);
  std::array<char, 4> answer{};
  REQUIRE(read(client.get(), answer.data(), 3) == 3);
  CHECK(std::string{answer.data()} == "200");
  shutdown(client.get(), SHUT_WR);
  wait_for(connection->fd(), POLLIN);
  CHECK(connection->receive(buffer).state == TcpConnection::State::closed);
}

TEST_CASE("a full connection says would_block, and a reset one closed, without SIGPIPE") {
  auto listener = TcpListener::open({*IpAddress::parse("127.0.0.1"), 0, 0});
  REQUIRE(listener);
  FileDescriptor client{socket(AF_INET, SOCK_STREAM, 0)};
  const auto address = to_system(listener->local());
  REQUIRE(connect(client.get(), &address.base, sizeof address.v4) == 0);
  wait_for(listener->fd(), POLLIN);
  auto connection = listener->accept();
  REQUIRE(connection);
  std::vector<std::byte> block(1 << 20);
  auto state = TcpConnection::State::open;
  for (int i = 0; i < 100 && state == TcpConnection::State::open; ++i) state = connection->send(block).state;
  CHECK(state == TcpConnection::State::would_block);
  client.reset();  // with data unread: a reset
  wait_for(connection->fd(), POLLIN);
  for (int i = 0; i < 2; ++i) state = connection->send(block).state;
  CHECK(state == TcpConnection::State::closed);
}

TEST_CASE("a TCP port in use is said to be so") {
  auto first = TcpListener::open({*IpAddress::parse("127.0.0.1"), 0, 0});
  REQUIRE(first);
  const auto second = TcpListener::open(first->local());
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == Kind::in_use);
  CHECK(second.error().message.find("TCP 127.0.0.1 port") != std::string::npos);
}

TEST_CASE("one question to a TCP server gets all that it says until it closes") {
  auto listener = TcpListener::open({IpAddress::v4(0x7F000001), 0});
  REQUIRE(listener);
  const Endpoint where = listener->local();
  const std::string long_answer(300'000, 'x');
  std::thread server{[&] {
    wait_for(listener->fd(), POLLIN);
    auto c = listener->accept();
    std::array<std::byte, 64> question;
    wait_for(c->fd(), POLLIN);
    (void)c->receive(question);
    for (std::size_t sent = 0; sent < long_answer.size();) {
      wait_for(c->fd(), POLLOUT);
      sent += c->send(as_bytes(long_answer.c_str() + sent)).bytes;
    }
  }};
  const auto answer = ask_tcp(where, "tell me", std::chrono::seconds{30}, 1'000'000);
  server.join();
  REQUIRE(answer);
  CHECK(*answer == long_answer);
}

TEST_CASE("a TCP server that is not there, or says nothing or too much, is an error that says so") {
  Endpoint nobody;
  {
    auto listener = TcpListener::open({IpAddress::v4(0x7F000001), 0});
    REQUIRE(listener);
    nobody = listener->local();
    // The kernel takes the connection and nobody answers.
    CHECK(ask_tcp(nobody, "well?", std::chrono::milliseconds{20}, 100).error().message ==
          "no whole answer in time");
    auto first = listener->accept();
    REQUIRE(first);
  }
  CHECK(ask_tcp(nobody, "well?", std::chrono::seconds{30}, 100).error().message == "Connection refused");

  auto listener = TcpListener::open({IpAddress::v4(0x7F000001), 0});
  REQUIRE(listener);
  std::thread server{[&] {
    wait_for(listener->fd(), POLLIN);
    auto c = listener->accept();
    std::array<std::byte, 64> question;
    wait_for(c->fd(), POLLIN);
    (void)c->receive(question);  // else closing would take the answer back
    (void)c->send(as_bytes("far more than was asked for"));
  }};
  CHECK(ask_tcp(listener->local(), "well?", std::chrono::seconds{30}, 10).error().message ==
        "the answer does not end");
  server.join();
}
