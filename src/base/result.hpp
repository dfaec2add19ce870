// SPDX-License-Identifier: BSD-3-Clause
// Result<T>: how everything outside the hot path reports failure.
// An Error's message is a finished sentence fragment for the operator: what was expected, what was found,
// what to do next. main prints it as one line; nobody parses it.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace wiretime {

struct Error {
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string message) {
  return tl::make_unexpected(Error{std::move(message)});
}

}  // namespace wiretime
