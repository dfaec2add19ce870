// SPDX-License-Identifier: BSD-3-Clause
#include "os/log.hpp"

#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "os/kernel_clock.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

std::string timestamp() {
  const auto seconds =
      static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(wall_now()).time_since_epoch().count());
  std::tm t{};
  gmtime_r(&seconds, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec);
}

// Names and options come from files and packets: nobody shall forge a log line or drive a terminal with them.
std::string printable(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

int syslog_priority(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return LOG_DEBUG;
    case LogLevel::info:
      return LOG_INFO;
    case LogLevel::warning:
      return LOG_WARNING;
    case LogLevel::error:
      return LOG_ERR;
    case LogLevel::fatal:
      return LOG_CRIT;
  }
  return LOG_INFO;
}

// One write call, so that lines of several processes never mix. A log that cannot be written has nowhere to
// complain to.
void write_line(int fd, const std::string& line) {
  [[maybe_unused]] const ssize_t n = write(fd, line.data(), line.size());
}

Result<FileDescriptor> open_log(const std::string& path) {
  FileDescriptor fd{open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0640)};
  if (!fd.valid()) return fail(fmt::format("cannot open log file {}: {}", path, errno_text()));
  set_close_on_exec(fd.get());
  return fd;
}

}  // namespace

std::optional<std::uint64_t> RateLimiter::admit(std::string_view key, Nanoseconds now, Nanoseconds interval) {
  const std::string name{key};
  if (auto found = entries_.find(name); found != entries_.end()) {
    auto& entry = found->second;
    if (now < entry.quiet_until) {
      ++entry.held_back;
      return std::nullopt;
    }
    entry.quiet_until = now + interval;
    return std::exchange(entry.held_back, 0);
  }
  if (entries_.size() >= kMaxKeys)
    std::erase_if(entries_, [&](const auto& item) { return item.second.quiet_until <= now; });
  if (entries_.size() >= kMaxKeys) return std::nullopt;
  entries_.emplace(name, Entry{now + interval, 0});
  return 0;
}

Log Log::to_stderr(LogLevel least) {
  return Log{Target::standard_error, least};
}

Result<Log> Log::to_file(const std::string& path, LogLevel least) {
  auto file = open_log(path);
  if (!file) return tl::make_unexpected(file.error());
  Log log{Target::file, least};
  log.path_ = path;
  log.file_ = std::move(*file);
  return log;
}

Log Log::to_syslog(const char* identity, LogLevel least) {
  openlog(identity, LOG_PID, LOG_DAEMON);
  return Log{Target::syslog, least};
}

void Log::write(LogLevel level, std::string_view message) {
  if (!enabled(level)) return;
  const auto text = printable(message);
  if (target_ == Target::syslog)
    syslog(syslog_priority(level), "%s", text.c_str());
  else
    write_line(target_ == Target::file ? file_.get() : STDERR_FILENO, timestamp() + ' ' + text + '\n');
  if (echo_ && target_ != Target::standard_error && level >= LogLevel::warning)
    write_line(STDERR_FILENO, text + '\n');
}

void Log::formatted(LogLevel level, fmt::string_view format, fmt::format_args args) {
  if (enabled(level)) write(level, fmt::vformat(format, args));
}

void Log::write_limited(LogLevel level, std::string_view key, Nanoseconds interval, std::string message) {
  const auto held_back = limiter_.admit(key, monotonic_now(), interval);
  if (!held_back) return;
  if (*held_back > 0) message += fmt::format(" ({} more like this were not logged)", *held_back);
  write(level, message);
}

Result<void> Log::reopen() {
  if (target_ != Target::file) return {};
  auto file = open_log(path_);
  if (!file) return tl::make_unexpected(file.error());
  file_ = std::move(*file);
  return {};
}

void append_field(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out += ' ';
  out += key;
  out += '=';
  const bool plain = !value.empty() && value.find_first_of(" \t\"=\\") == std::string_view::npos;
  if (plain) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

}  // namespace wiretime::os
