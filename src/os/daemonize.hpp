// SPDX-License-Identifier: BSD-3-Clause
// Into the background, such that the command that started us exits 0 only once we serve, and 1 with our error
// line on its terminal when we fail before. Start-up, before any thread exists.
#pragma once

#include "base/result.hpp"
#include "os/file_descriptor.hpp"

namespace wiretime::os {

class Daemonizer {
 public:
  // Returns in the child only, in a new session, in "/", with stdin and stdout on /dev/null. The parent waits
  // for ready() and exits.
  [[nodiscard]] static Result<Daemonizer> start();

  // Serving: stderr goes to /dev/null too and the parent exits 0. Going out of scope or exiting without this
  // makes the parent exit 1.
  void ready() noexcept;

 private:
  explicit Daemonizer(FileDescriptor to_parent) : to_parent_(std::move(to_parent)) {}
  FileDescriptor to_parent_;
};

}  // namespace wiretime::os
