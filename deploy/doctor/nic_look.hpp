// SPDX-License-Identifier: BSD-3-Clause
// Collects NicFacts from this host.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "deploy/doctor/nic_facts.hpp"

namespace wiretime::doctor {

// "0000:3b:00.0"
[[nodiscard]] bool is_pci_address(const std::string& text);

// Interfaces on hardware, and veth; then PCI network cards that the kernel has no interface for.
[[nodiscard]] std::vector<std::string> all_cards(const std::filesystem::path& sys = "/sys");

// By interface name or PCI address. `release`: of the kernel, for its list of drivers.
[[nodiscard]] NicFacts look_at_card(const std::string& name, const std::string& release);

// The driver that is not one that only hands the card out, "igb_uio" and such; names with underscores, as
// modules have them.
[[nodiscard]] std::string native_driver(std::string driver);
// The kernel's driver for a device with that modalias, by the text of modules.alias; empty: none known.
[[nodiscard]] std::string driver_for(const std::string& modalias, const std::filesystem::path& aliases);

// The PCI address behind an interface: "/sys/devices/pci0000:00/0000:00:03.0/virtio2" -> "0000:00:03.0".
[[nodiscard]] std::string pci_address_in(const std::filesystem::path& device);

}  // namespace wiretime::doctor
