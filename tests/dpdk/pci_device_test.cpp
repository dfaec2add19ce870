// SPDX-License-Identifier: BSD-3-Clause
// What is in the way of a PCI card, read from a directory made to look like /sys.
#include "dpdk/pci_device.hpp"

#include <fstream>

#include "catch.hpp"
#include "os/temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::dpdk;

namespace fs = std::filesystem;

namespace {

constexpr const char* kCard = "0000:3b:00.0";
constexpr std::size_t kMemory = std::size_t{34} << 20;

struct Sysfs {
  TemporaryDirectory directory;
  fs::path root{directory.path};

  fs::path device(const std::string& address, const std::string& class_code) {
    const fs::path path = root / "bus/pci/devices" / address;
    fs::create_directories(path);
    std::ofstream{path / "class"} << class_code << '\n';
    std::ofstream{path / "vendor"} << "0x8086\n";
    std::ofstream{path / "device"} << "0x10c9\n";
    return path;
  }
  void drive(const std::string& address, const std::string& driver) {
    const fs::path link = root / "bus/pci/devices" / address / "driver";
    fs::remove(link);
    fs::create_symlink("../../../../bus/pci/drivers/" + driver, link);
  }
  std::string obstacle(const std::string& address = kCard, bool hugepages = true) {
    return pci_obstacle(read_pci_device(address, root), address, hugepages, kMemory).value_or("");
  }
};

}  // namespace

TEST_CASE("an address where no network card is says which there are") {
  Sysfs s;
  CHECK(s.obstacle() == "there is no such PCI device (this host has no PCI network card)");
  s.device("0000:00:1f.0", "0x060100");
  s.device("0000:3b:00.1", "0x020000");
  s.device("0000:3b:00.2", "0x020000");
  CHECK(s.obstacle() == "there is no such PCI device (network cards here: 0000:3b:00.1 0000:3b:00.2)");
  CHECK(s.obstacle("0000:00:1f.0") ==
        "this PCI device is no network card (network cards here: 0000:3b:00.1 0000:3b:00.2)");
}

TEST_CASE("a card that the kernel has still says how to hand it over, by vfio-pci where there is an IOMMU") {
  Sysfs s;
  const fs::path card = s.device(kCard, "0x020000");
  s.drive(kCard, "igb");
  fs::create_directories(card / "net/eth1");
  fs::create_directories(card / "iommu_group");
  CHECK(s.obstacle() ==
        "the kernel's driver igb still has the card as eth1; bind it with `modprobe vfio-pci && "
        "dpdk-devbind.py -b vfio-pci 0000:3b:00.0`");
  fs::remove(card / "iommu_group");
  CHECK(
      s.obstacle() ==
      "the kernel's driver igb still has the card as eth1; this host has no IOMMU for vfio-pci: switch one "
      "on (VT-d or AMD-Vi in the firmware, and for Intel `intel_iommu=on` on the kernel's command line) and "
      "bind vfio-pci, or go without by `modprobe uio_pci_generic && dpdk-devbind.py -b uio_pci_generic "
      "0000:3b:00.0`");
}

TEST_CASE("a card without a driver is not one that is handed out") {
  Sysfs s;
  fs::create_directories(s.device(kCard, "0x020000") / "iommu_group");
  CHECK(s.obstacle().rfind("no kernel driver hands the card out; bind it with `modprobe vfio-pci", 0) == 0);
}

TEST_CASE("without hugepages only an IOMMU lets a card reach our memory") {
  Sysfs s;
  const fs::path card = s.device(kCard, "0x020000");
  for (const char* driver : {"vfio-pci", "uio_pci_generic", "igb_uio"}) {
    s.drive(kCard, driver);
    CHECK(s.obstacle(kCard, true).empty());
    CHECK(s.obstacle(kCard, false) ==
          std::string{"bound to "} + driver +
              " without an IOMMU the card needs hugepages; set 35 MiB of them aside (`sysctl -w "
              "vm.nr_hugepages=...`) and leave `hugepages auto`");
  }
  fs::create_directories(card / "iommu_group");
  CHECK_FALSE(s.obstacle(kCard, false).empty());  // igb_uio does not use it
  s.drive(kCard, "vfio-pci");
  CHECK(s.obstacle(kCard, false).empty());
}

TEST_CASE("cards whose DPDK driver works through the kernel's stay where they are") {
  Sysfs s;
  s.device(kCard, "0x020000");
  s.drive(kCard, "mlx5_core");
  CHECK(s.obstacle(kCard, false).empty());
}
