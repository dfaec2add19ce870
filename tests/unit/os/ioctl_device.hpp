// SPDX-License-Identifier: BSD-3-Clause
// For tests: a character device that is only ioctls, and times as PTP clocks have them.
#pragma once

#include <linux/ptp_clock.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "base/time.hpp"
#include "os/ptp_clock.hpp"
#include "temporary_directory.hpp"

namespace wiretime::os {

// A device that is only ioctls. The descriptor is that of a plain file.
struct Device {
  Device() { std::ofstream{path}; }
  [[nodiscard]] Ioctl ioctl() {
    return [this](int, unsigned long request, void* argument) {
      const auto handler = handlers.find(request);
      if (handler == handlers.end()) {
        errno = ENOTTY;
        return -1;
      }
      return handler->second(argument);
    };
  }
  template <typename T>
  void on(unsigned long request, std::function<int(T&)> handler) {
    handlers[request] = [handler](void* argument) { return handler(*static_cast<T*>(argument)); };
  }

  TemporaryDirectory dir;
  std::string path = dir / "device";
  std::map<unsigned long, std::function<int(void*)>> handlers;
};

inline ptp_clock_time ptp_time(Nanoseconds t) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(t);
  ptp_clock_time out{};
  out.sec = whole.count();
  out.nsec = static_cast<unsigned>((t - whole).count());
  return out;
}

}  // namespace wiretime::os
