// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/client_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/bytes.hpp"

namespace wiretime::ntp {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

template <typename T>
void increase(std::atomic<T>& counter) noexcept {
  const T value = counter.load(kRelaxed);
  if (value != static_cast<T>(-1)) counter.store(static_cast<T>(value + 1), kRelaxed);
}

std::array<std::uint64_t, 2> words(const IpAddress& a) noexcept {
  std::array<std::uint64_t, 2> w;
  std::memcpy(w.data(), a.bytes.data(), sizeof w);
  return w;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// log2 of an interval in 1/16 s, in quarter steps of log2 seconds; 0 counts as half a tick.
std::int8_t log2_quarters(std::uint32_t sixteenths) noexcept {
  if (sixteenths == 0) return -5 * 4;
  const int whole = 31 - std::countl_zero(sixteenths);
  // The two bits after the leading one, as a linear approximation of the fraction.
  const std::uint32_t fraction =
      whole >= 2 ? (sixteenths >> (whole - 2)) & 3U : (sixteenths << (2 - whole)) & 3U;
  return static_cast<std::int8_t>((whole - 4) * 4 + static_cast<int>(fraction));
}

// Moves a quarter of the way to the newest interval, at least one step: no request is without effect.
std::int8_t average(std::int8_t old, std::int8_t latest) noexcept {
  if (old == ClientRecord::kNoInterval) return latest;
  const int difference = latest - old;
  const int step = difference / 4 != 0 ? difference / 4 : (difference > 0) - (difference < 0);
  return static_cast<std::int8_t>(old + step);
}

}  // namespace

ClientTable::ClientTable(std::size_t max_records, std::array<std::uint64_t, 2> secret)
    : records_(std::bit_floor(std::max<std::size_t>(max_records / kWays, 1)) * kWays), secret_{secret} {}

std::size_t ClientTable::bucket_of(const IpAddress& address) const noexcept {
  const auto w = words(address);
  // The constants (wyhash's) make up for a secret of few bits.
  const std::uint64_t low = w[0] ^ secret_[0] ^ 0xA076'1D64'78BD'642FU;
  const std::uint64_t high =
      w[1] ^ secret_[1] ^ 0xE703'7ED1'A0B4'28DBU ^ static_cast<std::uint64_t>(address.family);
  const std::uint64_t hash = mix(mix(low, high), secret_[0] ^ 0x8EBC'6AF0'9C88'C6E3U);
  return (hash & (records_.size() / kWays - 1)) * kWays;
}

bool ClientTable::matches(const Record& r, const IpAddress& address) noexcept {
  const auto w = words(address);
  return r.family.load(kRelaxed) == static_cast<std::uint8_t>(address.family) &&
         r.address[0].load(kRelaxed) == w[0] && r.address[1].load(kRelaxed) == w[1];
}

ClientTable::Record& ClientTable::find_or_replace(const IpAddress& address, std::uint32_t uptime) noexcept {
  Record* const bucket = &records_[bucket_of(address)];
  Record* victim = bucket;
  std::uint32_t longest_silence = 0;
  for (std::size_t i = 0; i < kWays; ++i) {
    Record& r = bucket[i];
    if (matches(r, address)) return r;
    if (r.family.load(kRelaxed) == 0) {  // records fill from the front and are never emptied
      victim = &r;
      break;
    }
    const std::uint32_t silence =
        uptime - std::max(r.ntp.last_hit.load(kRelaxed), r.command.last_hit.load(kRelaxed));
    if (silence >= longest_silence) {
      longest_silence = silence;
      victim = &r;
    }
  }
  const bool was_empty = victim->family.load(kRelaxed) == 0;
  increase(was_empty ? used_ : evicted_);
  const std::uint32_t version = victim->version.load(kRelaxed);
  victim->version.store(version + 1, kRelaxed);
  const auto w = words(address);
  // Release, so that a reader who sees any of these sees the odd version as well.
  victim->address[0].store(w[0], kRelease);
  victim->address[1].store(w[1], kRelease);
  for (Use* use : {&victim->ntp, &victim->command}) {
    use->hits.store(0, kRelease);
    use->drops.store(0, kRelease);
    use->last_hit.store(0, kRelease);
    use->interval.store(ClientRecord::kNoInterval, kRelease);
  }
  victim->reset.store(false, kRelease);
  victim->family.store(static_cast<std::uint8_t>(address.family), kRelease);
  victim->version.store(version + 2, kRelease);
  return *victim;
}

void ClientTable::record_hit(const IpAddress& address, ClientService service, std::uint32_t uptime) noexcept {
  Record& r = find_or_replace(address, uptime);
  if (r.reset.load(kRelaxed)) {
    for (Use* use : {&r.ntp, &r.command}) {
      use->hits.store(0, kRelaxed);
      use->drops.store(0, kRelaxed);
    }
    r.reset.store(false, kRelaxed);
  }
  Use& use = service == ClientService::ntp ? r.ntp : r.command;
  const std::uint32_t last = use.last_hit.load(kRelaxed);
  if (last != 0) {
    const auto interval = average(use.interval.load(kRelaxed), log2_quarters(uptime - last));
    use.interval.store(interval, kRelaxed);
  }
  use.last_hit.store(uptime, kRelaxed);
  increase(use.hits);
}

void ClientTable::record_drop(const IpAddress& address, ClientService service,
                              std::uint32_t uptime) noexcept {
  Record& r = find_or_replace(address, uptime);
  increase(service == ClientService::ntp ? r.ntp.drops : r.command.drops);
}

std::optional<ClientRecord> ClientTable::at(std::size_t slot) const noexcept {
  const Record& r = records_[slot];
  const std::uint32_t version = r.version.load(kAcquire);
  const auto family = static_cast<Family>(r.family.load(kAcquire));
  if (family == Family::unspecified || (version & 1U) != 0) return std::nullopt;
  ClientRecord copy;
  copy.address.family = family;
  const std::array<std::uint64_t, 2> w{r.address[0].load(kAcquire), r.address[1].load(kAcquire)};
  std::memcpy(copy.address.bytes.data(), w.data(), sizeof w);
  const bool reset = r.reset.load(kAcquire);
  auto copy_use = [&](const Use& from, ClientRecord::Use& to) {
    to.hits = reset ? 0 : from.hits.load(kAcquire);
    to.drops = reset ? 0 : from.drops.load(kAcquire);
    to.last_hit = from.last_hit.load(kAcquire);
    to.interval = from.interval.load(kAcquire);
  };
  copy_use(r.ntp, copy.ntp);
  copy_use(r.command, copy.command);
  if (r.version.load(kRelaxed) != version) return std::nullopt;
  return copy;
}

std::optional<ClientRecord> ClientTable::find(const IpAddress& address) const noexcept {
  const std::size_t bucket = bucket_of(address);
  for (std::size_t slot = bucket; slot < bucket + kWays; ++slot)
    if (matches(records_[slot], address)) return at(slot);
  return std::nullopt;
}

void ClientTable::request_reset(std::size_t slot) noexcept {
  records_[slot].reset.store(true, kRelaxed);
}

}  // namespace wiretime::ntp
