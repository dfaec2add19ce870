// SPDX-License-Identifier: BSD-3-Clause
// The daemon's log: stderr, a file or syslog, with chronyd's levels and line format ("2026-11-23T03:56:09Z
// text"). An object that is passed around. Control thread only; workers count instead.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "base/time.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::os {

enum class LogLevel : int { debug = -1, info = 0, warning = 1, error = 2, fatal = 3 };

// Lets one message per key and interval through, and counts the others. Pure: time comes in.
class RateLimiter {
 public:
  // The number held back since the last one let through, or nullopt: hold this one back.
  [[nodiscard]] std::optional<std::uint64_t> admit(std::string_view key, Nanoseconds now,
                                                   Nanoseconds interval);

 private:
  struct Entry {
    Nanoseconds quiet_until;
    std::uint64_t held_back = 0;
  };
  static constexpr std::size_t kMaxKeys = 256;  // keys may contain addresses that a stranger chooses
  std::unordered_map<std::string, Entry> entries_;
};

class Log {
 public:
  [[nodiscard]] static Log to_stderr(LogLevel least);
  [[nodiscard]] static Result<Log> to_file(const std::string& path, LogLevel least);
  // `identity` must outlive the process's last message: a literal.
  [[nodiscard]] static Log to_syslog(const char* identity, LogLevel least);

  // While starting: warnings and worse also go to stderr, where the operator looks.
  void set_echo(bool on) noexcept { echo_ = on; }
  [[nodiscard]] bool enabled(LogLevel level) const noexcept { return level >= least_; }

  // One line; line breaks and control characters in it are made visible.
  void write(LogLevel level, std::string_view message);

  template <typename... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) {
    formatted(LogLevel::debug, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    formatted(LogLevel::info, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void warning(fmt::format_string<Args...> format, Args&&... args) {
    formatted(LogLevel::warning, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    formatted(LogLevel::error, format, fmt::make_format_args(args...));
  }

  // At most one per `key` and interval; the next one says how many were left out. `key` names the call site,
  // and the subject where each should be heard ("denied 192.0.2.1").
  template <typename... Args>
  void limited(LogLevel level, std::string_view key, Nanoseconds interval, fmt::format_string<Args...> format,
               Args&&... args) {
    if (enabled(level))
      write_limited(level, key, interval, fmt::vformat(format, fmt::make_format_args(args...)));
  }

  // After the file was renamed (cyclelogs, logrotate): opens its path anew. On failure the old one stays in
  // use.
  [[nodiscard]] Result<void> reopen();

 private:
  enum class Target : std::uint8_t { standard_error, file, syslog };
  Log(Target target, LogLevel least) : target_(target), least_(least) {}
  void formatted(LogLevel level, fmt::string_view format, fmt::format_args args);
  void write_limited(LogLevel level, std::string_view key, Nanoseconds interval, std::string message);

  Target target_;
  LogLevel least_;
  bool echo_ = false;
  std::string path_;
  FileDescriptor file_;
  RateLimiter limiter_;
};

// Appends " key=value", the value quoted when it has blanks or quotes or is empty.
void append_field(std::string& out, std::string_view key, std::string_view value);

namespace detail {
inline void append_fields(std::string&) {}
template <typename Value, typename... Rest>
void append_fields(std::string& out, std::string_view key, const Value& value, const Rest&... rest) {
  append_field(out, key, fmt::format("{}", value));
  append_fields(out, rest...);
}
}  // namespace detail

// fields("port opened", "interface", name, "queues", 2) is "port opened interface=eth1 queues=2".
template <typename... KeysAndValues>
[[nodiscard]] std::string fields(std::string_view text, const KeysAndValues&... keys_and_values) {
  static_assert(sizeof...(keys_and_values) % 2 == 0, "keys and values come in pairs");
  std::string out{text};
  detail::append_fields(out, keys_and_values...);
  return out;
}

}  // namespace wiretime::os
