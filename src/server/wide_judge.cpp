// SPDX-License-Identifier: BSD-3-Clause
#include "server/wide_path.hpp"

#ifdef __x86_64__

#include <algorithm>

#include "server/wide_columns.hpp"

namespace wiretime::server::wide {

namespace {

// What the families have in common once their link and IP headers are looked at: they load it. Then each says
// whether its addresses and header are acceptable, for whom its access list is asked, and where clients are
// in the client log.
struct Group {
  Column flaws;      // any bit: not for us
  Column addresses;  // halves(), of both
  Column udp;
  Columns<6> message;
};

constexpr std::uint64_t kGroupAddress = std::uint64_t{1} | std::uint64_t{1} << 8 * net::ethernet::kSource;

struct WideIpv4 : Layout<net::PlainIpv4> {
  WIDE_INLINE Group load(const Frame* frames) noexcept {
    const auto head = four_columns(frames, 0);
    const auto rest = eight_columns(frames, kIp + kSource);
    both = rest[0];
    Group g;
    g.addresses = halves(both);
    g.udp = rest[1];
    for (std::size_t i = 0; i < 6; ++i) g.message[i] = rest[i + 2];
    constexpr std::uint64_t kTypeAndVersion = std::uint64_t{kEtherType} << 32 | (Shape::kIpv4Head & 0xFFU)
                                                                                    << 48;
    constexpr std::uint64_t kProtocol = std::uint64_t{net::protocol::kUdp} << 56;
    g.flaws = _mm512_and_si512(head[0], all(kGroupAddress));
    g.flaws = with_difference(g.flaws, head[1], kTypeAndVersion, 0x00FF'FFFF'0000'0000U);
    g.flaws = with_difference(g.flaws, head[2], Shape::kIpv4Head >> 16 | kProtocol,
                              Shape::kIpv4Mask >> 16 | std::uint64_t{0xFF} << 56);
    header = add(add(_mm512_srli_epi64(head[1], 48), _mm512_and_si512(head[3], all(0xFFFF))),
                 add(halves(head[2]), g.addresses));
    return g;
  }

  // To us, and from somebody.
  [[nodiscard]] WIDE_INLINE bool acceptable(const LocalAddresses& ours) const noexcept {
    const Column source = low_halves(both);
    const Column destination = _mm512_srli_epi64(both, 32);
    const Column network = _mm512_and_si512(both, all(0xFF));
    constexpr unsigned kLoopback = 127;
    constexpr unsigned kMulticast = 224;
    Mask good = verifies(header);
    good &= _mm512_cmplt_epu64_mask(_mm512_sub_epi64(network, all(1)), all(kMulticast - 1));
    good &= _mm512_cmpneq_epi64_mask(network, all(kLoopback));
    good &= _mm512_cmpneq_epi64_mask(source, destination);
    Mask to_us = 0;
    for (const std::uint32_t a : ours.raw_v4()) to_us |= _mm512_cmpeq_epi64_mask(destination, all(a));
    good &= to_us;
    for (const std::uint32_t a : ours.raw_known_v4()) good &= _mm512_cmpneq_epi64_mask(source, all(a));
    return good == kAll;
  }

  [[nodiscard]] static bool allows(const ntp::AccessList& access, const std::byte* source) noexcept {
    return access.allows_v4(load_be32(source));
  }

  // ClientTable::place_v4, of the `wanted`.
  WIDE_INLINE void place(const Frame*, Mask wanted, const ntp::ClientTable& clients,
                         ntp::ClientTable::Batch& batch, std::size_t at) const noexcept {
    using Place = ntp::ClientTable::Place;
    static_assert(sizeof(Place) == 16 && offsetof(Place, tag) == 8 && offsetof(Place, ipv6) == 12);
    const ntp::ClientTable::Placement p = clients.placement_v4();
    const Column host_order =
        _mm512_broadcast_i32x4(_mm_set_epi8(-1, -1, -1, -1, 8, 9, 10, 11, -1, -1, -1, -1, 0, 1, 2, 3));
    Column x = _mm512_xor_si512(_mm512_shuffle_epi8(both, host_order), all(p.whitener));
    x = _mm512_mul_epu32(x, all(p.multipliers[0]));
    x = _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
    x = _mm512_mul_epu32(x, all(p.multipliers[1]));
    x = _mm512_xor_si512(x, _mm512_srli_epi32(x, 15));
    const Column product = _mm512_mul_epu32(x, all(p.buckets));
    Column line = add(all(reinterpret_cast<std::uintptr_t>(p.lines)),
                      _mm512_slli_epi64(_mm512_srli_epi64(product, 31), 6));
    Column tag = and_or(product, all(p.tag_mask), all(p.in_use));
    if (wanted != kAll) {
      line = _mm512_maskz_compress_epi64(wanted, line);
      tag = _mm512_maskz_compress_epi64(wanted, tag);
    }
    const Column first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const Column second = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(&batch.places[at], _mm512_permutex2var_epi64(line, first, tag));
    _mm512_storeu_si512(&batch.places[at + 4], _mm512_permutex2var_epi64(line, second, tag));
  }

  [[nodiscard]] WIDE_INLINE Column checksums(const Shape& shape, Column addresses) const noexcept {
    return checksum(add(all(halves(shape.reply_ipv4_sum)), addresses));
  }

  Column both;    // addresses
  Column header;  // the sum under its checksum
};

struct WideIpv6 : Layout<net::PlainIpv6> {
  WIDE_INLINE Group load(const Frame* frames) noexcept {
    const auto rest = eight_columns(frames, kIp);
    const auto tail = four_columns(frames, kIp + 64);
    source_high = rest[1];
    source_low = rest[2];
    destination_high = rest[3];
    destination_low = rest[4];
    Group g;
    g.addresses = add(add(halves(source_high), halves(source_low)),
                      add(halves(destination_high), halves(destination_low)));
    g.udp = rest[5];
    g.message = {rest[6], rest[7], tail[0], tail[1], tail[2], tail[3]};
    const auto link = link_columns(frames);
    g.flaws = _mm512_and_si512(link[0], all(kGroupAddress));
    g.flaws = with_difference(g.flaws, link[1], std::uint64_t{kEtherType} << 32, std::uint64_t{0xFFFF} << 32);
    g.flaws = with_difference(g.flaws, rest[0], Shape::kIpv6Head, Shape::kIpv6Mask);
    return g;
  }

  [[nodiscard]] WIDE_INLINE bool acceptable(const LocalAddresses& ours) const noexcept {
    Mask good = _mm512_test_epi64_mask(source_high, source_high);
    good &= _mm512_cmpneq_epi64_mask(_mm512_and_si512(source_high, all(0xFF)), all(0xFF));
    const Column differs = _mm512_or_si512(_mm512_xor_si512(source_high, destination_high),
                                           _mm512_xor_si512(source_low, destination_low));
    good &= _mm512_test_epi64_mask(differs, differs);
    Mask to_us = 0;
    for (const auto& [high, low] : ours.raw_v6()) {
      to_us |= equal(destination_high, high, destination_low, low);
      good &= static_cast<Mask>(~equal(source_high, high, source_low, low));
    }
    good &= to_us;
    return good == kAll;
  }

  [[nodiscard]] static bool allows(const ntp::AccessList& access, const std::byte* source) noexcept {
    return access.allows_v6(load_be64(source), load_be64(source + 8));
  }

  WIDE_INLINE void place(const Frame* frames, Mask wanted, const ntp::ClientTable& clients,
                         ntp::ClientTable::Batch& batch, std::size_t at) const noexcept {
    for (unsigned left = wanted; left != 0; left &= left - 1) {
      const std::byte* const source = frames[__builtin_ctz(left)].data + kIp + kSource;
      batch.places[at] = clients.place_v6(source);
      batch.ipv6[at++] = source + kAddressSize;  // where it is once the reply is written
    }
  }

  [[nodiscard]] WIDE_INLINE Column checksums(const Shape&, Column) const noexcept {
    return all(PlainBurst::kIpv6);
  }

  Column source_high;
  Column source_low;
  Column destination_high;
  Column destination_low;

 private:
  WIDE_INLINE static Mask equal(Column high, std::uint64_t to_high, Column low,
                                std::uint64_t to_low) noexcept {
    return _mm512_mask_cmpeq_epi64_mask(_mm512_cmpeq_epi64_mask(high, all(to_high)), low, all(to_low));
  }
  // The first two words of the frames, in some order.
  WIDE_INLINE static Columns<2> link_columns(const Frame* frames) noexcept {
    Columns<2> r;
    for (std::size_t i = 0; i < 2; ++i) {
      const Frame* const f = frames + 4 * i;
      r[i] = _mm512_castsi128_si512(load_16(f[0].data));
      r[i] = _mm512_inserti64x2(r[i], load_16(f[1].data), 1);
      r[i] = _mm512_inserti64x2(r[i], load_16(f[2].data), 2);
      r[i] = _mm512_inserti64x2(r[i], load_16(f[3].data), 3);
    }
    return {_mm512_unpacklo_epi64(r[0], r[1]), _mm512_unpackhi_epi64(r[0], r[1])};
  }
};

struct Judge {
  PlainBurst& burst;
  const ntp::ReplyTemplate& reply;
  const Tables& tables;
  const LocalAddresses& ours;
  ntp::ClientTable* clients;
  Noise noise;
  std::uint64_t constant_sum;  // of what is the same in every reply, and not in an address

  WIDE_INLINE Judge(PlainBurst& b, const ntp::ReplyTemplate& r, const Tables& t, const LocalAddresses& o,
                    ntp::ClientTable* c, std::uint64_t random) noexcept
      : burst{b}, reply{r}, tables{t}, ours{o}, clients{c}, noise{random} {
    constant_sum = Shape::kPseudoSum + byte_swap(Shape::kUdpLength);
    for (const std::uint64_t word : reply.head(Verdict::answered)) constant_sum += halves(word);
  }

  // False: not for the wide path, and nothing was done.
  template <typename Family>
  [[nodiscard]] WIDE_INLINE bool group(Frame* f, std::size_t& count) noexcept {
    std::uint32_t shortest = f[0].length;
    for (std::size_t i = 1; i < kGroup; ++i) shortest = std::min(shortest, f[i].length);
    if (shortest < Family::kLength) return false;
    Family ip;
    Group g = ip.load(f);
    const auto& m = g.message;
    g.flaws = with_difference(g.flaws, g.udp, burst.shape.expected_udp, Shape::kUdpMask);
    // Client mode and version 1 to 4: six bits that are one of four values, 8 apart.
    constexpr std::uint64_t kFirst = ntp::flags(0, 1, ntp::Mode::client);
    const Column above = _mm512_sub_epi64(_mm512_and_si512(m[0], all(0x3F)), all(kFirst));
    g.flaws = _mm512_or_si512(g.flaws, _mm512_andnot_si512(all(0x18), above));
    if (_mm512_test_epi64_mask(g.flaws, g.flaws) != 0) return false;
    const Column origin = halves(m[5]);  // the reply's
    Column sum = add(add(g.addresses, halves(g.udp)), add(halves(m[0]), halves(m[1])));
    sum = add(sum,
              add(add(halves(m[2]), halves(m[3])), add(halves(m[4]), add(origin, all(Shape::kPseudoSum)))));
    Mask good = verifies(sum);
    good &= _mm512_test_epi64_mask(g.udp, all(0xFFFF));                       // source port
    good &= _mm512_test_epi64_mask(g.udp, all(std::uint64_t{0xFFFF} << 48));  // checksum
    if (good != kAll || !ip.acceptable(ours)) return false;

    const Mask allowed = ask_access_list<Family>(f);
    if (allowed == 0) return true;
    const Column arrivals = gather_from([&](std::size_t i) { return &f[i].receive.value; });
    const Column receives = blurred(arrivals, reply.noise_mask(), noise.next(), true, m[5]);
    const Column poll =
        _mm512_and_si512(_mm512_max_epi8(m[0], _mm512_set1_epi8(reply.least_poll())), all(kPoll));
    Column sums = add(add(all(constant_sum), g.addresses), add(low_halves(g.udp), origin));
    sums = add(add(sums, halves(receives)), and_or(m[0], all(kVersion), poll));
    const Column pointers =
        add(all(reinterpret_cast<std::uintptr_t>(f)),
            _mm512_set_epi64(7 * sizeof(Frame), 6 * sizeof(Frame), 5 * sizeof(Frame), 4 * sizeof(Frame),
                             3 * sizeof(Frame), 2 * sizeof(Frame), sizeof(Frame), 0));
    store(burst.frames.data() + count, allowed, pointers);
    store(burst.sums.data() + count, allowed, sums);
    store(burst.receives.data() + count, allowed, receives);
    store(burst.checksums.data() + count, allowed, ip.checksums(burst.shape, g.addresses));
    const auto kept = static_cast<std::size_t>(__builtin_popcount(allowed));
    if (clients != nullptr) {
      ip.place(f, allowed, *clients, burst.batch, count);
      for (std::size_t i = 0; i < kept; ++i) ntp::ClientTable::prefetch(burst.batch.places[count + i]);
      _mm512_storeu_si512(burst.lines.data() + count, all(0));
      const Mask interleaved = may_interleave(m[3]);
      if (__builtin_expect(interleaved != 0, false)) {
        find_lines(allowed, interleaved, count);
        store(burst.origins.data() + count, allowed, m[3]);
        store(burst.request_receives.data() + count, allowed, m[4]);
        store(burst.request_transmits.data() + count, allowed, m[5]);
        burst.some_interleave = true;
      }
    }
    count += kept;
    return true;
  }

  // InterleavingStamps::may_interleave.
  [[nodiscard]] WIDE_INLINE static Mask may_interleave(Column origins) noexcept {
    return _mm512_test_epi64_mask(origins, all(std::uint64_t{1} << 56));
  }
  WIDE_INLINE void find_lines(unsigned allowed, unsigned interleaved, std::size_t at) const noexcept {
    if (__builtin_expect((allowed & interleaved) == kAll, true)) {
      const auto line = [&](std::size_t i) { return &burst.batch.places[at + i].line; };
      _mm512_storeu_si512(&burst.lines[at], add(gather_from(line), all(clients->to_exchanges())));
      for (std::size_t i = 0; i < kGroup; ++i) burst.lines[at + i]->prefetch();
      return;
    }
    for (; allowed != 0; allowed &= allowed - 1, ++at) {
      if ((interleaved & allowed & -allowed) == 0) continue;
      burst.lines[at] = &clients->exchanges(burst.batch.places[at]);
      burst.lines[at]->prefetch();
    }
  }

  template <typename Family>
  [[nodiscard]] WIDE_INLINE Mask ask_access_list(Frame* f) const noexcept {
    unsigned allowed = 0;
    for (std::size_t i = 0; i < kGroup; ++i)
      allowed |=
          static_cast<unsigned>(Family::allows(tables.access, f[i].data + Family::kIp + Family::kSource))
          << i;
    for (unsigned denied = ~allowed & kAll; denied != 0; denied &= denied - 1) {
      Frame& frame = f[__builtin_ctz(denied)];
      frame.verdict = Verdict::denied;
      frame.plain_sum = 0;
    }
    return static_cast<Mask>(allowed);
  }

  // The `wanted` one after the other; what is behind them, up to eight words, is overwritten.
  template <typename Word>
  WIDE_INLINE static void store(Word* to, Mask wanted, Column words) noexcept {
    if (__builtin_expect(wanted != kAll, false)) words = _mm512_maskz_compress_epi64(wanted, words);
    _mm512_storeu_si512(to, words);
  }
};

}  // namespace

bool available() noexcept {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vbmi");
}

WIDE std::size_t judge(std::span<Frame> frames, PlainBurst& burst, std::size_t& count,
                       const ntp::ReplyTemplate& reply, const Tables& tables, const LocalAddresses& ours,
                       ntp::ClientTable* clients, std::uint64_t random) noexcept {
  Judge judge{burst, reply, tables, ours, clients, random};
  std::size_t done = 0;
  for (; done + kGroup <= frames.size(); done += kGroup) {
    Frame* const f = frames.data() + done;
    if (f->length < WideIpv4::kLength) break;
    const auto type = load_raw<std::uint16_t>(f->data + net::ethernet::kEtherType);
    if (type == WideIpv4::kEtherType) {
      if (!judge.group<WideIpv4>(f, count)) break;
    } else if (type != WideIpv6::kEtherType || !judge.group<WideIpv6>(f, count)) {
      break;
    }
  }
  return done;
}

}  // namespace wiretime::server::wide

#else

namespace wiretime::server::wide {

bool available() noexcept {
  return false;
}
std::size_t judge(std::span<Frame>, PlainBurst&, std::size_t&, const ntp::ReplyTemplate&, const Tables&,
                  const LocalAddresses&, ntp::ClientTable*, std::uint64_t) noexcept {
  return 0;
}

}  // namespace wiretime::server::wide

#endif
