// SPDX-License-Identifier: BSD-3-Clause
#include "control/version.hpp"

namespace wiretime::control {

std::string_view version() noexcept {
  return WIRETIME_VERSION;
}

}  // namespace wiretime::control
