// SPDX-License-Identifier: BSD-3-Clause
// data_plane_wiring.hpp in a build without DPDK.
#include "data_plane_wiring.hpp"

namespace wiretime {

Result<std::unique_ptr<control::DataPlaneView>> start_data_plane(const control::Config&,
                                                                 std::span<const IpAddress>,
                                                                 server::Channels&, os::Log&) {
  return fail(
      "this wiretimed was built without DPDK: remove the dataplane lines to serve through kernel sockets, or "
      "build "
      "with -Ddpdk=enabled");
}

}  // namespace wiretime
