// SPDX-License-Identifier: BSD-3-Clause
// Command protocol version 6: codes, header layout and the bounds-checked cursor types that read a request
// and write a reply. All integers big-endian. Private to src/status; control thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "status/report.hpp"
#include "status/wire_float.hpp"

namespace wiretime::status {

inline constexpr std::uint8_t kProtocolVersion = 6;
inline constexpr std::uint8_t kOldestAnswerableVersion = 5;  // gets bad_packet_version; older gets silence
inline constexpr std::uint8_t kTypeRequest = 1;
inline constexpr std::uint8_t kTypeReply = 2;

inline constexpr std::size_t kRequestHeader = 20;
inline constexpr std::size_t kReplyHeader = 28;
inline constexpr std::size_t kMaxRequest = 860;  // longer datagrams are no request of any client
inline constexpr std::size_t kMaxReply = 520;    // client accesses

enum class RequestCode : std::uint16_t {
  null = 0,
  online = 1,
  offline = 2,
  burst = 3,
  modify_minpoll = 4,
  modify_maxpoll = 5,
  dump = 6,
  modify_maxdelay = 7,
  modify_maxdelayratio = 8,
  modify_maxupdateskew = 9,
  logon = 10,
  settime = 11,
  manual = 13,
  n_sources = 14,
  source_data = 15,
  rekey = 16,
  allow = 17,
  allow_all = 18,
  deny = 19,
  deny_all = 20,
  cmd_allow = 21,
  cmd_allow_all = 22,
  cmd_deny = 23,
  cmd_deny_all = 24,
  access_check = 25,
  cmd_access_check = 26,
  delete_source = 29,
  write_rtc = 30,
  adjust_frequency = 31,
  tracking = 33,
  source_stats = 34,
  rtc_report = 35,
  trim_rtc = 36,
  cycle_logs = 37,
  manual_list = 41,
  manual_delete = 42,
  makestep = 43,
  activity = 44,
  modify_minstratum = 45,
  modify_polltarget = 46,
  modify_maxdelaydevratio = 47,
  reselect = 48,
  reselect_distance = 49,
  modify_makestep = 50,
  smoothing = 51,
  smoothtime = 52,
  refresh = 53,
  server_stats = 54,
  local2 = 56,
  ntp_data = 57,
  shutdown = 62,
  onoffline = 63,
  add_source = 64,
  source_name = 65,
  reset_sources = 66,
  auth_data = 67,
  client_accesses = 68,
  select_data = 69,
  reload_sources = 70,
  adjust_offset = 71,
  modify_selectopts = 72,
  modify_offset = 73,
  local3 = 74,
};
inline constexpr std::size_t kRequestCodes = 75;

enum class ReplyCode : std::uint16_t {
  null = 1,
  n_sources = 2,
  source_data = 3,
  tracking = 5,
  source_stats = 6,
  rtc = 7,
  activity = 12,
  smoothing = 13,
  ntp_data = 16,
  manual_timestamp = 17,
  manual_list = 18,
  source_name = 19,
  auth_data = 20,
  client_accesses = 21,
  server_stats2 = 22,  // clients 4.0, 4.1
  select_data = 23,
  server_stats3 = 24,  // 4.2, 4.3
  server_stats4 = 25,  // 4.4 on
  ntp_data2 = 26,      // 4.6 on
};

// How an address says its family.
enum class WireFamily : std::uint16_t { unspecified = 0, ipv4 = 1, ipv6 = 2, id = 3 };

// Seconds high word of a client whose time_t has 32 bits.
inline constexpr std::uint32_t kNoHighSeconds = 0x7fffffff;

// Sequential reads. The caller has checked the length against the request table; past the end everything is
// 0.
class RequestReader {
 public:
  explicit RequestReader(std::span<const std::byte> body) noexcept : body_(body) {}

  std::uint16_t u16() noexcept { return load<std::uint16_t>(); }
  std::uint32_t u32() noexcept { return load<std::uint32_t>(); }
  std::int32_t i32() noexcept { return static_cast<std::int32_t>(u32()); }
  double real() noexcept { return decode_float(u32()); }
  SourceAddress address() noexcept;
  WallTime time() noexcept;  // clamped to what WallTime holds
  std::span<const std::byte> bytes(std::size_t n) noexcept;

 private:
  template <typename U>
  U load() noexcept {
    const auto raw = bytes(sizeof(U));
    return raw.size() == sizeof(U) ? load_be<U>(raw.data()) : U{0};
  }

  std::span<const std::byte> body_;
};

// Sequential writes into a reply's fixed, zeroed buffer; what would not fit is dropped (the layouts' sizes
// are asserted by tests).
class ReplyWriter {
 public:
  explicit ReplyWriter(std::span<std::byte> body) noexcept : body_(body) {}

  void u8(std::uint8_t v) noexcept;
  void i8(std::int8_t v) noexcept { u8(static_cast<std::uint8_t>(v)); }
  void u16(std::uint16_t v) noexcept;
  void u32(std::uint32_t v) noexcept;
  void u64(std::uint64_t v) noexcept;
  void saturated(std::uint64_t v) noexcept;  // as 32 bits: these counters stop at the top, they never wrap
  void real(double v) noexcept { u32(encode_float(v)); }
  void seconds(std::chrono::seconds s) noexcept;  // 32 bits, saturating, negative is 0
  void age(const Age& age) noexcept;              // never is all ones
  void address(const IpAddress& a) noexcept { address(SourceAddress{a, {}}); }
  void address(const SourceAddress& a) noexcept;
  void time(WallTime t) noexcept;
  void text(std::string_view s, std::size_t width) noexcept;  // NUL padded, always terminated
  void fill(std::uint8_t v, std::size_t n) noexcept;

  [[nodiscard]] std::size_t written() const noexcept { return at_; }

 private:
  [[nodiscard]] std::byte* take(std::size_t n) noexcept;

  std::span<std::byte> body_;
  std::size_t at_ = 0;
};

}  // namespace wiretime::status
