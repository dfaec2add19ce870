// SPDX-License-Identifier: BSD-3-Clause
// The data plane as configured: XDP steering and DPDK started together and stopped in the right order, shown
// to the controller as a DataPlaneView. One implementation loads the module that has DPDK, one says it was
// built without.
// Control thread.
#pragma once

#include <memory>
#include <span>

#include "base/result.hpp"
#include "control/config.hpp"
#include "control/data_plane_view.hpp"
#include "os/log.hpp"
#include "server/tables.hpp"

namespace wiretime {

// Workers run when this returns, and until the view is destroyed. `channels` and `log` outlive it. An error
// leaves no program attached and no port open.
[[nodiscard]] Result<std::unique_ptr<control::DataPlaneView>> start_data_plane(
    const control::Config& config, std::span<const IpAddress> addresses, server::Channels& channels,
    os::Log& log);

}  // namespace wiretime
