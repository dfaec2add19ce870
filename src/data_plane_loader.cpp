// SPDX-License-Identifier: BSD-3-Clause
#include <dlfcn.h>
#include <fmt/format.h>

#include "control/version.hpp"
#include "data_plane_module.hpp"
#include "data_plane_wiring.hpp"

namespace wiretime {

namespace {

Error cannot_load(const char* why) {
  return {fmt::format(
      "cannot load the data plane: {}; install it beside wiretimed, or remove the dataplane lines to serve "
      "through kernel sockets",
      why != nullptr ? why : "no reason given")};
}

}  // namespace

Result<const DataPlaneEntry*> load_data_plane() {
  // Never closed, because EAL cannot be taken down and put up again.
  void* const module = dlopen(kDataPlaneModule, RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) return tl::make_unexpected(cannot_load(dlerror()));
  const auto* const entry = static_cast<const DataPlaneEntry*>(dlsym(module, kDataPlaneEntry));
  if (entry == nullptr) return tl::make_unexpected(cannot_load(dlerror()));
  if (entry->version != control::version())
    return tl::make_unexpected(cannot_load(
        fmt::format("{} is of version {}, this of {}", kDataPlaneModule, entry->version, control::version())
            .c_str()));
  return entry;
}

Result<std::unique_ptr<control::DataPlaneView>> start_data_plane(const control::Config& config,
                                                                 std::span<const IpAddress> addresses,
                                                                 server::Channels& channels, os::Log& log) {
  const auto module = load_data_plane();
  if (!module) return tl::make_unexpected(module.error());
  return (*module)->start(config, addresses, channels, log);
}

}  // namespace wiretime
