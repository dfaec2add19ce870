// SPDX-License-Identifier: BSD-3-Clause
// Host names to addresses without waiting: one lookup at a time, each in a thread that ends with its answer.
// No pipe, no signal: the owner asks take() now and then while busy(). Control thread but for that one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace wiretime::os {

class AsyncResolver {
 public:
  AsyncResolver() = default;
  AsyncResolver(const AsyncResolver&) = delete;
  AsyncResolver& operator=(const AsyncResolver&) = delete;
  ~AsyncResolver();  // does not wait: a lookup that is still running is left to end by itself

  [[nodiscard]] bool busy() const noexcept { return lookup_ != nullptr; }
  // Only while not busy. Error: no thread could be made.
  [[nodiscard]] Result<void> start(const std::string& name, Family family);
  // The answer, once; nothing while it is not there.
  [[nodiscard]] std::optional<Result<std::vector<IpAddress>>> take();

 private:
  struct Lookup;
  Lookup* lookup_ = nullptr;  // shared with its thread: whoever lets go of it last deletes it
};

}  // namespace wiretime::os
