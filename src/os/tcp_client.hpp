// SPDX-License-Identifier: BSD-3-Clause
// One question to a TCP server that answers and closes. Waits: for programs without a loop, not for the
// control thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/socket.hpp"

namespace wiretime::os {

// All that the server said until it closed. An error when that takes longer than `patience`, is more than
// `most` bytes, or nobody listens; without the server's address.
[[nodiscard]] Result<std::string> ask_tcp(const Endpoint& server, std::string_view question,
                                          std::chrono::milliseconds patience, std::size_t most);

}  // namespace wiretime::os
