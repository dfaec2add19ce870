// SPDX-License-Identifier: BSD-3-Clause
// The endpoints over real sockets on loopback, ephemeral ports only.
#include <algorithm>
#include <string>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "control/command_endpoints.hpp"
#include "control/metrics_endpoint.hpp"
#include "control/ntp_endpoints.hpp"
#include "control/status_report.hpp"
#include "ntp/packet.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

const IpAddress kLoopback = *IpAddress::parse("127.0.0.1");

std::unique_ptr<server::Tables> tables(bool allow) {
  ntp::AccessRules rules;
  if (allow) rules.set_everywhere(true, true);
  auto t = std::make_unique<server::Tables>();
  t->access = ntp::AccessList{rules};
  return t;
}

TimePublisher::Settings local_clock() {
  TimePublisher::Settings s;
  s.local.enabled = true;
  return s;
}

struct RefusingExecutor final : status::Executor {
  status::Outcome execute(const status::Command&) override {
    ++calls;
    return status::Status::success;
  }
  int calls = 0;
};

std::uint32_t hits(const ntp::ClientTable& clients) {
  const auto slot = clients.slot_of(kLoopback);
  return slot ? clients.at(*slot)->hits : 0;
}

// A daemon's worth of state, and a client socket of our own.
struct Bench {
  explicit Bench(bool allow = true)
      : loop{std::move(*os::EventLoop::create())},
        state{tables(allow),
              local_clock(),
              {1, 2},
              std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{}, std::array<std::uint64_t, 2>{3, 4})},
        client{std::move(*os::UdpSocket::open({kLoopback, 0}, {}))} {
    state.time.refresh_reference({}, 1s, os::wall_now());
  }

  // Runs until `client` has an answer, or `enough` says so, or nothing comes for a minute.
  std::vector<std::byte> answer(const std::function<bool()>& enough = {}) {
    std::vector<std::byte> got;
    os::ReceiveBatch batch;
    const auto watch = loop->watch(client.fd(), os::kReadable, [&](os::Ready) {
      const auto messages = client.receive_batch(batch);
      REQUIRE(messages);
      for (const auto& m : *messages) got.assign(m.payload.begin(), m.payload.end());
      loop->stop();
    });
    const auto check = loop->every(1ms, [&] {
      if (enough && enough()) loop->stop();
    });
    const auto limit = loop->after(60s, [&] { loop->stop(); });
    REQUIRE(loop->run());
    loop->cancel(check);
    loop->cancel(limit);
    loop->unwatch(watch);
    return got;
  }

  std::unique_ptr<os::EventLoop> loop;
  ServiceState state;
  StatusReport report{state};
  RefusingExecutor executor;
  os::UdpSocket client;
};

// A port that was free a moment ago: NtpEndpoints takes 0 for "never open".
std::uint16_t free_port() {
  return os::UdpSocket::open({kLoopback, 0}, {})->local().port;
}

struct NtpBench : Bench {
  explicit NtpBench(bool allow = true) : Bench{allow} {
    for (int tries = 0; tries < 100; ++tries) {  // another program may be quicker
      NtpEndpointSettings settings;
      settings.port = port = free_port();
      settings.address_v4 = kLoopback;
      ntp.emplace(
          *loop, state.channels.tables, state.kernel, [this] { return state.time.kernel_snapshot(2s); },
          settings);
      if (ntp->open(Family::ipv4)) return;
    }
    FAIL("no port is free for long enough");
  }
  void send(std::size_t length, ntp::Mode mode = ntp::Mode::client) {
    std::vector<std::byte> m(length);
    store_u8(m.data(), ntp::flags(0, 4, mode));
    store_be64(m.data() + ntp::offset::kTransmit, 0x1122'3344'5566'7788U);
    REQUIRE(client.send(m, {kLoopback, port}) == os::UdpSocket::SendResult::sent);
  }
  std::uint64_t count(Verdict v) const { return state.kernel.verdicts.get(v); }
  std::vector<std::byte> answer_or(Verdict v) {
    return answer([this, v] { return count(v) != 0; });
  }
  std::uint16_t port = 0;
  std::optional<NtpEndpoints> ntp;
};

os::Datagram datagram(const char* source, std::uint16_t port, const char* destination, const char* local) {
  os::Datagram d;
  d.peer = {*IpAddress::parse(source), port};
  if (*destination != '\0') d.destination = *IpAddress::parse(destination);
  d.local = *IpAddress::parse(local);
  return d;
}

}  // namespace

TEST_CASE("addresses alone decide that some datagrams are no requests") {
  const auto refused = [](const os::Datagram& d) { return refuse_by_address(d, 123); };
  CHECK(refused(datagram("192.0.2.2", 4000, "192.0.2.1", "192.0.2.1")) == std::nullopt);
  CHECK(refused(datagram("192.0.2.2", 123, "192.0.2.1", "192.0.2.1")) == std::nullopt);
  CHECK(refused(datagram("192.0.2.1", 4000, "192.0.2.1", "192.0.2.1")) == std::nullopt);
  CHECK(refused(datagram("127.0.0.1", 4000, "127.0.0.1", "127.0.0.1")) == std::nullopt);
  CHECK(refused(datagram("192.0.2.2", 4000, "", "192.0.2.1")) == std::nullopt);
  CHECK(refused(datagram("192.0.2.1", 123, "192.0.2.1", "192.0.2.1")) == Verdict::source_own_address);
  CHECK(refused(datagram("192.0.2.2", 0, "192.0.2.1", "192.0.2.1")) == Verdict::source_invalid);
  CHECK(refused(datagram("0.0.0.0", 4000, "192.0.2.1", "192.0.2.1")) == Verdict::source_invalid);
  CHECK(refused(datagram("224.0.1.1", 4000, "192.0.2.1", "192.0.2.1")) == Verdict::source_multicast);
  CHECK(refused(datagram("255.255.255.255", 4000, "192.0.2.1", "192.0.2.1")) == Verdict::source_multicast);
  CHECK(refused(datagram("ff02::101", 4000, "2001:db8::1", "2001:db8::1")) == Verdict::source_multicast);
  CHECK(refused(datagram("192.0.2.2", 4000, "192.0.2.255", "192.0.2.1")) == Verdict::link_broadcast);
  CHECK(refused(datagram("192.0.2.2", 4000, "224.0.1.1", "192.0.2.1")) == Verdict::link_broadcast);
}

TEST_CASE("a request over loopback is answered, counted and logged") {
  NtpBench b;
  b.send(48);
  const auto reply = b.answer();
  REQUIRE(reply.size() == 48);
  CHECK(ntp::mode(reply.data()) == ntp::Mode::server);
  CHECK(load_u8(reply.data() + ntp::offset::kStratum) == 10);
  CHECK(load_be64(reply.data() + ntp::offset::kOrigin) == 0x1122'3344'5566'7788U);
  const auto receive = ntp::timestamp(reply.data(), ntp::offset::kReceive);
  const auto transmit = ntp::timestamp(reply.data(), ntp::offset::kTransmit);
  CHECK((transmit - receive).units > 0);
  CHECK(b.count(Verdict::answered) == 1);
  CHECK(hits(*b.state.kernel.clients) == 1);
  CHECK(b.state.kernel.stamps.get(server::Stamp::transmit_daemon) == 1);
}

TEST_CASE("a packet to a peer leaves from the server's port and its transmit time is told") {
  NtpBench b;
  std::vector<std::byte> stamped;
  b.ntp->follow_sources([](WallTime t) { return t; }, [](const os::Datagram&) { return false; },
                        [&](std::span<const std::byte> frame, const KernelStamp& sent) {
                          CHECK(std::chrono::abs(sent.time - os::wall_now()) < 60s);
                          stamped.assign(frame.begin(), frame.end());
                        });
  const std::vector<std::byte> packet(48, std::byte{0x5A});
  REQUIRE(b.ntp->send(b.client.local(), packet));
  CHECK(b.answer() == packet);
  if (stamped.empty()) b.answer([&] { return !stamped.empty(); });
  REQUIRE(stamped.size() > packet.size());
  CHECK(std::equal(packet.rbegin(), packet.rend(), stamped.rbegin()));
}

TEST_CASE("a refused client gets nothing and is counted") {
  NtpBench b{false};
  b.send(48);
  CHECK(b.answer_or(Verdict::denied).empty());
  CHECK(b.count(Verdict::denied) == 1);
}

TEST_CASE("a message longer than the receive buffer is too long, not cut to size") {
  NtpBench b;
  b.send(4000);
  CHECK(b.answer_or(Verdict::ntp_too_long).empty());
  CHECK(b.count(Verdict::ntp_too_long) == 1);
}

TEST_CASE("the kernel's copy of what a data plane answers is not answered twice") {
  NtpBench b;
  b.ntp->leave_to_data_plane({1});  // lo
  b.send(48);
  CHECK(b.answer_or(Verdict::other_dataplane).empty());
  CHECK(b.count(Verdict::other_dataplane) == 1);
}

TEST_CASE("a peer's packet is heard also as the kernel's copy of what a data plane saw") {
  NtpBench b;
  b.ntp->leave_to_data_plane({1});  // lo
  b.ntp->follow_sources([](WallTime t) { return t; }, [](const os::Datagram&) { return true; }, {});
  b.send(48);
  CHECK(b.answer_or(Verdict::peer_packet).empty());
  CHECK(b.count(Verdict::peer_packet) == 1);
}

TEST_CASE("port 0 never opens") {
  Bench b;
  NtpEndpoints ntp{*b.loop,
                   b.state.channels.tables,
                   b.state.kernel,
                   [] { return clock::TimeSnapshot{}; },
                   {0, {}, {}, {}, 0}};
  CHECK(ntp.open(Family::ipv4));
  CHECK_FALSE(ntp.is_open(Family::ipv4));
}

TEST_CASE("a port that is taken is an error that says so") {
  NtpBench b;
  NtpEndpoints second{*b.loop,
                      b.state.channels.tables,
                      b.state.kernel,
                      [] { return clock::TimeSnapshot{}; },
                      {b.port, kLoopback, {}, {}, 0}};
  const auto opened = second.open(Family::ipv4);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == os::SocketError::Kind::in_use);
}

namespace {

struct CommandBench : Bench {
  CommandBench()
      : endpoints{{*loop,
                   report,
                   executor,
                   state.command_clients.get(),
                   {},
                   state.command_counts,
                   [](const IpAddress&) { return false; },
                   [] { return 16U; }},
                  status::OpenCommands::stable()} {}
  static std::vector<std::byte> request(status::RequestCode code, std::size_t length) {
    std::vector<std::byte> m(length);
    store_u8(m.data(), 6);
    store_u8(m.data() + 1, 1);
    store_be16(m.data() + 4, static_cast<std::uint16_t>(code));
    store_be32(m.data() + 8, 0xCAFE);
    return m;
  }
  CommandEndpoints endpoints;
};

std::uint16_t reply_status(const std::vector<std::byte>& reply) {
  return load_be16(reply.data() + 8);
}

}  // namespace

TEST_CASE("monitoring over UDP works from loopback whatever cmdallow says, commands do not") {
  CommandBench b;
  std::uint16_t port = free_port();
  for (int tries = 0; tries < 100 && !b.endpoints.open_udp(kLoopback, port, ""); ++tries) port = free_port();
  b.client.send(CommandBench::request(status::RequestCode::tracking, 104), {kLoopback, port});
  const auto tracking = b.answer();
  REQUIRE(tracking.size() == 104);
  CHECK(reply_status(tracking) == 0);
  b.client.send(CommandBench::request(status::RequestCode::shutdown, 40), {kLoopback, port});
  const auto refused = b.answer();
  REQUIRE(refused.size() == 28);
  CHECK(reply_status(refused) == static_cast<std::uint16_t>(status::Status::unauthorised));
  CHECK(b.executor.calls == 0);
  CHECK(b.state.command_counts.hits == 2);
  CHECK(hits(*b.state.command_clients) == 2);
}

namespace {

os::FileDescriptor connect_to(std::uint16_t port) {
  os::FileDescriptor fd{socket(AF_INET, SOCK_STREAM, 0)};
  const auto address = os::to_system({kLoopback, port});
  REQUIRE(connect(fd.get(), &address.base, os::system_length(Family::ipv4)) == 0);
  return fd;
}

}  // namespace

TEST_CASE("the metrics page is served, and more clients than connections wait their turn") {
  Bench b;
  MetricsEndpoint metrics{*b.loop, b.report};
  REQUIRE(metrics.open(kLoopback, 0));
  const std::uint16_t port = metrics.listening().at(0).port;
  constexpr std::size_t kClients = MetricsEndpoint::kMaxConnections + 4;
  std::vector<os::FileDescriptor> clients;
  // In two steps, as the kernel's queue of connections is short too.
  for (const std::size_t target : {kClients / 2, MetricsEndpoint::kMaxConnections}) {
    for (std::size_t i = 0; i < kClients / 2; ++i) clients.push_back(connect_to(port));
    b.answer([&] { return metrics.connections() == target; });
    CHECK(metrics.connections() == target);
  }
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const auto& c : clients)
    REQUIRE(write(c.get(), request.data(), request.size()) == static_cast<ssize_t>(request.size()));
  std::vector<std::string> pages(kClients);
  std::size_t finished = 0;
  std::size_t most = 0;
  std::vector<os::EventLoop::WatchId> watches(kClients);
  for (std::size_t i = 0; i < kClients; ++i)
    watches[i] = b.loop->watch(clients[i].get(), os::kReadable, [&, i](os::Ready) {
      most = std::max(most, metrics.connections());
      std::array<char, 4096> buffer;
      const ssize_t n = read(clients[i].get(), buffer.data(), buffer.size());
      if (n > 0) {
        pages[i].append(buffer.data(), static_cast<std::size_t>(n));
        return;
      }
      b.loop->unwatch(watches[i]);
      if (++finished == kClients) b.loop->stop();
    });
  b.loop->after(60s, [&] { b.loop->stop(); });
  REQUIRE(b.loop->run());
  CHECK(finished == kClients);
  CHECK(most <= MetricsEndpoint::kMaxConnections);
  for (const std::string& page : pages) {
    CHECK(page.rfind("HTTP/1.1 200", 0) == 0);
    CHECK(page.find("\nchrony_up 1\n") != std::string::npos);
  }
  CHECK(metrics.connections() == 0);
}
