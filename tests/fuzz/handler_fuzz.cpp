// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a received Ethernet frame: the packet path must give one verdict, never grow the frame, never
// touch a byte outside it, and answer only what parses as a request.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "net/neighbor.hpp"
#include "ntp/mac.hpp"
#include "ntp/packet.hpp"
#include "require.hpp"
#include "server/burst.hpp"
#include "tests/unit/ntp/keys.hpp"

using namespace wiretime;

namespace {

std::unique_ptr<server::Tables> tables() {
  auto t = std::make_unique<server::Tables>();
  ntp::AccessRules rules;
  rules.set_everywhere(true, false);
  rules.set(*IpPrefix::of(IpAddress::v4(0x0A00'0000U), 24), false, false);
  t->access = ntp::AccessList{rules};
  t->keys = test::golden_keys();  // the corpus has requests made with them
  return t;
}

// The destination of the frame, if it has the shape of one: then the fuzzer need not guess our addresses.
server::LocalAddresses addresses_of(std::span<const std::byte> frame) {
  std::vector<IpAddress> ours{IpAddress::v4(0xC000'0201U)};
  for (std::size_t at : {14U, 18U, 22U}) {
    if (frame.size() >= at + 20) ours.push_back(IpAddress::v4(frame.data() + at + 16));
    if (frame.size() >= at + 40) ours.push_back(IpAddress::v6(frame.data() + at + 24));
  }
  return server::LocalAddresses{ours};
}

// The same frame eight times in a burst, which may be answered together: each ends as it does alone.
void answer_together(std::span<const std::byte> bytes, const server::Frame& alone,
                     const clock::TimeSnapshot& snapshot, const server::Tables& tables,
                     const server::LocalAddresses& ours, server::WorkerState& state) {
  constexpr std::size_t kCopies = 8;
  std::array<std::unique_ptr<std::byte[]>, kCopies> buffers;
  std::array<server::Frame, kCopies> burst;
  for (std::size_t i = 0; i < kCopies; ++i) {
    buffers[i] = std::make_unique<std::byte[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), buffers[i].get());
    burst[i].data = buffers[i].get();
    burst[i].length = static_cast<std::uint32_t>(bytes.size());
    burst[i].receive = {0xE000'0000'0000'0000U};
  }
  server::answer(burst, snapshot, tables, ours, state);
  for (const server::Frame& f : burst) require(f.verdict == alone.verdict);
  if (!is_ntp_answer(alone.verdict)) return;
  server::finish(burst, NtpTimestamp{0xE000'0000'0001'0000U}, snapshot, state);
  for (const server::Frame& f : burst) {
    require(f.length == alone.length);
    const std::byte* udp = f.plain_udp != nullptr ? f.plain_udp : f.data + f.parsed.udp_offset;
    net::ParsedFrame parsed;
    const Verdict v = net::parse({f.data, f.length}, load_be16(udp + 2), parsed);
    require(v != Verdict::ip_checksum_bad && v != Verdict::udp_checksum_bad && v != Verdict::frame_truncated);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  static const auto kTables = tables();
  static server::WorkerState state{
      "fuzz",
      0,
      {1, 2},
      std::make_unique<ntp::ClientTable>(ntp::ClientCapacity{}, std::array<std::uint64_t, 2>{3, 4})};
  clock::TimeSnapshot snapshot;
  snapshot.valid = true;
  snapshot.reference.leap = clock::Leap::none;
  snapshot.reference.stratum = 1;

  // Exactly as large as the frame, so that a read or write past the end is caught.
  const auto buffer = std::make_unique<std::byte[]>(size);
  if (size > 0) std::memcpy(buffer.get(), data, size);
  server::Frame frame{buffer.get(), static_cast<std::uint32_t>(size), {0xE000'0000'0000'0000U}, {}, {}};
  const auto ours = addresses_of({buffer.get(), size});
  server::answer({&frame, 1}, snapshot, *kTables, ours, state);
  answer_together({reinterpret_cast<const std::byte*>(data), size}, frame, snapshot, *kTables, ours, state);
  require(frame.verdict < Verdict::kCount);
  require(frame.length <= size);
  if (is_ntp_answer(frame.verdict)) {
    server::finish({&frame, 1}, NtpTimestamp{0xE000'0000'0001'0000U}, snapshot, state);
    const std::byte* udp =
        frame.plain_udp != nullptr ? frame.plain_udp : buffer.get() + frame.parsed.udp_offset;
    const std::byte* reply = udp + net::udp::kHeaderSize;
    const auto mode = ntp::mode(reply);
    require(mode == ntp::Mode::server || mode == ntp::Mode::symmetric_passive);
    const auto udp_length = load_be16(udp + 4);
    const auto request_length =
        load_be16(reinterpret_cast<const std::byte*>(data) + (udp - buffer.get()) + 4);
    require(udp_length <= request_length);
    const std::span<const std::byte> payload{reply, udp_length - 8U};
    if (frame.key != nullptr)
      require(ntp::verify_mac(kTables->keys, payload, ntp::kHeaderLength) == frame.key);
    else
      require(payload.size() == ntp::kHeaderLength);
    require((ntp::timestamp(reply, ntp::offset::kReceive).value & 1U) == 1);
    require((ntp::timestamp(reply, ntp::offset::kTransmit).value & 1U) == 0);
    net::ParsedFrame parsed;
    require(net::parse({buffer.get(), frame.length}, load_be16(udp), parsed) != Verdict::ip_checksum_bad);
    // A reply fed back gets no answer: two servers can never play ping-pong.
    server::Frame echo{buffer.get(), frame.length, {}, {}, {}};
    server::answer({&echo, 1}, snapshot, *kTables, addresses_of({buffer.get(), frame.length}), state);
    require(!is_ntp_answer(echo.verdict));
  } else {
    require(std::memcmp(buffer.get(), data, size) == 0);
  }
  return 0;
}
