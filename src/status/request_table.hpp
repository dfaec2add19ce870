// SPDX-License-Identifier: BSD-3-Clause
// What each request code is: the length a request must reach (its fields plus padding up to the reply's size,
// so that answering never amplifies) and who may send it. Private to src/status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "status/wire.hpp"

namespace wiretime::status {

enum class RequestKind : std::uint8_t {
  no_operation,  // succeeds, from anybody
  logon,         // password log-on of old clients: always fails
  change,        // needs the unix socket
  read,          // open over UDP if opencommands says so
};

struct RequestRow {
  std::size_t min_length = 0;
  RequestKind kind = RequestKind::no_operation;
};

// nullopt: not a request of this protocol version.
[[nodiscard]] std::optional<RequestRow> find_request(RequestCode code) noexcept;

}  // namespace wiretime::status
