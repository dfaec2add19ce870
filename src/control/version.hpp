// SPDX-License-Identifier: BSD-3-Clause
// This build's version number, from meson.build. Any thread.
#pragma once

#include <string_view>

namespace wiretime::control {

[[nodiscard]] std::string_view version() noexcept;  // "0.1.0"

}  // namespace wiretime::control
