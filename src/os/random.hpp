// SPDX-License-Identifier: BSD-3-Clause
// Random bytes from the kernel. Any thread; never in a hot path (one system call each).
#pragma once

#include <sys/random.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <type_traits>

#include "base/result.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

// Fills all of `out`; waits for the kernel's pool once, early in boot.
[[nodiscard]] inline Result<void> fill_random(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t n = getrandom(out.data(), out.size(), 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail("cannot read random bytes from the kernel: " + errno_text());
    }
    out = out.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

template <typename T>
[[nodiscard]] Result<T> random_value() {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  if (auto filled = fill_random(std::as_writable_bytes(std::span{&value, 1})); !filled)
    return tl::make_unexpected(filled.error());
  return value;
}

}  // namespace wiretime::os
