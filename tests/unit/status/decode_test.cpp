// SPDX-License-Identifier: BSD-3-Clause
// What a stock chronyc sends, decoded to Commands.
#include "status/decode.hpp"

#include "base/bytes.hpp"
#include "catch.hpp"
#include "fake_report.hpp"
#include "golden_requests.hpp"
#include "status/cmdmon.hpp"

using namespace wiretime;
using namespace wiretime::status;
using fake::ip;

namespace {

std::variant<Command, Status> decode(const std::vector<std::byte>& request) {
  const auto code = static_cast<RequestCode>(load_be16(request.data() + 4));
  return decode_command(code, RequestReader{std::span{request}.subspan(kRequestHeader)});
}

template <typename T>
T command(std::string_view typed) {
  const auto decoded = decode(golden::request(typed));
  REQUIRE(std::holds_alternative<Command>(decoded));
  const auto* c = std::get_if<T>(&std::get<Command>(decoded));
  REQUIRE(c != nullptr);
  return *c;
}

struct AccessCase {
  std::string_view typed;
  bool command_port;
  bool allow;
  bool all;
  std::string_view prefix;  // empty: every address
};

// Overwrites one 32-bit word of the data part.
std::vector<std::byte> with_word(std::string_view typed, std::size_t at, std::uint32_t value) {
  auto request = golden::request(typed);
  store_be32(request.data() + kRequestHeader + at, value);
  return request;
}

}  // namespace

TEST_CASE("allow, deny, cmdallow and cmddeny keep list, action, all and prefix apart", "[decode]") {
  const AccessCase cases[] = {
      {"allow", false, true, false, ""},
      {"allow 10.0.0.0/8", false, true, false, "10.0.0.0/8"},
      {"allow all 2001:db8::/32", false, true, true, "2001:db8::/32"},
      {"deny", false, false, false, ""},
      {"deny 10.1.2.3", false, false, false, "10.1.2.3/32"},
      {"deny all 10.1/16", false, false, true, "10.1.0.0/16"},
      {"cmdallow", true, true, false, ""},
      {"cmdallow 192.0.2.0/24", true, true, false, "192.0.2.0/24"},
      {"cmdallow all", true, true, true, ""},
      {"cmddeny 192.0.2.1", true, false, false, "192.0.2.1/32"},
      {"cmddeny all", true, false, true, ""},
  };
  for (const AccessCase& c : cases) {
    CAPTURE(c.typed);
    const auto got = command<AllowDeny>(c.typed);
    CHECK(got.command_port == c.command_port);
    CHECK(got.allow == c.allow);
    CHECK(got.all == c.all);
    REQUIRE(got.prefix.has_value() == !c.prefix.empty());
    if (!c.prefix.empty()) {
      const auto slash = c.prefix.find('/');
      CHECK(got.prefix->address == ip(c.prefix.substr(0, slash)));
      CHECK(std::to_string(got.prefix->length) == c.prefix.substr(slash + 1));
    }
  }
}

TEST_CASE("a subnet that makes no sense is a bad subnet", "[decode]") {
  constexpr std::size_t kAtBits = 20;
  constexpr std::size_t kAtFamily = 16;
  const auto status = [](const std::vector<std::byte>& request) {
    const auto decoded = decode(request);
    return std::holds_alternative<Status>(decoded) ? std::get<Status>(decoded) : Status::success;
  };
  CHECK(status(with_word("allow 10.0.0.0/8", kAtBits, 32)) == Status::success);
  CHECK(status(with_word("allow 10.0.0.0/8", kAtBits, 33)) == Status::bad_subnet);
  CHECK(status(with_word("allow 10.0.0.0/8", kAtBits, 0xffffffff)) == Status::bad_subnet);
  CHECK(status(with_word("allow all 2001:db8::/32", kAtBits, 128)) == Status::success);
  CHECK(status(with_word("allow all 2001:db8::/32", kAtBits, 129)) == Status::bad_subnet);
  CHECK(status(with_word("allow", kAtBits, 1)) == Status::bad_subnet);
  CHECK(status(with_word("deny 10.1.2.3", kAtFamily, 3U << 16)) == Status::bad_subnet);
}

TEST_CASE("local of chronyc 4.3 has no waits, local of 4.6 has three", "[decode]") {
  const auto plain = command<Local>("local");
  CHECK(plain.on);
  CHECK(plain.stratum == 10);
  CHECK(plain.distance == 1.0);
  CHECK_FALSE(plain.orphan);
  CHECK_FALSE(plain.waits.has_value());

  const auto orphan = command<Local>("local stratum 5 distance 0.25 orphan");
  CHECK(orphan.stratum == 5);
  CHECK(orphan.distance == 0.25);
  CHECK(orphan.orphan);
  CHECK_FALSE(command<Local>("local off").on);

  auto newer = golden::request("local stratum 5 distance 0.25 orphan");
  newer.resize(48);
  store_be16(newer.data() + 4, static_cast<std::uint16_t>(RequestCode::local3));
  store_be32(newer.data() + 36, encode_float(0.5));
  store_be32(newer.data() + 40, encode_float(60));
  store_be32(newer.data() + 44, encode_float(300));
  const auto decoded = decode(newer);
  const auto& local = std::get<Local>(std::get<Command>(decoded));
  CHECK(local.distance == 0.25);
  REQUIRE(local.waits.has_value());
  CHECK(local.waits->activate == 0.5);
  CHECK(local.waits->wait_synced == 60);
  CHECK(local.waits->wait_unsynced == 300);
}

TEST_CASE("online, offline and burst name sources by address and mask", "[decode]") {
  const SourceAddress in_24{ip("192.0.2.77"), {}};
  const SourceAddress v6{ip("2001:db8::1"), {}};
  const SourceAddress unresolved{{}, 3};

  const auto all = command<Online>("online").sources;
  CHECK(all.selects(in_24));
  CHECK(all.selects(v6));
  CHECK(all.selects(unresolved));

  const auto host = command<Online>("online 192.0.2.1").sources;
  CHECK(host.selects({ip("192.0.2.1"), {}}));
  CHECK_FALSE(host.selects(in_24));

  const auto subnet = command<Online>("online 255.255.255.0/192.0.2.0").sources;
  CHECK(subnet.selects(in_24));
  CHECK_FALSE(subnet.selects({ip("192.0.3.1"), {}}));
  CHECK_FALSE(subnet.selects(v6));
  CHECK_FALSE(subnet.selects(unresolved));

  CHECK(command<Online>("online ffff::/2001::").sources.selects(v6));
  CHECK(command<Offline>("offline 192.0.2.1").sources.address.ip == ip("192.0.2.1"));
  command<OnOffline>("onoffline");

  const auto burst = command<Burst>("burst 1/2 255.255.0.0/10.1.0.0");
  CHECK(burst.good_samples == 1);
  CHECK(burst.total_samples == 2);
  CHECK(burst.sources.selects({ip("10.1.200.200"), {}}));
  CHECK_FALSE(burst.sources.selects({ip("10.2.0.0"), {}}));

  const SourceMask by_number{unresolved, {}};
  CHECK(by_number.selects(unresolved));
  CHECK_FALSE(by_number.selects({{}, 4}));
  CHECK_FALSE(by_number.selects(in_24));
}

TEST_CASE("the seven source parameters arrive with their value", "[decode]") {
  struct Case {
    std::string_view typed;
    SourceParameter parameter;
    double value;
  };
  const Case cases[] = {
      {"minpoll 192.0.2.1 -2", SourceParameter::min_poll, -2},
      {"maxpoll 192.0.2.1 9", SourceParameter::max_poll, 9},
      {"maxdelay 192.0.2.1 0.3", SourceParameter::max_delay, 0.3},
      {"maxdelayratio 192.0.2.1 1.5", SourceParameter::max_delay_ratio, 1.5},
      {"maxdelaydevratio 192.0.2.1 2.5", SourceParameter::max_delay_dev_ratio, 2.5},
      {"minstratum 192.0.2.1 4", SourceParameter::min_stratum, 4},
      {"polltarget 192.0.2.1 30", SourceParameter::poll_target, 30},
  };
  for (const Case& c : cases) {
    CAPTURE(c.typed);
    const auto got = command<ModifySource>(c.typed);
    CHECK(got.source.ip == ip("192.0.2.1"));
    CHECK(got.parameter == c.parameter);
    CHECK(got.value == Approx(c.value).epsilon(1e-7));
  }
}

TEST_CASE("add server carries every option", "[decode]") {
  const auto s = command<AddSource>(
      "add server 192.0.2.7 port 1234 iburst minpoll 3 maxpoll 5 key 9 prefer xleave maxdelay 0.5 "
      "offset -0.25 maxdelayquant 0.75");
  CHECK(s.kind == AddSource::Kind::server);
  CHECK(s.name == "192.0.2.7");
  CHECK(s.port == 1234);
  CHECK(s.min_poll == 3);
  CHECK(s.max_poll == 5);
  CHECK(s.presend_min_poll == 100);
  CHECK(s.poll_target == 8);
  CHECK(s.version == 0);
  CHECK(s.max_sources == 4);
  CHECK(s.min_samples == -1);
  CHECK(s.max_samples == -1);
  CHECK(s.key_id == 9);
  CHECK(s.nts_port == 4460);
  CHECK(s.max_delay == 0.5);
  CHECK(s.max_delay_ratio == 0);
  CHECK(s.max_delay_dev_ratio == 10);
  CHECK(s.asymmetry == 1);
  CHECK(s.offset == -0.25);
  CHECK(s.max_delay_quantile == 0.75);
  CHECK(s.max_unreach == 0);
  CHECK((s.online && s.iburst && s.prefer && s.interleaved));
  CHECK_FALSE((s.burst || s.auto_offline || s.no_select || s.trust || s.require || s.nts || s.copy));
  CHECK(s.family == Family::unspecified);

  const auto peer = command<AddSource>("add peer 192.0.2.8 offline noselect");
  CHECK(peer.kind == AddSource::Kind::peer);
  CHECK((peer.no_select && !peer.online));

  const auto pool = command<AddSource>("add pool 2001:db8::9 maxsources 3 nts trust certset 2");
  CHECK(pool.kind == AddSource::Kind::pool);
  CHECK(pool.name == "2001:db8::9");
  CHECK(pool.max_sources == 3);
  CHECK(pool.certificate_set == 2);
  CHECK((pool.nts && pool.trust && pool.online));
}

TEST_CASE("add source without a kind, or with a name that does not end, is refused", "[decode]") {
  constexpr std::string_view kTyped = "add peer 192.0.2.8 offline noselect";
  CHECK(std::get<Status>(decode(with_word(kTyped, 0, 0))) == Status::invalid);
  CHECK(std::get<Status>(decode(with_word(kTyped, 0, 4))) == Status::invalid);
  CHECK(std::get<Status>(decode(with_word(kTyped, 256, 1))) == Status::invalid_name);
}

TEST_CASE("clock, manual and smoothing commands keep their arguments", "[decode]") {
  CHECK(command<SetMakestep>("makestep 0.1 3").limit == 3);
  CHECK(command<SetMakestep>("makestep 0.1 3").threshold == Approx(0.1).epsilon(1e-7));
  CHECK(command<AdjustFrequency>("dfreq -0.75").ppm == -0.75);
  CHECK(command<AdjustOffset>("doffset 0.125").offset == 0.125);
  CHECK(command<SetMaxUpdateSkew>("maxupdateskew 12.5").ppm == 12.5);
  CHECK(command<SetReselectDistance>("reselectdist 0.5").distance == 0.5);
  CHECK(command<SetTime>("settime 2026-11-23 12:00:00").time == fake::at(1'795'435'200));
  CHECK(command<Manual>("manual off").action == Manual::Action::off);
  CHECK(command<Manual>("manual on").action == Manual::Action::on);
  CHECK(command<Manual>("manual reset").action == Manual::Action::reset);
  CHECK(command<ManualDelete>("manual delete 3").index == 3);
  CHECK(command<Smoothtime>("smoothtime reset").action == Smoothtime::Action::reset);
  CHECK(command<Smoothtime>("smoothtime activate").action == Smoothtime::Action::activate);
  CHECK(command<DeleteSource>("delete 192.0.2.1").source.ip == ip("192.0.2.1"));
  CHECK(std::get<Status>(decode(with_word("manual on", 0, 3))) == Status::invalid);
  CHECK(std::get<Status>(decode(with_word("smoothtime reset", 0, 2))) == Status::invalid);
}

TEST_CASE("a time no clock can hold is clamped, never overflows", "[decode]") {
  constexpr std::string_view kTyped = "settime 2026-11-23 12:00:00";
  auto far = with_word(kTyped, 0, 0x12345678);
  store_be32(far.data() + kRequestHeader + 8, 0xffffffff);
  const auto late = std::get<SetTime>(std::get<Command>(decode(far))).time;
  CHECK(late > fake::at(9'000'000'000));
  const auto early = std::get<SetTime>(std::get<Command>(decode(with_word(kTyped, 0, 0x80000000)))).time;
  CHECK(early < fake::at(-9'000'000'000));
  // A client with a 32-bit time_t.
  const auto same = std::get<SetTime>(std::get<Command>(decode(with_word(kTyped, 0, kNoHighSeconds)))).time;
  CHECK(same == fake::at(1'795'435'200));
}

TEST_CASE("commands without arguments decode to their own type", "[decode]") {
  command<Makestep>("makestep");
  command<Reselect>("reselect");
  command<RefreshSources>("refresh");
  command<ReloadSources>("reload sources");
  command<ResetSources>("reset sources");
  command<Dump>("dump");
  command<CycleLogs>("cyclelogs");
  command<Rekey>("rekey");
  command<WriteRtc>("writertc");
  command<TrimRtc>("trimrtc");
  command<Shutdown>("shutdown");
  CHECK(true);
}

TEST_CASE("selectopts and offset of newer clients name a source or a reference clock", "[decode]") {
  std::vector<std::byte> request(52);
  store_be16(request.data() + 4, static_cast<std::uint16_t>(RequestCode::modify_selectopts));
  store_be32(request.data() + 40, 0x50505330);
  store_be32(request.data() + 44, kAddPrefer | kAddTrust);
  store_be32(request.data() + 48, kAddTrust);
  const auto decoded = decode(request);
  const auto& options = std::get<SetSelectOptions>(std::get<Command>(decoded));
  CHECK(options.source == SourceAddress{});
  CHECK(options.reference_id == 0x50505330);
  CHECK(options.mask == (kAddPrefer | kAddTrust));
  CHECK(options.options == kAddTrust);

  request.resize(48);
  store_be16(request.data() + 4, static_cast<std::uint16_t>(RequestCode::modify_offset));
  store_be32(request.data() + kRequestHeader, 5);
  store_be16(request.data() + kRequestHeader + 16, 3);  // an unresolved source
  store_be32(request.data() + 44, encode_float(-0.5));
  const auto second = decode(request);
  const auto& offset = std::get<SetOffset>(std::get<Command>(second));
  CHECK(offset.source == SourceAddress{{}, 5});
  CHECK(offset.offset == -0.5);
}
