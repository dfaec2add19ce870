// SPDX-License-Identifier: BSD-3-Clause
// The data part of a state-changing request as a typed Command. Pure; private to src/status.
#pragma once

#include <variant>

#include "status/command.hpp"
#include "status/wire.hpp"

namespace wiretime::status {

// The Command, or the status that says what is wrong with the request. `code` is one of kind change and the
// body has at least its length.
[[nodiscard]] std::variant<Command, Status> decode_command(RequestCode code, RequestReader body);

}  // namespace wiretime::status
