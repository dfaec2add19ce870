// SPDX-License-Identifier: BSD-3-Clause
// What a network driver offers XDP programs, as the kernel tells it (generic netlink family "netdev",
// Documentation/netlink/specs/netdev.yaml). Control thread, at start-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace wiretime {

struct DriverFeatures {
  bool native_xdp = false;       // programs run in the driver, and may redirect
  bool zero_copy = false;        // AF_XDP
  bool receive_stamps = false;   // bpf_xdp_metadata_rx_timestamp gives the NIC's
  bool transmit_stamps = false;  // AF_XDP, asked for in a frame's metadata
  bool launch_time = false;      // the same
};
// Nothing: the kernel does not tell, as before 6.6.
[[nodiscard]] std::optional<DriverFeatures> driver_features(unsigned ifindex);

// Out of the kernel's answer; nothing when it does not tell of receive metadata.
[[nodiscard]] std::optional<DriverFeatures> read_driver_features(std::span<const std::byte> answer);

}  // namespace wiretime
