// SPDX-License-Identifier: BSD-3-Clause
// Sources with symmetric keys, packet by packet.
#include <map>

#include "base/bytes.hpp"
#include "catch.hpp"
#include "clock/virtual_clock.hpp"
#include "control/source_manager.hpp"
#include "ntp/keys.hpp"

using namespace wiretime;
using namespace wiretime::control;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kSha1 = 2, kSha512 = 4, kShort = 5, kUnknown = 9;

ntp::KeyTable some_keys() {
  return ntp::KeyTable{{test::make_key(1, ntp::KeyType::md5, test::from_text("0123456789")),
                        test::make_key(kSha1, ntp::KeyType::sha1, test::from_text("0123456789")),
                        test::make_key(3, ntp::KeyType::sha256, test::from_text("0123456789")),
                        test::make_key(kSha512, ntp::KeyType::sha512, test::from_text("0123456789")),
                        test::make_key(kShort, ntp::KeyType::md5, test::from_text("012345678"))}};
}

const IpAddress kServer = *IpAddress::parse("192.0.2.1");
const status::SourceAddress kAddress{kServer, {}};

// One source, and what it is sent.
class Wire final : public SourceHost {
 public:
  explicit Wire(std::uint32_t key_id, const std::function<void(NtpSource&)>& change = {}) {
    NtpSource source;
    source.name = "192.0.2.1";
    source.key_id = key_id;
    source.iburst = true;
    if (change) change(source);
    settings.sources = {source};
    SourceManager::Options options;
    options.keys = &keys;
    manager.emplace(settings, options, device, *this);
    manager->start();
  }

  Nanoseconds monotonic() const override { return now; }
  WallTime kernel_time() const override { return WallTime{1'800'000'000s} + now; }
  std::array<std::uint64_t, 3> random() override { return {++counter * 0x9E37'79B9'7F4A'7C15U, counter, 0}; }
  clock::Reference reference() const override { return {}; }
  bool serves_others() const override { return false; }
  bool send(SourceId, const os::Endpoint&, std::span<const std::byte> bytes, ntp::SocketUse) override {
    sent.emplace_back(bytes.begin(), bytes.end());
    return true;
  }
  void close_socket(SourceId) override {}
  void set_timer(SourceId, std::optional<Nanoseconds> at) override { timer = at; }
  void set_clock_timer(std::optional<Nanoseconds>) override {}
  bool has_route(const os::Endpoint&) override { return true; }
  void look_up(const std::string&, Family) override {}
  void log(os::LogLevel, const std::string& line) override { lines.push_back(line); }
  void clock_stepped() override {}
  void clock_updated() override {}
  void finish(bool) override {}

  // The next request, if one is sent.
  std::vector<std::byte> ask() {
    REQUIRE(timer);
    now = std::max(now, *timer);
    timer.reset();
    const std::size_t before = sent.size();
    manager->timer(1);
    return sent.size() > before ? sent.back() : std::vector<std::byte>{};
  }

  // A good answer to `request` but for its MAC; with that of key `id`, if not 0.
  std::vector<std::byte> answer(const std::vector<std::byte>& request, std::uint32_t id,
                                ntp::Mode mode = ntp::Mode::server) {
    std::vector<std::byte> m(ntp::kHeaderLength + ntp::kMaxMacLength);
    const std::uint8_t version = ntp::version(request.data());
    store_u8(m.data(), ntp::flags(0, version, mode));
    store_u8(m.data() + 1, 1);
    store_u8(m.data() + 3, 0xE6);
    std::copy_n(request.begin() + 40, 8, m.begin() + 24);
    ntp::set_timestamp(m.data(), ntp::offset::kReceive, NtpTimestamp::from(kernel_time()));
    ntp::set_timestamp(m.data(), ntp::offset::kTransmit, NtpTimestamp::from(kernel_time() + 1us));
    m.resize(id != 0 ? ntp::write_mac(*keys.find(id), m, ntp::kHeaderLength) : ntp::kHeaderLength);
    return m;
  }

  status::NtpData receive(const std::vector<std::byte>& message) {
    now += 1ms;
    manager->receive(1, {message, kernel_time(), {kServer, 123, 0}, *IpAddress::parse("192.0.2.9")});
    return *manager->ntp_data(kAddress);
  }

  bool said(const std::string& part) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }

  Settings settings;
  ntp::KeyTable keys = some_keys();
  clock::VirtualClock device;
  std::optional<SourceManager> manager;
  std::optional<Nanoseconds> timer;
  std::vector<std::vector<std::byte>> sent;
  std::vector<std::string> lines;
  Nanoseconds now = 1000s;
  std::uint64_t counter = 0;
};

constexpr unsigned kTest5 = 1U << 6;

}  // namespace

TEST_CASE("a source with a key is asked with a MAC and believed with one") {
  Wire w{kSha1};
  CHECK(w.lines.empty());
  const auto request = w.ask();
  REQUIRE(request.size() == 48 + 24);
  CHECK(ntp::version(request.data()) == 4);
  REQUIRE(ntp::verify_mac(w.keys, request, 48) != nullptr);
  CHECK(ntp::verify_mac(w.keys, request, 48)->id() == kSha1);
  const auto data = w.receive(w.answer(request, kSha1));
  CHECK(data.authenticated);
  CHECK(data.received_good == 1);
  CHECK(w.manager->source(0)->reachability == 1);
  CHECK(w.manager->select_data(0)->authenticated);
}

TEST_CASE("answers without its MAC, with another key's or with a wrong one are refused by test 5") {
  for (const std::uint32_t id : {0U, 1U}) {
    Wire w{kSha1};
    const auto request = w.ask();
    auto data = w.receive(w.answer(request, id));
    CHECK((data.tests & kTest5) == 0);
    CHECK(data.received == 1);
    CHECK(data.received_valid == 0);
    CHECK_FALSE(data.authenticated);
    auto forged = w.answer(request, kSha1);
    forged[33] ^= std::byte{1};
    data = w.receive(forged);
    CHECK((data.tests & kTest5) == 0);
    auto crypto_nak = w.answer(request, 0);
    crypto_nak.resize(52);
    CHECK(w.receive(crypto_nak).received_valid == 0);
    CHECK(w.receive(w.answer(request, kSha1)).received_good == 1);  // the exchange is still open
  }
}

TEST_CASE("a kiss that is not authenticated does not silence a source with a key") {
  Wire w{kSha1};
  const auto request = w.ask();
  auto kiss = w.answer(request, 0);
  store_u8(kiss.data(), ntp::flags(3, 4, ntp::Mode::server));
  store_u8(kiss.data() + 1, 0);
  store_be32(kiss.data() + 12, 0x44454E59);  // DENY
  w.receive(kiss);
  CHECK_FALSE(w.said("KoD"));
  CHECK(w.timer);
}

TEST_CASE("an answer with a MAC that was not asked for is refused") {
  Wire w{0};
  const auto request = w.ask();
  CHECK(request.size() == 48);
  CHECK((w.receive(w.answer(request, kSha1)).tests & kTest5) == 0);
  CHECK(w.receive(w.answer(request, 0)).received_good == 1);
}

TEST_CASE("a digest that version 4 would cut is asked for in version 3, unless a version is configured") {
  Wire v3{kSha512};
  const auto request = v3.ask();
  CHECK(request.size() == 48 + 68);
  CHECK(ntp::version(request.data()) == 3);
  CHECK(v3.receive(v3.answer(request, kSha512)).authenticated);

  Wire v4{kSha512, [](NtpSource& s) { s.version = 4; }};
  const auto cut = v4.ask();
  CHECK(cut.size() == 48 + 24);
  CHECK(ntp::version(cut.data()) == 4);
  CHECK(v4.receive(v4.answer(cut, kSha512)).authenticated);
}

TEST_CASE("the kernel's transmit time is found although a MAC ends the packet") {
  for (const std::uint32_t id : {0U, kSha1, kSha512}) {
    Wire w{id};
    const auto request = w.ask();
    std::vector<std::byte> frame(42);  // whatever the link puts before it
    frame.insert(frame.end(), request.begin(), request.end());
    w.manager->transmit_stamp(1, frame, w.kernel_time() + 3us);
    const auto data = w.receive(w.answer(request, id));
    CHECK(data.transmit_timestamping == 'K');
    CHECK(data.kernel_transmit_timestamps == 1);
    w.manager->transmit_stamp(1, std::vector<std::byte>(10), w.kernel_time());
  }
}

TEST_CASE("a source whose key is missing is not asked until rekey finds the key") {
  Wire w{kUnknown};
  CHECK(w.said("Key 9 used by source 192.0.2.1 is missing"));
  for (int i = 0; i < 5; ++i) CHECK(w.ask().empty());
  CHECK(w.manager->auth_data(kAddress)->key_bits == 0);
  w.lines.clear();
  w.manager->keys_changed();
  CHECK(w.said("is missing"));
  w.lines.clear();
  w.keys = ntp::KeyTable{{test::make_key(kUnknown, ntp::KeyType::md5, test::from_text("0123456789"))}};
  w.manager->keys_changed();
  CHECK(w.lines.empty());
  const auto request = w.ask();
  REQUIRE(request.size() == 48 + 20);
  CHECK(w.receive(w.answer(request, kUnknown)).authenticated);
  w.keys = {};
  w.manager->keys_changed();
  CHECK(w.ask().empty());
}

TEST_CASE("a key below 80 bits works and is warned about") {
  Wire w{kShort};
  CHECK(w.said("Key 5 used by source 192.0.2.1 is too short: 72 bits, at least 80 are safe"));
  CHECK(w.receive(w.answer(w.ask(), kShort)).authenticated);
}

TEST_CASE("chronyc authdata names a source's key") {
  const auto data = *Wire{kSha512}.manager->auth_data(kAddress);
  CHECK(data.mode == status::AuthMode::symmetric_key);
  CHECK(data.key_id == kSha512);
  CHECK(data.key_type == 5);
  CHECK(data.key_bits == 80);
  CHECK(Wire{0}.manager->auth_data(kAddress)->mode == status::AuthMode::none);
}

TEST_CASE("a peer with a key sends its MAC and refuses packets without") {
  Wire w{kSha1, [](NtpSource& s) { s.kind = NtpSource::Kind::peer; }};
  const auto request = w.ask();
  REQUIRE(request.size() == 72);
  const auto give = [&](std::uint32_t id) {
    const auto message = w.answer(request, id, ntp::Mode::symmetric_active);
    CHECK(w.manager->receive_symmetric(
        {message, w.kernel_time(), {kServer, 123, 0}, *IpAddress::parse("192.0.2.9")}));
    return *w.manager->ntp_data(kAddress);
  };
  w.now += 1ms;
  CHECK((give(0).tests & kTest5) == 0);
  CHECK(give(kSha1).authenticated);
}

TEST_CASE("chronyc adds a source with a key, but none with NTS") {
  Wire w{0};
  status::AddSource add;
  add.name = "192.0.2.2";
  add.port = 123;
  add.key_id = kUnknown;
  CHECK(w.manager->add(add) == status::Status::success);
  CHECK(w.said("Key 9 used by source 192.0.2.2 is missing"));
  add.name = "192.0.2.3";
  add.nts = true;
  CHECK(w.manager->add(add) == status::Status::not_enabled);
}

TEST_CASE("a source with nts is warned about once") {
  Wire w{0, [](NtpSource& s) { s.nts = true; }};
  REQUIRE(w.lines.size() == 1);
  CHECK(w.said("no NTS"));
  CHECK_FALSE(w.receive(w.answer(w.ask(), 0)).received_valid > 0);
}
