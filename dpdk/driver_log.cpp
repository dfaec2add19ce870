// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/driver_log.hpp"

#include <rte_log.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace wiretime::dpdk {

namespace {

ssize_t write_to_log(void* cookie, const char* text, std::size_t size) {
  const int level = rte_log_cur_msg_loglevel();
  static_cast<DriverLog*>(cookie)->append({text, size}, level > 0 && level <= static_cast<int>(RTE_LOG_ERR));
  return static_cast<ssize_t>(size);
}

// "xsk_configure(): Failed to create xsk socket." and "EAL: FATAL: x" say the same without their prefix.
std::string_view without_prefix(std::string_view line) {
  if (const auto call = line.find("(): "); call != std::string_view::npos && line.find(' ') > call)
    line.remove_prefix(call + 4);
  for (const std::string_view prefix : {"EAL: ", "FATAL: ", "ETHDEV: ", "MEMPOOL: "})
    if (line.substr(0, prefix.size()) == prefix) line.remove_prefix(prefix.size());
  while (!line.empty() && (line.back() == '.' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

}  // namespace

DriverLog::DriverLog() {
  cookie_io_functions_t functions{};
  functions.write = write_to_log;
  stream_ = fopencookie(this, "w", functions);
  if (stream_ != nullptr) rte_openlog_stream(stream_);
}

DriverLog::~DriverLog() {
  rte_openlog_stream(nullptr);
  if (stream_ != nullptr) std::fclose(stream_);
}

void DriverLog::append(std::string_view text, bool is_error) {
  const std::lock_guard lock{mutex_};
  partial_ += text;
  for (std::size_t end; (end = partial_.find('\n')) != std::string::npos; partial_.erase(0, end + 1)) {
    std::string line = partial_.substr(0, end);
    if (line.empty()) continue;
    if (is_error && errors_.size() < kMaxLines) errors_.emplace_back(without_prefix(line));
    lines_.push_back(std::move(line));
    if (lines_.size() > kMaxLines) lines_.pop_front();
  }
}

std::vector<std::string> DriverLog::take() {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> taken{lines_.begin(), lines_.end()};
  lines_.clear();
  return taken;
}

std::string DriverLog::first_error(std::string_view about) const {
  const std::lock_guard lock{mutex_};
  for (const std::string& error : errors_)
    if (error.find(about) != std::string::npos) return error;
  return "";
}

void DriverLog::forget_errors() {
  const std::lock_guard lock{mutex_};
  errors_.clear();
}

CapturedStandardError::CapturedStandardError(DriverLog& log)
    : log_(log), saved_(dup(STDERR_FILENO)), file_(memfd_create("driver-log", MFD_CLOEXEC)) {
  std::fflush(stderr);
  if (saved_.valid() && file_.valid()) dup2(file_.get(), STDERR_FILENO);
}

CapturedStandardError::~CapturedStandardError() {
  std::fflush(stderr);
  if (!saved_.valid() || !file_.valid()) return;
  dup2(saved_.get(), STDERR_FILENO);
  lseek(file_.get(), 0, SEEK_SET);
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = read(file_.get(), buffer.data(), buffer.size())) > 0;)
    log_.append({buffer.data(), static_cast<std::size_t>(n)}, false);
  log_.append("\n", false);
}

}  // namespace wiretime::dpdk
