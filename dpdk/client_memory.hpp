// SPDX-License-Identifier: BSD-3-Clause
// Memory for a worker's client log: zero pages, huge ones if the kernel has them. Control thread, at start; the
// pages come into being where they are populated or first written, which is on the worker's own node.
#pragma once

#include <cstddef>

#include "ntp/client_table.hpp"

namespace wiretime::dpdk {

// From the heap when the kernel gives none: throws std::bad_alloc when that has none either.
[[nodiscard]] ntp::ClientMemory client_memory(std::size_t size);

}  // namespace wiretime::dpdk
