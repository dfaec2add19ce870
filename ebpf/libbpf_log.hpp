// SPDX-License-Identifier: BSD-3-Clause
// Keeps libbpf from writing to stderr while it lives, and remembers the last warning for our own error line.
// Control thread; one at a time.
#pragma once

#include <string>

namespace wiretime {

class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The last warning's last line, without libbpf's prefix; empty when there was none.
  [[nodiscard]] static const std::string& last_line();
};

}  // namespace wiretime
