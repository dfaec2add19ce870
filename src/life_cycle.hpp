// SPDX-License-Identifier: BSD-3-Clause
// From a checked configuration to an exit code: background, pid file, sockets, data plane, privileges, the
// loop, and all of it back in order. The process's first thread, which becomes the control thread.
#pragma once

#include "base/result.hpp"
#include "control/command_line.hpp"
#include "control/config.hpp"

namespace wiretime {

// Returns when the daemon has stopped in order. An error is one line for the terminal; it was logged too when
// the log is not the terminal. In the parent of a daemon this does not return.
[[nodiscard]] Result<void> run_daemon(const control::Options& options, const control::Config& config);

}  // namespace wiretime
