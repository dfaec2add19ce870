// SPDX-License-Identifier: BSD-3-Clause
// Interleaved mode (RFC 9769) as its clients see it, by the path for plain frames and by the general one.
#include <algorithm>
#include <random>

#include "catch.hpp"
#include "net/checksum.hpp"
#include "ntp/response.hpp"
#include "server/fixture.hpp"
#include "server/handler.hpp"

using namespace wiretime;
using net::test::ip;
using net::test::ipv6_spec;
using net::test::Spec;
using server::Feature;
using test::Fixture;

namespace {

constexpr NtpDuration kStay{1 << 16};  // what the fixture's replies take: 15 us

struct Reply {
  Verdict verdict{};
  std::uint64_t origin = 0;
  std::uint64_t receive = 0;
  std::uint64_t transmit = 0;
};

enum class Path { plain, general };

// A client's requests, each from the stamps the one before left it with.
class Client {
 public:
  Client(Fixture& server, Path path, Spec spec = {}) : server_{server}, path_{path}, spec_{std::move(spec)} {}

  Reply ask(std::uint64_t origin, std::uint64_t receive, std::uint64_t transmit) {
    auto m = test::ntp_request();
    store_be64(m.data() + ntp::offset::kOrigin, origin);
    store_be64(m.data() + ntp::offset::kReceive, receive);
    store_be64(m.data() + ntp::offset::kTransmit, transmit);
    if (path_ == Path::general) test::add_field(m, 0x2005, 32);  // makes it longer than a plain request
    auto frame = test::frame_with(spec_, m);
    server_.snapshot.anchor_time = server_.snapshot.anchor_time + NtpDuration{std::int64_t{1} << 32};
    Reply r;
    r.verdict = server_.answer(frame);
    if (!is_ntp_answer(r.verdict)) return r;
    CHECK(net::test::checksums_right(frame, spec_.l3(), 56));
    const std::byte* reply = frame.data() + spec_.l4() + 8;
    r.origin = load_be64(reply + ntp::offset::kOrigin);
    r.receive = load_be64(reply + ntp::offset::kReceive);
    r.transmit = load_be64(reply + ntp::offset::kTransmit);
    return r;
  }

 private:
  Fixture& server_;
  Path path_;
  Spec spec_;
};

std::uint64_t held(const Fixture& f) {
  return f.state.features.get(Feature::exchange_held);
}
std::uint64_t given_up(const Fixture& f) {
  return f.state.features.get(Feature::exchange_evicted);
}
std::uint64_t interleaved(const Fixture& f) {
  return f.state.features.get(Feature::interleaved);
}

// Not more than the noise below the precision away from each other.
bool close(std::uint64_t a, std::uint64_t b) {
  const auto mask = ntp::ReplyTemplate::noise_mask(-24);
  return (a > b ? a - b : b - a) <= mask;
}

}  // namespace

TEST_CASE("from its second request on an interleaved client is told when the reply before left") {
  for (const Path path : {Path::plain, Path::general}) {
    for (const Spec& spec : {Spec{}, ipv6_spec()}) {
      Fixture f;
      Client client{f, path, spec};
      Reply before = client.ask(0x1111, 0x2222, 0x3333);
      CHECK(before.origin == 0x3333);
      CHECK(interleaved(f) == 0);
      CHECK(held(f) == 1);
      for (std::uint64_t n = 1; n < 20; ++n) {
        const Reply now = client.ask(before.receive, 0x2222 + n, 0x3333 + 2 * n);
        REQUIRE(now.verdict == Verdict::answered);
        CHECK(now.origin == 0x2222 + n);
        CHECK((now.transmit & 1U) == 0);
        CHECK((now.receive & 1U) == 1);
        CHECK(close(now.transmit, before.receive + static_cast<std::uint64_t>(kStay.units)));
        CHECK(interleaved(f) == n);
        before = now;
      }
      CHECK(held(f) == 1);
    }
  }
}

TEST_CASE(
    "a request without an origin, or one whose receive and transmit stamps are the same, gets a basic "
    "reply") {
  for (const Path path : {Path::plain, Path::general}) {
    Fixture f;
    Client client{f, path};
    CHECK(client.ask(0, 0x2222, 0x3333).origin == 0x3333);
    CHECK(held(f) == 0);
    const Reply first = client.ask(1, 0x2222, 0x3333);
    const Reply same = client.ask(first.receive, 0x4444, 0x4444);
    CHECK(same.origin == 0x4444);
    CHECK(close(same.transmit, same.receive + static_cast<std::uint64_t>(kStay.units)));
    CHECK(interleaved(f) == 0);
  }
}

TEST_CASE("a client in basic mode, whose origin is when the reply before left, takes nobody's place") {
  for (const Path path : {Path::plain, Path::general}) {
    Fixture f;
    Client client{f, path};
    Reply before = client.ask(0, 0, 0x3333);
    for (std::uint64_t n = 0; n < 20; ++n) {
      before = client.ask(before.transmit, 0x2222 + n, 0x4444 + n);
      CHECK(before.origin == 0x4444 + n);
    }
    CHECK(held(f) == 0);
    CHECK(interleaved(f) == 0);
  }
}

TEST_CASE("across a step of the clock nobody is told of a reply before it") {
  Fixture f;
  Client client{f, Path::plain};
  const Reply first = client.ask(1, 0x2222, 0x3333);
  ++f.snapshot.epoch;
  const Reply second = client.ask(first.receive, 0x2222, 0x4444);
  CHECK(second.origin == 0x4444);
  CHECK(client.ask(second.receive, 0x5555, 0x6666).origin == 0x5555);
}

TEST_CASE("clients behind one address keep apart") {
  for (const Path path : {Path::plain, Path::general}) {
    Fixture f;
    std::vector<Client> clients(ntp::ExchangeLine::kEntries, Client{f, path});
    std::vector<Reply> before;
    for (Client& c : clients) before.push_back(c.ask(1, 0x2222, 0x3333));
    for (int round = 0; round < 3; ++round)
      for (std::size_t n = 0; n < clients.size(); ++n) {
        const Reply now = clients[n].ask(before[n].receive, 0x100 + n, 0x200 + n);
        CHECK(now.origin == 0x100 + n);
        CHECK(close(now.transmit, before[n].receive + static_cast<std::uint64_t>(kStay.units)));
        before[n] = now;
      }
    CHECK(interleaved(f) == 3 * clients.size());
    CHECK(held(f) == clients.size());
  }
}

TEST_CASE("a transmit time that becomes known better is the one that is told") {
  Fixture f;
  auto m = test::ntp_request();
  store_be64(m.data() + ntp::offset::kOrigin, 1);
  auto frame = test::frame_with(Spec{}, m);
  server::Frame one{frame.data(), static_cast<std::uint32_t>(frame.size()), f.snapshot.anchor_time};
  server::answer({&one, 1}, f.snapshot, f.tables, f.ours, f.state);
  server::finish({&one, 1}, f.snapshot.anchor_time + kStay, f.snapshot, f.state);
  REQUIRE(one.exchange.entry != nullptr);
  const NtpTimestamp receive = one.receive;
  const auto measured = receive + NtpDuration{1 << 20};
  server::remember(one.exchange, receive, measured, f.snapshot.epoch);
  const Reply next = Client{f, Path::plain}.ask(receive.value, 0x77, 0x88);
  CHECK(next.origin == 0x77);
  CHECK(next.transmit == (measured.value & ~std::uint64_t{1}));
}

TEST_CASE("a reply that left too late, or before its request, is not remembered") {
  using ntp::ExchangeLine;
  const NtpTimestamp t{0xEA00'0000'0000'0001U};
  CHECK_FALSE(ExchangeLine::is_reply(ExchangeLine::entry(t, t, 0)));
  CHECK_FALSE(ExchangeLine::is_reply(ExchangeLine::entry(t, t + NtpDuration{-1}, 0)));
  CHECK_FALSE(
      ExchangeLine::is_reply(ExchangeLine::entry(t, t + NtpDuration{ExchangeLine::kLongestStay + 1}, 0)));
  for (const std::int64_t stay : {std::int64_t{1}, std::int64_t{12345}, ExchangeLine::kLongestStay}) {
    ExchangeLine line;
    ntp::ExchangeTally tally;
    *line.room(0, tally) = ExchangeLine::entry(t, t + NtpDuration{stay}, 5);
    auto* const entry = line.find(t, 5);
    REQUIRE(entry != nullptr);
    CHECK(ExchangeLine::transmit(*entry, t).value == (t + NtpDuration{stay}).value);
    CHECK(line.find(t, 6) == nullptr);
    CHECK(line.find(t + NtpDuration{1}, 5) == nullptr);
  }
}

TEST_CASE("however many ask, nobody is told another's time") {
  Fixture f;
  std::mt19937_64 random{9769};
  constexpr std::size_t kClients = 20'000;  // more than the fixture's table has room for
  std::vector<Client> clients;
  for (std::uint32_t n = 0; n < kClients; ++n) {
    Spec spec = n % 2 == 0 ? Spec{} : ipv6_spec();
    spec.from = n % 2 == 0 ? IpAddress::v4(0xC000'0200U + n % 64) : spec.from;
    if (n % 2 != 0) store_be32(reinterpret_cast<std::byte*>(spec.from.bytes.data()) + 12, n + 9);
    clients.emplace_back(f, n % 3 == 0 ? Path::general : Path::plain, spec);
  }
  std::vector<std::uint64_t> receive(kClients, 1);
  std::size_t told = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::size_t n = random() % (i % 2 == 0 ? 100 : kClients);
    const Reply r = clients[n].ask(receive[n], 0x0BAD'0000'0000'0000U + n, 0x0BAD'F00D'0000'0000U + n);
    if (!is_ntp_answer(r.verdict)) continue;
    if (r.origin == 0x0BAD'0000'0000'0000U + n) {
      ++told;
      REQUIRE(close(r.transmit, receive[n] + static_cast<std::uint64_t>(kStay.units)));
    } else {
      REQUIRE(r.origin == 0x0BAD'F00D'0000'0000U + n);
    }
    receive[n] = r.receive;
  }
  CHECK(told == interleaved(f));
  CHECK(told > 1000);
}

TEST_CASE("of two replies with one receive timestamp, in one line, neither is told of") {
  using ntp::ExchangeLine;
  const NtpTimestamp t{0xEA00'0000'0000'0001U};
  ExchangeLine line;
  ntp::ExchangeTally tally;
  for (const std::int64_t stay : {1000, 2000}) {
    ExchangeLine::Entry* const entry = line.room(0, tally);
    *entry = ExchangeLine::entry(t, t + NtpDuration{stay}, 5);
  }
  CHECK(line.find(t, 5) == nullptr);
  CHECK(line.find(t, 5) == nullptr);  // nor the one that is left
  *line.room(0, tally) = ExchangeLine::entry(t, t + NtpDuration{3000}, 5);
  REQUIRE(line.find(t, 5) != nullptr);
  CHECK(ExchangeLine::transmit(*line.find(t, 5), t) == t + NtpDuration{3000});
}

TEST_CASE("a place that has nothing to tell is taken before another's, and counts once") {
  using ntp::ExchangeLine;
  ExchangeLine line;
  ntp::ExchangeTally tally;
  for (std::size_t i = 0; i < ExchangeLine::kEntries; ++i)
    *line.room(0, tally) = (i + 1) << ExchangeLine::kStayBits << ExchangeLine::kEpochBits << 1 | 7U;
  CHECK((tally.held == 8 && tally.evicted == 0));
  ExchangeLine::put(&line.entries()[5], ExchangeLine::kCleared);
  CHECK(line.room(2, tally) == &line.entries()[5]);
  CHECK(line.entries()[5] == ExchangeLine::kTaken);
  CHECK((tally.held == 8 && tally.evicted == 0));
  CHECK(line.room(10, tally) == &line.entries()[2]);
  CHECK((tally.held == 8 && tally.evicted == 1));
}

TEST_CASE("requests of one burst are remembered in places of their own") {
  ntp::ExchangeLine line;
  ntp::ExchangeTally tally;
  std::vector<ntp::ExchangeLine::Entry*> places;
  for (std::size_t i = 0; i < ntp::ExchangeLine::kEntries; ++i) places.push_back(line.room(0, tally));
  std::sort(places.begin(), places.end());
  CHECK(std::adjacent_find(places.begin(), places.end()) == places.end());
}

TEST_CASE("a million clients in interleaved mode are told when their replies left") {
  constexpr std::uint32_t kClients = 1 << 20;  // as many as there is room for
  constexpr std::uint32_t kFirst = 0x0A00'0000;
  constexpr std::size_t kPayload = 42;
  Fixture f;
  ntp::AccessRules rules;
  rules.set_everywhere(true, false);
  f.tables.access = ntp::AccessList{rules};
  f.snapshot.precision = -32;
  f.state.clients = std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{kClients, 0},
                                                       std::array<std::uint64_t, 2>{3, 4});
  const auto request = test::frame_with(Spec{}, test::ntp_request());
  std::vector<std::byte> bytes(server::kBurstSize * request.size());
  std::array<server::Frame, server::kBurstSize> frames;
  std::vector<std::uint64_t> told(kClients, 1);  // the receive timestamp of the reply before
  // Each was measured to leave at a time of its own.
  const auto measured = [&](std::uint32_t client) { return NtpDuration{100'000 + 2 * std::int64_t{client}}; };
  std::size_t exact = 0, basic = 0;
  for (int round = 0; round < 2; ++round)
    for (std::uint32_t first = 0; first < kClients; first += server::kBurstSize) {
      f.snapshot.anchor_time = f.snapshot.anchor_time + NtpDuration{1 << 12};
      for (std::uint32_t i = 0; i < server::kBurstSize; ++i) {
        std::byte* const frame = bytes.data() + i * request.size();
        std::copy(request.begin(), request.end(), frame);
        store_be32(frame + 26, kFirst + first + i);
        store_be16(frame + 24, net::update_checksum32(load_be16(frame + 24), Spec{}.from.v4_host_order(),
                                                      kFirst + first + i));
        store_be64(frame + kPayload + ntp::offset::kOrigin, told[first + i]);
        store_be64(frame + kPayload + ntp::offset::kReceive, 0x2222);
        store_be64(frame + kPayload + ntp::offset::kTransmit, 0x3333);
        store_be16(frame + 40, 0);  // no checksum
        frames[i] = {frame, static_cast<std::uint32_t>(request.size()), f.snapshot.anchor_time, {}, {}};
      }
      server::answer(frames, f.snapshot, f.tables, f.ours, f.state);
      server::finish(frames, f.snapshot.anchor_time + kStay, f.snapshot, f.state);
      for (std::uint32_t i = 0; i < server::kBurstSize; ++i) {
        const server::Frame& one = frames[i];
        const std::byte* const reply = bytes.data() + i * request.size() + kPayload;
        const std::uint64_t transmit = load_be64(reply + ntp::offset::kTransmit);
        if (round != 0 && load_be64(reply + ntp::offset::kOrigin) == 0x2222)
          exact += transmit == ((told[first + i] + static_cast<std::uint64_t>(measured(first + i).units)) &
                                ~std::uint64_t{1});
        else if (load_be64(reply + ntp::offset::kOrigin) == 0x3333)
          basic += round != 0 ? 1U : 0U;
        told[first + i] = load_be64(reply + ntp::offset::kReceive);
        if (one.exchange.entry != nullptr)
          server::remember(one.exchange, one.receive, one.receive + measured(first + i), f.snapshot.epoch);
      }
    }
  CHECK(exact + basic == kClients);          // nobody was told anything else
  CHECK(exact > kClients - kClients / 500);  // few share a line with more than it holds
  CHECK(interleaved(f) == exact);
  CHECK(held(f) > kClients - kClients / 500);
}

TEST_CASE("eight conversations at a time go as they would one by one") {
  // Two servers, of which one takes no frames together, and more clients than two lines hold: what they say
  // and what they remember is the same to the bit.
  constexpr std::uint32_t kFirst = 0x0A00'0000;
  constexpr std::uint32_t kClients = 48;
  constexpr std::size_t kPayload = 42;
  Fixture wide, narrow;
  narrow.state.wide = false;
  for (Fixture* f : {&wide, &narrow}) {
    ntp::AccessRules rules;
    rules.set_everywhere(true, false);
    f->tables.access = ntp::AccessList{rules};
    f->snapshot.precision = -32;
    f->state.clients =
        std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{8, 0}, std::array<std::uint64_t, 2>{3, 4});
  }
  const auto lines_of = [](Fixture& f) {
    std::vector<ntp::ExchangeLine::Entry> entries;
    for (std::uint32_t client = 0; client < kClients; ++client) {
      ntp::ExchangeLine& line = f.state.clients->exchanges(IpAddress::v4(kFirst + client));
      entries.insert(entries.end(), line.entries(), line.entries() + ntp::ExchangeLine::kEntries);
    }
    return entries;
  };
  std::mt19937_64 random{20261123};
  std::array<std::uint64_t, kClients> told;
  told.fill(1);
  std::size_t cleared = 0, evicted = 0, basic = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto now = wide.snapshot.anchor_time + NtpDuration{std::int64_t{round} << 32};
    const bool one_arrival = random() % 8 == 0;
    std::vector<std::vector<std::byte>> bytes;
    std::vector<std::uint32_t> senders;
    std::vector<NtpTimestamp> arrivals;
    for (std::size_t i = 0; i < server::kBurstSize; ++i) {
      Spec spec;
      senders.push_back(static_cast<std::uint32_t>(random() % kClients));
      spec.from = IpAddress::v4(kFirst + senders.back());
      auto m = test::ntp_request();
      const std::uint64_t origin = random() % 16 == 0 ? told[random() % kClients] : told[senders.back()];
      store_be64(m.data() + ntp::offset::kOrigin, random() % 8 == 0 ? random() | 1U : origin);
      if (random() % 16 == 0)  // as an empty place would have it, were it not empty
        store_be64(m.data() + ntp::offset::kOrigin, 1ULL << 32 | ntp::ExchangeLine::kMix);
      store_be64(m.data() + ntp::offset::kReceive, random());
      store_be64(m.data() + ntp::offset::kTransmit, random());
      if (random() % 16 == 0)
        std::copy_n(m.data() + ntp::offset::kReceive, 8, m.data() + ntp::offset::kTransmit);
      bytes.push_back(test::frame_with(spec, m));
      arrivals.push_back(now + NtpDuration{one_arrival ? 0 : static_cast<std::int64_t>(random() % 4096)});
    }
    // Many stay so long that they are just remembered, or just not.
    constexpr std::array<std::int64_t, 7> kStays{
        -1, 0, 1, 2, ntp::ExchangeLine::kLongestStay, ntp::ExchangeLine::kLongestStay + 1, 1 << 16};
    const NtpTimestamp leaves = arrivals[random() % arrivals.size()] + NtpDuration{kStays[random() % 7]};
    if (random() % 64 == 0)
      for (Fixture* f : {&wide, &narrow}) ++f->snapshot.epoch;
    const auto serve = [&](Fixture& f, std::vector<std::vector<std::byte>> frames) {
      std::vector<server::Frame> burst;
      for (std::size_t i = 0; i < frames.size(); ++i)
        burst.push_back({frames[i].data(), static_cast<std::uint32_t>(frames[i].size()), arrivals[i]});
      server::answer(burst, f.snapshot, f.tables, f.ours, f.state);
      server::finish(burst, leaves, f.snapshot, f.state);
      for (std::size_t i = 0; i < frames.size(); ++i) {
        REQUIRE(burst[i].exchange.entry != nullptr);
        CHECK(burst[i].receive.value == load_be64(frames[i].data() + kPayload + ntp::offset::kReceive));
      }
      return frames;
    };
    const auto before = lines_of(wide);
    const auto replies = serve(wide, bytes);
    REQUIRE(replies == serve(narrow, bytes));
    const auto after = lines_of(wide);
    REQUIRE(after == lines_of(narrow));
    REQUIRE(*wide.state.newest_exchange.load() == *narrow.state.newest_exchange.load());
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const std::byte* const reply = replies[i].data() + kPayload;
      told[senders[i]] = load_be64(reply + ntp::offset::kReceive);
      basic += std::equal(reply + ntp::offset::kOrigin, reply + ntp::offset::kOrigin + 8,
                          bytes[i].data() + kPayload + ntp::offset::kTransmit);
    }
    for (std::size_t i = 0; i < after.size(); ++i) {
      cleared += after[i] == ntp::ExchangeLine::kCleared && before[i] != after[i];
      evicted += (before[i] & ntp::ExchangeLine::kLongestStay) != 0 && before[i] != after[i];
    }
  }
  CHECK(held(wide) == held(narrow));
  CHECK(given_up(wide) == given_up(narrow));
  CHECK(given_up(wide) > 5000);
  CHECK(interleaved(wide) == interleaved(narrow));
  CHECK(interleaved(wide) > 5000);
  CHECK(basic > 5000);
  CHECK(cleared > 100);
  CHECK(evicted > 5000);
}

TEST_CASE("without a client log there is no interleaved mode") {
  for (const Path path : {Path::plain, Path::general}) {
    Fixture f;
    f.state.clients = nullptr;
    Client client{f, path};
    const Reply first = client.ask(1, 0x2222, 0x3333);
    CHECK(client.ask(first.receive, 0x2222, 0x4444).origin == 0x4444);
    CHECK(held(f) == 0);
  }
}
