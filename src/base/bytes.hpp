// SPDX-License-Identifier: BSD-3-Clause
// Big-endian loads and stores on raw bytes; the only way this code base reads or writes wire formats.
// Callers have checked bounds. Any thread; no allocation.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wiretime {

static_assert(std::endian::native == std::endian::little,
              "big-endian hosts are untested: add the identity case");

constexpr std::uint16_t byte_swap(std::uint16_t v) noexcept {
  return __builtin_bswap16(v);
}
constexpr std::uint32_t byte_swap(std::uint32_t v) noexcept {
  return __builtin_bswap32(v);
}
constexpr std::uint64_t byte_swap(std::uint64_t v) noexcept {
  return __builtin_bswap64(v);
}

template <typename U>
[[nodiscard]] inline U load_be(const std::byte* p) noexcept {
  U v;
  std::memcpy(&v, p, sizeof v);
  return byte_swap(v);
}

template <typename U>
inline void store_be(std::byte* p, U v) noexcept {
  v = byte_swap(v);
  std::memcpy(p, &v, sizeof v);
}

// As it stands in memory: for moving fields, comparing with constants and summing.
template <typename U>
[[nodiscard]] inline U load_raw(const std::byte* p) noexcept {
  U v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename U>
inline void store_raw(std::byte* p, U v) noexcept {
  std::memcpy(p, &v, sizeof v);
}

[[nodiscard]] inline std::uint8_t load_u8(const std::byte* p) noexcept {
  return std::to_integer<std::uint8_t>(*p);
}
inline void store_u8(std::byte* p, std::uint8_t v) noexcept {
  *p = std::byte{v};
}
[[nodiscard]] inline std::uint16_t load_be16(const std::byte* p) noexcept {
  return load_be<std::uint16_t>(p);
}
[[nodiscard]] inline std::uint32_t load_be32(const std::byte* p) noexcept {
  return load_be<std::uint32_t>(p);
}
[[nodiscard]] inline std::uint64_t load_be64(const std::byte* p) noexcept {
  return load_be<std::uint64_t>(p);
}
inline void store_be16(std::byte* p, std::uint16_t v) noexcept {
  store_be(p, v);
}
inline void store_be32(std::byte* p, std::uint32_t v) noexcept {
  store_be(p, v);
}
inline void store_be64(std::byte* p, std::uint64_t v) noexcept {
  store_be(p, v);
}

}  // namespace wiretime
