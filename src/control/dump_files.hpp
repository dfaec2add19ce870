// SPDX-License-Identifier: BSD-3-Clause
// dumpdir on disk: read and emptied at start, written by chronyc dump and at exit. Control thread.
#pragma once

#include <string>

#include "control/source_dump.hpp"
#include "os/log.hpp"

namespace wiretime::control {

// The dump files of a directory, if `read`; they are removed either way, as chronyd does: after a crash there
// must be none that are older than the last run. Other files are left alone.
[[nodiscard]] DumpTexts take_dump_files(const std::string& directory, bool read, os::Log& log);
// False: at least one could not be written; the log says why.
[[nodiscard]] bool write_dump_files(const std::string& directory, const DumpTexts& texts, os::Log& log);

// Of this run of the kernel; empty when it does not say.
[[nodiscard]] std::string boot_id();

}  // namespace wiretime::control
