// SPDX-License-Identifier: BSD-3-Clause
// The unix socket file of a memif server port: one left behind by a killed run is removed, one in use and
// anything that is not a socket is left alone. Control thread, before the port opens.
#pragma once

#include <string>

#include "base/result.hpp"

namespace wiretime::dpdk {

[[nodiscard]] Result<void> prepare_memif_server_socket(const std::string& path);

}  // namespace wiretime::dpdk
