// SPDX-License-Identifier: BSD-3-Clause
// The files of `log`, in `logdir`: opened by their first line, appended to, with a banner every `logbanner`
// lines, opened anew after cyclelogs. Lines wait a tenth of a second for others, so that a busy daemon writes
// seldom; none is lost at the end. Nothing that a disk does stops the service. Control thread.
#pragma once

#include <array>
#include <string>
#include <variant>

#include "os/event_loop.hpp"
#include "os/file_descriptor.hpp"
#include "os/log.hpp"
#include "status/log_record.hpp"

namespace wiretime::control {

class LogFiles {
 public:
  // `directory` empty: one warning, and nothing is written. `banner`: lines between banners, 0: none.
  // `loop` and `log` outlive the object.
  LogFiles(std::string directory, unsigned banner, os::EventLoop& loop, os::Log& log);
  LogFiles(const LogFiles&) = delete;
  LogFiles& operator=(const LogFiles&) = delete;
  ~LogFiles();

  void write(const status::LogRecord& record);
  void flush();
  void cycle();

 private:
  struct File {
    os::FileDescriptor file;
    std::string waiting;  // whole lines, but for the rest of one that the disk took half
    unsigned lines = 0;   // since it was opened
    bool failed = false;  // and the log knows
  };

  void flush(File& file, std::size_t index);
  [[nodiscard]] Result<void> put(File& file, const std::string& path);

  const std::string directory_;
  const unsigned banner_;
  os::EventLoop& loop_;
  os::Log& log_;
  std::array<File, std::variant_size_v<status::LogRecord>> files_;
  os::EventLoop::TimerId timer_ = os::EventLoop::TimerId::none;
  bool warned_ = false;
};

}  // namespace wiretime::control
