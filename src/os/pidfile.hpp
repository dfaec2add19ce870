// SPDX-License-Identifier: BSD-3-Clause
// The pid file: one instance per path, whatever happened to the last one. Start-up and exit.
// A lock (flock) held for life decides between instances of ours, so a recycled pid never blocks a start and
// two starting at once never both win; the pid inside also protects a running chronyd, which does not lock.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.hpp"
#include "os/file_descriptor.hpp"
#include "os/files.hpp"

namespace wiretime::os {

class PidFile {
 public:
  // Writes getpid(): call it in the process that will serve, after Daemonizer::start. Makes the directory
  // (0770, given to `directory_owner`) when missing.
  [[nodiscard]] static Result<PidFile> acquire(const std::string& path,
                                               std::optional<Owner> directory_owner = {});
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&& other) noexcept;
  ~PidFile();  // removes the file; where the directory no longer lets us, empties it

 private:
  PidFile(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void remove() noexcept;

  FileDescriptor fd_;  // holds the lock
  std::string path_;
};

}  // namespace wiretime::os
