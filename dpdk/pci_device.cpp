// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/pci_device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <string_view>

namespace wiretime::dpdk {

namespace {

namespace fs = std::filesystem;

constexpr unsigned kNetworkClass = 0x02;  // the first of three bytes

// "0x020000\n" -> "020000"
std::string hexadecimal(const fs::path& file) {
  std::ifstream stream{file};
  std::string text;
  stream >> text;
  return text.substr(0, 2) == "0x" ? text.substr(2) : text;
}

unsigned class_of(const fs::path& device) {
  const std::string text = hexadecimal(device / "class");
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

bool is_network(unsigned class_code) {
  return class_code >> 16 == kNetworkClass;
}

std::vector<std::string> entries(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{directory, ignored})
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool hands_out(std::string_view driver) {
  constexpr std::array<std::string_view, 3> kDrivers{"vfio-pci", "uio_pci_generic", "igb_uio"};
  return std::find(kDrivers.begin(), kDrivers.end(), driver) != kDrivers.end();
}

// These stay with the kernel: DPDK's drivers for the same cards work through theirs.
bool shares(std::string_view driver) {
  constexpr std::array<std::string_view, 3> kDrivers{"mlx4_core", "mlx5_core", "mana"};
  return std::find(kDrivers.begin(), kDrivers.end(), driver) != kDrivers.end();
}

std::string bind_command(const std::string& driver, const std::string& address) {
  return fmt::format("`modprobe {0} && dpdk-devbind.py -b {0} {1}`", driver, address);
}

std::string cards_here(const PciDevice& device) {
  if (device.cards.empty()) return "this host has no PCI network card";
  std::string text = "network cards here:";
  for (const std::string& card : device.cards) text += ' ' + card;
  return text;
}

std::string how_to_bind(const PciDevice& device, const std::string& address) {
  if (device.iommu) return "bind it with " + bind_command("vfio-pci", address);
  return fmt::format(
      "this host has no IOMMU for vfio-pci: switch one on (VT-d or AMD-Vi in the firmware, and for Intel "
      "`intel_iommu=on` on the kernel's command line) and bind vfio-pci, or go without by {}",
      bind_command("uio_pci_generic", address));
}

}  // namespace

PciDevice read_pci_device(const std::string& address, const fs::path& sysfs) {
  const fs::path devices = sysfs / "bus/pci/devices";
  const fs::path own = devices / address;
  PciDevice device;
  for (const std::string& name : entries(devices))
    if (is_network(class_of(devices / name))) device.cards.push_back(name);
  std::error_code error;
  device.exists = fs::exists(own, error);
  if (!device.exists) return device;
  device.class_code = class_of(own);
  device.id = hexadecimal(own / "vendor") + ':' + hexadecimal(own / "device");
  device.driver = fs::read_symlink(own / "driver", error).filename().string();
  device.iommu = fs::exists(own / "iommu_group", error);
  if (const auto names = entries(own / "net"); !names.empty()) device.interface = names.front();
  return device;
}

std::optional<std::string> pci_obstacle(const PciDevice& device, const std::string& address, bool hugepages,
                                        std::size_t memory) {
  if (!device.exists) return fmt::format("there is no such PCI device ({})", cards_here(device));
  if (!is_network(device.class_code))
    return fmt::format("this PCI device is no network card ({})", cards_here(device));
  if (device.driver.empty()) return "no kernel driver hands the card out; " + how_to_bind(device, address);
  if (shares(device.driver)) return std::nullopt;
  if (!hands_out(device.driver)) {
    const std::string as = device.interface.empty() ? "" : " as " + device.interface;
    return fmt::format("the kernel's driver {} still has the card{}; {}", device.driver, as,
                       how_to_bind(device, address));
  }
  if (!hugepages && (device.driver != "vfio-pci" || !device.iommu))
    return fmt::format(
        "bound to {} without an IOMMU the card needs hugepages; set {} MiB of them aside (`sysctl -w "
        "vm.nr_hugepages=...`) and leave `hugepages auto`",
        device.driver, (memory >> 20) + 1);
  return std::nullopt;
}

}  // namespace wiretime::dpdk
