// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of a PCI device that shall become a port, and what is in the way, in words for the
// operator. Start-up.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace wiretime::dpdk {

struct PciDevice {
  bool exists = false;
  unsigned class_code = 0;         // 0x020000: ethernet
  std::string id;                  // vendor:device in hexadecimal, as `lspci -n` writes it
  std::string driver;              // the kernel's, or the one that hands the device out; empty: none
  std::string interface;           // the kernel's network interface on it
  bool iommu = false;              // the device is behind an IOMMU in use
  std::vector<std::string> cards;  // addresses of all network cards of this host
};

// `address`: 0000:3b:00.0
[[nodiscard]] PciDevice read_pci_device(const std::string& address,
                                        const std::filesystem::path& sysfs = "/sys");

// Why DPDK cannot have it, and what to do; nullopt: nothing we know of. `hugepages`: DPDK runs on them;
// `memory`: how much of them, in bytes, this host would need.
[[nodiscard]] std::optional<std::string> pci_obstacle(const PciDevice& device, const std::string& address,
                                                      bool hugepages, std::size_t memory);

}  // namespace wiretime::dpdk
