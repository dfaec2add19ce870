// SPDX-License-Identifier: BSD-3-Clause
// SOCK: a unix datagram socket that another program, such as gpsd, sends samples to.
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "clock/refclock_format.hpp"
#include "os/refclock_driver.hpp"
#include "os/unix_datagram.hpp"

namespace wiretime::os {

namespace {

class SockRefclock final : public RefclockDriver {
 public:
  SockRefclock(FileDescriptor fd, std::string path) : fd_{std::move(fd)}, path_{std::move(path)} {}
  SockRefclock(const SockRefclock&) = delete;
  SockRefclock& operator=(const SockRefclock&) = delete;
  ~SockRefclock() override { unlink(path_.c_str()); }

  int fd() const override { return fd_.get(); }
  std::optional<clock::ClockReading> receive() override {
    std::array<std::byte, clock::kSockMessageMost + 1> buffer;  // longer ones are seen to be
    const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0) return std::nullopt;
    return clock::parse_sock_message(std::span{buffer}.first(static_cast<std::size_t>(n)));
  }

 private:
  FileDescriptor fd_;
  std::string path_;
};

}  // namespace

DriverResult open_sock_refclock(const std::string& path) {
  auto fd = bind_unix_datagram(path, "refclock SOCK");
  if (!fd) return fail(fd.error().message);
  return std::make_unique<SockRefclock>(std::move(*fd), path);
}

}  // namespace wiretime::os
