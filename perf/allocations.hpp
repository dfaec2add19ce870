// SPDX-License-Identifier: BSD-3-Clause
// How often this program has called operator new. Linking it replaces the global operators; single threaded.
#pragma once

#include <cstddef>

namespace wiretime::perf {

[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace wiretime::perf
