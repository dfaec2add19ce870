// SPDX-License-Identifier: BSD-3-Clause
// What DPDK, its drivers and the libraries under them (libxdp, libbpf) print, kept away from the operator's
// terminal: collected here line by line, shown in our log at debug level, and the source of the "why" in our
// own error messages. append() may come from any thread; everything else is the control thread's.
#pragma once

#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "os/file_descriptor.hpp"

namespace wiretime::dpdk {

class DriverLog {
 public:
  // From here till destruction DPDK logs into this object. One at a time per process.
  DriverLog();
  DriverLog(const DriverLog&) = delete;
  DriverLog& operator=(const DriverLog&) = delete;
  ~DriverLog();

  void append(std::string_view text, bool is_error);

  // The lines since the last take(), oldest first; a flood keeps the newest kMaxLines.
  [[nodiscard]] std::vector<std::string> take();
  // The first complaint since forget_errors(), the others mostly follow from it, with DPDK's function-name
  // prefixes cut off; empty when there is none. `about`: only complaints that hold this text.
  [[nodiscard]] std::string first_error(std::string_view about = {}) const;
  void forget_errors();

 private:
  static constexpr std::size_t kMaxLines = 200;

  mutable std::mutex mutex_;  // guards all below
  std::deque<std::string> lines_;
  std::string partial_;
  std::vector<std::string> errors_;  // at most kMaxLines, the oldest
  std::FILE* stream_ = nullptr;
};

// While it lives, whatever the process writes to standard error goes into the DriverLog: EAL and libbpf print
// there directly. Only around calls into them during start-up and shutdown.
class CapturedStandardError {
 public:
  explicit CapturedStandardError(DriverLog& log);
  CapturedStandardError(const CapturedStandardError&) = delete;
  CapturedStandardError& operator=(const CapturedStandardError&) = delete;
  ~CapturedStandardError();

 private:
  DriverLog& log_;
  os::FileDescriptor saved_;
  os::FileDescriptor file_;
};

}  // namespace wiretime::dpdk
