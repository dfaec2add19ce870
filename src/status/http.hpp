// SPDX-License-Identifier: BSD-3-Clause
// The metrics page's side of HTTP/1.1 (RFC 9112): GET and HEAD only, one request a connection. Pure: bytes
// received so far in, bytes to send out. Control thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "status/report.hpp"

namespace wiretime::status {

inline constexpr std::size_t kMaxHttpRequest = 8192;

// nullopt: the request is not complete yet, read on. Otherwise send the response and close.
[[nodiscard]] std::optional<std::string> http_respond(std::string_view received, const Report& report);

}  // namespace wiretime::status
