// SPDX-License-Identifier: BSD-3-Clause
#include "os/udp_socket.hpp"

#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "os/kernel_clock.hpp"
#include "os/scheduling.hpp"

using namespace wiretime;
using namespace wiretime::os;
using namespace std::chrono_literals;
using Kind = SocketError::Kind;

namespace {

Endpoint on(const char* address, std::uint16_t port = 0) {
  return {*IpAddress::parse(address), port, 0};
}

UdpSocket open_on(const Endpoint& endpoint, const UdpOptions& options = {}) {
  auto socket = UdpSocket::open(endpoint, options);
  REQUIRE(socket);
  return std::move(*socket);
}

bool have_ipv6_loopback() {
  return UdpSocket::open(on("::1"), {}).has_value();
}

void wait_readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  REQUIRE(poll(&p, 1, 60'000) == 1);
}

void wait_stamped(int fd) {
  pollfd p{fd, POLLPRI, 0};  // the kernel says POLLERR, which needs no asking for
  REQUIRE(poll(&p, 1, 60'000) == 1);
}

// Keeps this thread on its CPU: what is sent from two of them may overtake each other.
struct StayHere {
  StayHere() {
    REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    REQUIRE(pin_this_thread(std::array{static_cast<unsigned>(sched_getcpu())}));
  }
  ~StayHere() { sched_setaffinity(0, sizeof before, &before); }
  StayHere(const StayHere&) = delete;
  StayHere& operator=(const StayHere&) = delete;
  cpu_set_t before{};
};

std::vector<std::byte> bytes(std::size_t length, unsigned first = 0) {
  std::vector<std::byte> out(length);
  for (std::size_t i = 0; i < length; ++i) out[i] = static_cast<std::byte>(first + i);
  return out;
}

std::span<Datagram> receive(UdpSocket& socket, ReceiveBatch& batch) {
  wait_readable(socket.fd());
  auto got = socket.receive_batch(batch);
  REQUIRE(got);
  return *got;
}

// A message from `client` that the kernel has stamped: it starts stamping a moment after the first socket
// asked, in a thread of its own, so the first messages may have no time.
Datagram receive_stamped(UdpSocket& client, UdpSocket& server, ReceiveBatch& batch) {
  for (int attempt = 0; attempt < 60'000; ++attempt) {
    REQUIRE(client.send(bytes(48), server.local()) == UdpSocket::SendResult::sent);
    const auto got = receive(server, batch);
    if (got[0].received) return got[0];
    std::this_thread::sleep_for(1ms);
  }
  FAIL("no message carried a receive time");
  return {};
}

void check_round_trip(const char* address) {
  auto server = open_on(on(address));
  auto client = open_on(on(address));
  ReceiveBatch batch;
  const auto request = bytes(48);
  REQUIRE(client.send(request, server.local()) == UdpSocket::SendResult::sent);
  const auto got = receive(server, batch);
  REQUIRE(got.size() == 1);
  CHECK(std::vector<std::byte>(got[0].payload.begin(), got[0].payload.end()) == request);
  CHECK(got[0].peer == client.local());
  CHECK(got[0].destination == *IpAddress::parse(address));
  CHECK(got[0].local == got[0].destination);
  CHECK(got[0].interface_index != 0);
  CHECK_FALSE(got[0].truncated);
  // The answer may overwrite the request.
  got[0].payload[0] = std::byte{0x24};
  REQUIRE(server.send(got[0].payload, got[0].peer, got[0].local, got[0].interface_index) ==
          UdpSocket::SendResult::sent);
  ReceiveBatch answers;
  const auto answer = receive(client, answers);
  REQUIRE(answer.size() == 1);
  CHECK(answer[0].payload[0] == std::byte{0x24});
  CHECK(answer[0].peer == server.local());
}

}  // namespace

TEST_CASE("an IPv4 request and its answer go round with addresses and interface") {
  check_round_trip("127.0.0.1");
}

TEST_CASE("an IPv6 request and its answer go round with addresses and interface") {
  if (!have_ipv6_loopback()) {
    WARN("skipped: this host has no IPv6 loopback");
    return;
  }
  check_round_trip("::1");
}

TEST_CASE("the answer leaves from the address the request came to") {
  auto server = open_on(on("0.0.0.0"));
  auto client = open_on(on("127.0.0.1"));
  ReceiveBatch batch;
  const auto request = bytes(48);
  REQUIRE(client.send(request, on("127.0.0.77", server.local().port)) == UdpSocket::SendResult::sent);
  const auto got = receive(server, batch);
  REQUIRE(got.size() == 1);
  CHECK(got[0].local == *IpAddress::parse("127.0.0.77"));
  REQUIRE(server.send(request, got[0].peer, got[0].local, got[0].interface_index) ==
          UdpSocket::SendResult::sent);
  CHECK(receive(client, batch)[0].peer.address == *IpAddress::parse("127.0.0.77"));
}

TEST_CASE("received messages carry the kernel's receive time") {
  auto server = open_on(on("127.0.0.1"));
  auto client = open_on(on("127.0.0.1"));
  REQUIRE(server.has_timestamps());
  ReceiveBatch batch;
  const auto before = wall_now();
  const auto received = *receive_stamped(client, server, batch).received;
  CHECK(received > before - 60s);  // the right clock and epoch
  CHECK(received < wall_now() + 60s);
}

TEST_CASE("a socket that stamps what it sends has the time and the message, before any answer") {
  for (const char* address : {"127.0.0.1", "::1"}) {
    if (IpAddress::parse(address)->family == Family::ipv6 && !have_ipv6_loopback()) continue;
    UdpOptions options;
    options.stamp_sends = true;
    auto server = open_on(on(address));
    auto client = open_on(on(address), options);
    REQUIRE(client.connect(server.local()));
    const auto before = wall_now();
    const auto request = bytes(48, 7);
    REQUIRE(client.send(request) == UdpSocket::SendResult::sent);
    wait_stamped(client.fd());
    ReceiveBatch batch;
    const auto stamps = client.transmit_stamps(batch);
    REQUIRE(stamps.size() == 1);
    REQUIRE(stamps[0].frame.size() > request.size());
    const auto sent = stamps[0].frame.last(request.size());
    CHECK(std::vector<std::byte>(sent.begin(), sent.end()) == request);
    CHECK(stamps[0].sent > before - 60s);
    CHECK(stamps[0].sent < wall_now() + 60s);
    CHECK(client.transmit_stamps(batch).empty());
    CHECK(receive(server, batch).size() == 1);
  }
}

TEST_CASE("where no hardware stamps, asking for its times changes nothing, and the way out is told") {
  for (const char* address : {"127.0.0.1", "::1"}) {
    if (IpAddress::parse(address)->family == Family::ipv6 && !have_ipv6_loopback()) continue;
    UdpOptions options;
    options.stamp_sends = true;
    options.hardware = true;
    auto server = open_on(on(address), options);
    auto client = open_on(on(address), options);
    REQUIRE(client.connect(server.local()));
    REQUIRE(client.send(bytes(48)) == UdpSocket::SendResult::sent);
    wait_stamped(client.fd());
    ReceiveBatch batch;
    const auto stamps = client.transmit_stamps(batch);
    REQUIRE(stamps.size() == 1);
    CHECK_FALSE(stamps[0].hardware);
    CHECK(stamps[0].interface_index == if_nametoindex("lo"));
    REQUIRE(receive(server, batch).size() == 1);
    auto plain = open_on(on(address));
    CHECK_FALSE(receive_stamped(plain, server, batch).hardware);
  }
}

TEST_CASE("only the message whose transmit time was asked for has one") {
  auto server = open_on(on("127.0.0.1"));
  auto client = open_on(on("127.0.0.1"));
  REQUIRE(client.send(bytes(48, 1), server.local()) == UdpSocket::SendResult::sent);
  REQUIRE(client.send_stamped(bytes(52, 2), server.local()) == UdpSocket::SendResult::sent);
  REQUIRE(client.send(bytes(48, 3), server.local()) == UdpSocket::SendResult::sent);
  wait_stamped(client.fd());
  ReceiveBatch batch;
  const auto stamps = client.transmit_stamps(batch);
  REQUIRE(stamps.size() == 1);
  CHECK(stamps[0].frame.last(52)[0] == std::byte{2});
}

TEST_CASE("a refused port neither hides a transmit time nor keeps the socket ready for ever") {
  UdpOptions options;
  options.stamp_sends = true;
  const auto closed = open_on(on("127.0.0.1")).local();
  auto client = open_on(on("127.0.0.1"), options);
  REQUIRE(client.connect(closed));
  REQUIRE(client.send(bytes(48)) == UdpSocket::SendResult::sent);
  ReceiveBatch batch;
  std::size_t stamps = 0;
  pollfd p{client.fd(), POLLIN | POLLPRI, 0};
  wait_stamped(client.fd());
  int rounds = 0;  // the refusal may come a moment later than the time
  for (; rounds < 5 && poll(&p, 1, 50) == 1; ++rounds) {
    stamps += client.transmit_stamps(batch).size();
    const auto received = client.receive_batch(batch);
    REQUIRE(received);
    CHECK(received->empty());
  }
  CHECK(stamps == 1);
  CHECK(rounds < 5);
}

TEST_CASE("without the options there is neither time nor local address") {
  UdpOptions options;
  options.timestamps = false;
  options.packet_info = false;
  auto server = open_on(on("127.0.0.1"), options);
  auto client = open_on(on("127.0.0.1"));
  ReceiveBatch batch;
  REQUIRE(client.send(bytes(48), server.local()) == UdpSocket::SendResult::sent);
  const auto got = receive(server, batch);
  CHECK_FALSE(got[0].received);
  CHECK(got[0].local.family == Family::unspecified);
  CHECK(got[0].interface_index == 0);
}

TEST_CASE("one call returns at most a batch, in order, and the rest waits") {
  UdpOptions options;
  options.receive_buffer = 1 << 20;
  auto server = open_on(on("127.0.0.1"), options);
  auto client = open_on(on("127.0.0.1"));
  const StayHere stay;
  constexpr std::size_t kSent = ReceiveBatch::kMessages + 6;
  for (unsigned i = 0; i < kSent; ++i)
    REQUIRE(client.send(bytes(48 + i, i), server.local()) == UdpSocket::SendResult::sent);
  ReceiveBatch batch;
  std::size_t seen = 0;
  while (seen < kSent) {
    const auto got = receive(server, batch);
    REQUIRE(got.size() <= ReceiveBatch::kMessages);
    for (const auto& message : got) {
      CHECK(message.payload.size() == 48 + seen);
      CHECK(message.payload[0] == static_cast<std::byte>(seen));
      ++seen;
    }
  }
  CHECK(server.receive_batch(batch)->empty());
}

TEST_CASE("a message longer than the buffer is marked truncated, one that just fits is not") {
  auto server = open_on(on("127.0.0.1"));
  auto client = open_on(on("127.0.0.1"));
  ReceiveBatch batch;
  REQUIRE(client.send(bytes(ReceiveBatch::kMaxLength + 1), server.local()) == UdpSocket::SendResult::sent);
  auto got = receive(server, batch);
  CHECK(got[0].truncated);
  CHECK(got[0].payload.size() == ReceiveBatch::kMaxLength);
  REQUIRE(client.send(bytes(ReceiveBatch::kMaxLength), server.local()) == UdpSocket::SendResult::sent);
  got = receive(server, batch);
  CHECK_FALSE(got[0].truncated);
  CHECK(got[0].payload.size() == ReceiveBatch::kMaxLength);
}

TEST_CASE("an empty message is a message") {
  auto server = open_on(on("127.0.0.1"));
  auto client = open_on(on("127.0.0.1"));
  ReceiveBatch batch;
  REQUIRE(client.send({}, server.local()) == UdpSocket::SendResult::sent);
  const auto got = receive(server, batch);
  REQUIRE(got.size() == 1);
  CHECK(got[0].payload.empty());
}

TEST_CASE("a port in use is said to be so, with the command that finds who uses it") {
  auto first = open_on(on("127.0.0.1"));
  const auto taken = first.local();
  const auto second = UdpSocket::open(taken, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == Kind::in_use);
  CHECK(second.error().message ==
        "cannot listen on UDP 127.0.0.1 port " + std::to_string(taken.port) +
            ": already in use by another program (find it with: ss -ulnp 'sport = :" +
            std::to_string(taken.port) + "')");
}

TEST_CASE("an address of another host cannot be bound, unless freely") {
  const auto refused = UdpSocket::open(on("192.0.2.123"), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Kind::no_such_address);
  CHECK(refused.error().message.find("192.0.2.123") != std::string::npos);
  UdpOptions options;
  options.free_bind = true;
  CHECK(UdpSocket::open(on("192.0.2.123"), options));
}

TEST_CASE("binding to an interface that does not exist names it") {
  UdpOptions options;
  options.bind_device = "wtnone0";
  const auto refused = UdpSocket::open(on("127.0.0.1"), options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Kind::no_such_interface);
  CHECK(refused.error().message.find("wtnone0") != std::string::npos);
}

TEST_CASE("bind errors become one line that says what to do") {
  const Endpoint any4 = on("0.0.0.0", 123), any6 = on("::", 123);
  CHECK(explain_bind("UDP", any4, EADDRINUSE).message ==
        "cannot listen on UDP port 123: already in use by another program (find it with: ss -ulnp 'sport = "
        ":123')");
  CHECK(explain_bind("TCP", any4, EADDRINUSE).message.find("ss -tlnp") != std::string::npos);
  CHECK(explain_bind("UDP", any4, EACCES).kind == Kind::no_permission);
  CHECK(explain_bind("UDP", any4, EACCES).message.find("CAP_NET_BIND_SERVICE") != std::string::npos);
  CHECK(explain_bind("UDP", any6, EADDRNOTAVAIL).kind == Kind::not_available);
  CHECK(explain_bind("UDP", on("::1", 323), EADDRNOTAVAIL).kind == Kind::not_available);
  CHECK(explain_bind("UDP", any6, EAFNOSUPPORT).kind == Kind::not_available);
  CHECK(explain_bind("UDP", on("2001:db8::1", 123), EADDRNOTAVAIL).kind == Kind::no_such_address);
}

TEST_CASE("an IPv6 socket leaves the IPv4 port of the same number free") {
  if (!have_ipv6_loopback()) {
    WARN("skipped: this host has no IPv6 loopback");
    return;
  }
  auto six = open_on(on("::"));
  CHECK(UdpSocket::open(on("0.0.0.0", six.local().port), {}));
}

TEST_CASE("endpoints print with brackets only around IPv6") {
  CHECK(on("192.0.2.1", 123).to_string() == "192.0.2.1:123");
  CHECK(on("2001:db8::1", 123).to_string() == "[2001:db8::1]:123");
}
