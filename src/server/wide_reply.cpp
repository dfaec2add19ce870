// SPDX-License-Identifier: BSD-3-Clause
#include "server/wide_path.hpp"

#ifdef __x86_64__

#include "server/wide_columns.hpp"

namespace wiretime::server::wide {

namespace {

using Ipv4 = Layout<net::PlainIpv4>;
using Ipv6 = Layout<net::PlainIpv6>;

// How the bytes of a reply come from those of its request: from some of them in another order, and fresh
// ones.
struct Rewrite {
  Column order;
  Column keep;
  Column fresh;

  WIDE_INLINE Column operator()(Column request) const noexcept {
    return and_or(_mm512_permutexvar_epi8(order, request), keep, fresh);
  }
};

constexpr long long word(std::uint64_t value) noexcept {
  return static_cast<long long>(value);
}
constexpr std::uint64_t kFreshUdp = std::uint64_t{byte_swap(Shape::kUdpLength)} << 32;
constexpr std::uint64_t kPorts = 0xFFFF'FFFFU;

// 64 bytes from the IPv4 source address to the message's end: addresses, UDP, message.
WIDE_INLINE Rewrite ipv4_rewrite(const ntp::ReplyTemplate::Head& head) noexcept {
  const Column order = _mm512_set_epi64(-1, -1, 0x3F3E'3D3C'3B3A'3938LL, -1, -1, 0x1716'1514'1312'1110LL,
                                        0x0F0E'0D0C'0908'0B0ALL, 0x0302'0100'0706'0504LL);
  return {order, _mm512_set_epi64(0, 0, -1, 0, 0, word(kVersion | kPoll), word(kPorts), -1),
          _mm512_set_epi64(0, 0, 0, word(head[2]), word(head[1]), word(head[0]), word(kFreshUdp), 0)};
}
constexpr __mmask64 kIpv4PollByte = __mmask64{1} << 18;
constexpr Mask kIpv4ReceiveWord = 1U << 6;

// 64 bytes from the IPv6 header on, to where the message has its reference time.
WIDE_INLINE Rewrite ipv6_rewrite(const Shape& shape, const ntp::ReplyTemplate::Head& head) noexcept {
  const Column order =
      _mm512_set_epi64(-1, 0x3736'3534'3332'3130LL, 0x2F2E'2D2C'2928'2B2ALL, 0x1716'1514'1312'1110LL,
                       0x0F0E'0D0C'0B0A'0908LL, 0x2726'2524'2322'2120LL, 0x1F1E'1D1C'1B1A'1918LL, -1);
  return {
      order, _mm512_set_epi64(0, word(kVersion | kPoll), word(kPorts), -1, -1, -1, -1, 0),
      _mm512_set_epi64(word(head[1]), word(head[0]), word(kFreshUdp), 0, 0, 0, 0, word(shape.reply_ipv6))};
}
constexpr __mmask64 kIpv6PollByte = __mmask64{1} << 50;

}  // namespace

WIDE void write(PlainBurst& burst, std::size_t from, std::size_t to,
                const ntp::ReplyTemplate& reply) noexcept {
  const Shape& shape = burst.shape;
  const auto& head = reply.head(Verdict::answered);
  const Rewrite ipv4 = ipv4_rewrite(head);
  const Rewrite ipv6 = ipv6_rewrite(shape, head);
  const Column least_poll = _mm512_set1_epi8(reply.least_poll());
  // MAC addresses swapped, type, and the first two bytes of an IPv4 header.
  const __m128i link_order = _mm_set_epi8(-1, -1, 13, 12, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6);
  const __m128i link_fresh = _mm_set_epi64x(word(shape.reply_ipv4 << 48), 0);
  const std::uint64_t ipv4_head = shape.reply_ipv4 >> 16 | std::uint64_t{Shape::kReplyTtlAndProtocol} << 48;
  for (std::size_t i = from; i < to; ++i) {
    if (burst.sums[i] == 0) continue;
    Frame& f = *burst.frames[i];
    std::byte* const data = f.data;
    const bool ipv6_frame = burst.checksums[i] == PlainBurst::kIpv6;
    const __m128i link = _mm_or_si128(_mm_shuffle_epi8(load_16(data), link_order), link_fresh);
    if (__builtin_expect(!ipv6_frame, true)) {
      std::byte* const source = data + Ipv4::kIp + Ipv4::kSource;
      Column m = ipv4(_mm512_loadu_si512(source));
      m = _mm512_mask_max_epi8(m, kIpv4PollByte, m, least_poll);
      m = _mm512_mask_set1_epi64(m, kIpv4ReceiveWord, word(burst.receives[i]));
      store_16(data, link);
      store_raw(data + 16, ipv4_head);
      store_raw(data + Ipv4::kIp + net::ipv4::kChecksum, static_cast<std::uint16_t>(burst.checksums[i]));
      _mm512_storeu_si512(source, m);
      f.length = Ipv4::kLength;
      f.plain_udp = data + Ipv4::kUdp;
      f.plain_ipv6 = false;
    } else {
      std::byte* const ip = data + Ipv6::kIp;
      Column m = ipv6(_mm512_loadu_si512(ip));
      m = _mm512_mask_max_epi8(m, kIpv6PollByte, m, least_poll);
      const __m128i times = _mm_set_epi64x(load_raw<std::int64_t>(data + Ipv6::kLength - 8), word(head[2]));
      store_16(data, link);
      _mm512_storeu_si512(ip, m);
      store_16(ip + 64, times);
      store_16(ip + 80, _mm_set_epi64x(0, word(burst.receives[i])));
      f.length = Ipv6::kLength;
      f.plain_udp = data + Ipv6::kUdp;
      f.plain_ipv6 = true;
    }
    f.verdict = Verdict::answered;
    f.key = nullptr;
    f.exchange = {};
    f.plain_sum = burst.sums[i];
  }
}

WIDE std::size_t finish(std::span<Frame> frames, std::span<const std::uint64_t> transmits,
                        std::uint64_t noise_mask, std::uint64_t random, Remembered& remembered) noexcept {
  Noise noise{random};
  std::size_t done = 0;
  for (; done + kGroup <= frames.size(); done += kGroup) {
    Frame* const f = frames.data() + done;
    Column sums = gather_from([&](std::size_t i) { return &f[i].plain_sum; });
    if (_mm512_test_epi64_mask(sums, sums) != kAll) break;
    const auto field = [&](std::size_t i, std::size_t offset) { return f[i].plain_udp + kUdpSize + offset; };
    bool some = false;
    for (std::size_t i = 0; i < kGroup; ++i) some |= f[i].exchange.entry != nullptr;
    Mask told = 0;  // when the reply before left
    if (__builtin_expect(some, false))
      told = static_cast<Mask>(remember(frames.subspan(done).first<kGroup>(),
                                        transmits.subspan(done).first<kGroup>(), remembered));
    if (told != kAll) {
      const Column origins = gather_from([&](std::size_t i) { return field(i, ntp::offset::kOrigin); });
      const Column times = _mm512_loadu_si512(&transmits[done]);
      Column stamps = blurred(times, noise_mask, noise.next(), false, origins);
      sums = _mm512_mask_add_epi64(sums, static_cast<Mask>(~told), sums, halves(stamps));
      if (told != 0)
        stamps = _mm512_mask_mov_epi64(
            stamps, told, gather_from([&](std::size_t i) { return field(i, ntp::offset::kTransmit); }));
      scatter_to([&](std::size_t i) { return field(i, ntp::offset::kTransmit); }, stamps);
    }
    Column udp = checksum(sums);
    udp = _mm512_mask_mov_epi64(udp, _mm512_testn_epi64_mask(udp, udp), all(0xFFFF));
    alignas(64) std::array<std::uint64_t, kGroup> checksums;
    _mm512_store_si512(checksums.data(), udp);
    for (std::size_t i = 0; i < kGroup; ++i)
      store_raw(f[i].plain_udp + net::udp::kChecksum, static_cast<std::uint16_t>(checksums[i]));
  }
  return done;
}

}  // namespace wiretime::server::wide

#else

namespace wiretime::server::wide {

void write(PlainBurst&, std::size_t, std::size_t, const ntp::ReplyTemplate&) noexcept {}
std::size_t finish(std::span<Frame>, std::span<const std::uint64_t>, std::uint64_t, std::uint64_t,
                   Remembered&) noexcept {
  return 0;
}

}  // namespace wiretime::server::wide

#endif
