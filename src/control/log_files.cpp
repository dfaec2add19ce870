// SPDX-License-Identifier: BSD-3-Clause
#include "control/log_files.hpp"

#include "os/files.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kWait = 100ms;
constexpr std::size_t kMostWaiting = 65'536;  // bytes; more than that is lost while the disk is full

}  // namespace

LogFiles::LogFiles(std::string directory, unsigned banner, os::EventLoop& loop, os::Log& log)
    : directory_{std::move(directory)}, banner_{banner}, loop_{loop}, log_{log} {}

LogFiles::~LogFiles() {
  loop_.cancel(timer_);
  flush();
}

void LogFiles::write(const status::LogRecord& record) {
  if (directory_.empty()) {
    if (!std::exchange(warned_, true))
      log_.warning("logdir not specified: the files that 'log' names are not written");
    return;
  }
  File& file = files_[record.index()];
  if (file.waiting.size() >= kMostWaiting) return;
  if (banner_ != 0 && file.lines++ % banner_ == 0)
    file.waiting += status::log_banner(status::log_format(record.index())) + '\n';
  file.waiting += status::log_line(record) + '\n';
  if (timer_ != os::EventLoop::TimerId::none) return;
  timer_ = loop_.after(kWait, [this] {
    timer_ = os::EventLoop::TimerId::none;
    flush();
  });
}

void LogFiles::flush() {
  for (std::size_t i = 0; i < files_.size(); ++i) flush(files_[i], i);
}

void LogFiles::flush(File& file, std::size_t index) {
  if (file.waiting.empty()) return;
  const std::string path = fmt::format("{}/{}.log", directory_, status::log_format(index).file);
  const auto written = put(file, path);
  if (!written && !file.failed)
    log_.warning("{}: its lines are lost until that is mended", written.error().message);
  if (written && file.failed) log_.info("Writing {} again", path);
  file.failed = !written;
}

Result<void> LogFiles::put(File& file, const std::string& path) {
  if (!file.file.valid()) {
    auto opened = os::open_for_append(path);
    if (!opened) return tl::make_unexpected(opened.error());
    file.file = std::move(*opened);
  }
  while (!file.waiting.empty()) {
    const auto n = os::write_some(file.file, file.waiting, path);
    if (!n) return tl::make_unexpected(n.error());
    file.waiting.erase(0, *n);
  }
  return {};
}

void LogFiles::cycle() {
  flush();
  for (File& file : files_) {
    file.file.reset();
    file.lines = 0;
  }
}

}  // namespace wiretime::control
