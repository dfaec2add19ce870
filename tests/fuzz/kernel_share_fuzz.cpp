// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a frame on a port that the kernel does not own, judged as a worker does it: what the kernel is
// given is whole, for this station, from another one, and none of the worker's own business.
#include <array>
#include <cstring>
#include <memory>

#include "net/kernel_share.hpp"
#include "require.hpp"
#include "server/burst.hpp"

using namespace wiretime;
using net::KernelShare;

namespace {

constexpr std::size_t kMacs = 2 * sizeof(net::MacAddress);

net::OwnAddresses owner() {
  net::OwnAddresses own;
  own.mac = {std::byte{0x02}, {}, {}, {}, {}, std::byte{0x01}};
  own.addresses = {IpAddress::v4(0xC000'0201U), *IpAddress::parse("2001:db8::1")};
  return own;
}

// As the worker's sort_out(): of frames that are no replies.
Verdict judge(std::span<std::byte> bytes, const net::OwnAddresses& own, bool time_known) {
  static server::WorkerState state{"fuzz", 0, {1, 2}, nullptr};
  static const server::Tables kTables;  // nobody is allowed
  clock::TimeSnapshot snapshot;
  snapshot.valid = time_known;
  server::Frame frame{bytes.data(), static_cast<std::uint32_t>(bytes.size()), {}, {}, {}};
  server::answer({&frame, 1}, snapshot, kTables, server::LocalAddresses{own.addresses}, state);
  if (frame.verdict != Verdict::not_ip && frame.verdict != Verdict::not_udp) return frame.verdict;
  std::uint32_t length = frame.length;
  return net::answer_neighbor(bytes, length, own);
}

void check(std::span<const std::byte> frame, Verdict verdict, const net::OwnAddresses& own) {
  const KernelShare share = net::kernel_share(frame, verdict, own);
  if (share == KernelShare::none) return;
  require(disposition(verdict) == Disposition::pass_on || verdict == Verdict::ntp_mode_response ||
          verdict == Verdict::peer_packet);
  require(frame.size() >= net::ethernet::kHeaderSize);
  const bool to_group = (frame[0] & std::byte{1}) != std::byte{0};
  require(to_group || std::memcmp(frame.data(), own.mac.data(), own.mac.size()) == 0);
  require(std::memcmp(frame.data() + own.mac.size(), own.mac.data(), own.mac.size()) != 0);
  const std::uint16_t type = load_be16(frame.data() + kMacs);
  if (type == net::ethernet::kTypeArp) require(share == KernelShare::vital);
  const bool may_be_vital = type == net::ethernet::kTypeArp || type == net::ethernet::kTypeIpv4 ||
                            type == net::ethernet::kTypeIpv6 || type == net::ethernet::kTypeVlan ||
                            type == net::ethernet::kTypeServiceVlan;
  if (share == KernelShare::vital && disposition(verdict) == Disposition::pass_on) require(may_be_vital);
}

}  // namespace

// The first byte: a verdict to ask with, whatever the frame is; its highest bit: whether the time is known.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 2048) return 0;
  static const net::OwnAddresses kOwn = owner();
  // Exactly as large as the frame, so that a read past the end is caught.
  const std::size_t length = size - 1;
  const auto buffer = std::make_unique<std::byte[]>(length);
  if (length > 0) std::memcpy(buffer.get(), data + 1, length);
  const std::span<std::byte> frame{buffer.get(), length};
  check(frame, static_cast<Verdict>((data[0] & 0x7FU) % kVerdictCount), kOwn);
  const Verdict verdict = judge(frame, kOwn, (data[0] & 0x80U) != 0);
  if (disposition(verdict) == Disposition::reply) return 0;
  require(std::memcmp(buffer.get(), data + 1, length) == 0);  // what is passed on is what came
  check(frame, verdict, kOwn);
  return 0;
}
