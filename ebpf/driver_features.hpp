// SPDX-License-Identifier: BSD-3-Clause
// What a network driver offers XDP programs, as the kernel tells it (generic netlink family "netdev",
// Documentation/netlink/specs/netdev.yaml). Control thread, at start-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace wiretime {

// Whether the driver hands the NIC's receive stamps to XDP programs (bpf_xdp_metadata_rx_timestamp). Nothing:
// the kernel does not tell, as before 6.6.
[[nodiscard]] std::optional<bool> gives_receive_stamps(unsigned ifindex);

// NETDEV_A_DEV_XDP_RX_METADATA_FEATURES out of the kernel's answer; nothing when it has none.
[[nodiscard]] std::optional<std::uint64_t> receive_metadata_features(std::span<const std::byte> answer);

}  // namespace wiretime
