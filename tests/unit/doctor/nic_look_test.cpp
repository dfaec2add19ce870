// SPDX-License-Identifier: BSD-3-Clause
// Cards and their drivers by /sys and the kernel's list of drivers.
#include "deploy/doctor/nic_look.hpp"

#include "catch.hpp"
#include "fake_root.hpp"

using namespace wiretime::doctor;

TEST_CASE("PCI addresses are told from interface names") {
  CHECK(is_pci_address("0000:3b:00.0"));
  CHECK(is_pci_address("0001:ff:1f.7"));
  for (const char* not_one : {"eth0", "3b:00.0", "0000:3b:00.0 ", "0000-3b:00.0", "000g:3b:00.0", ""})
    CHECK_FALSE(is_pci_address(not_one));
}

TEST_CASE("the PCI card behind an interface is the nearest one, also behind virtio and bridges") {
  CHECK(pci_address_in("/sys/devices/pci0000:00/0000:00:03.0/virtio2") == "0000:00:03.0");
  CHECK(pci_address_in("/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.1") == "0000:3b:00.1");
  CHECK(pci_address_in("/sys/devices/platform/soc/ethernet").empty());
}

TEST_CASE("cards are those with an interface on hardware, and those on the bus without one") {
  const FakeRoot host;
  const std::string bus = "devices/pci0000:00/";
  for (const char* address : {"0000:00:03.0", "0000:00:04.0", "0000:00:1f.0"}) {
    host.file(bus + address + "/class", address[9] == 'f' ? "0x060100\n" : "0x020000\n");
    host.link(std::string{"bus/pci/devices/"} + address, "../../../" + bus + address);
  }
  host.file(bus + "0000:00:03.0/net/eth0/address", "\n");
  host.link("class/net/eth0/device", "../../../" + bus + "0000:00:03.0");
  host.file("class/net/dummy-of-test/address", "\n");
  CHECK(all_cards(host.root) == std::vector<std::string>{"eth0", "0000:00:04.0"});
}

TEST_CASE("a card on loan is known by the kernel's list of drivers") {
  const FakeRoot host;
  host.file("aliases",
            "# Aliases extracted from modules themselves.\n"
            "alias pci:v00008086d00001592sv*sd*bc*sc*i* ice\n"
            "alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb\n"
            "alias broken\n");
  const auto file = host.root / "aliases";
  CHECK(driver_for("pci:v00008086d00001592sv00008086sd00000002bc02sc00i00", file) == "ice");
  CHECK(driver_for("pci:v00001AF4d00001000sv0sd0bc02sc00i00", file).empty());
  CHECK(driver_for("", file).empty());
  CHECK(driver_for("pci:v00008086d00001592sv0sd0bc02sc00i00", host.root / "none").empty());
}

TEST_CASE("a driver that only hands a card out is not what the card is") {
  CHECK(native_driver("igb") == "igb");
  CHECK(native_driver("virtio-pci") == "virtio_pci");
  for (const char* lender : {"vfio-pci", "uio_pci_generic", "igb_uio", ""})
    CHECK(native_driver(lender).empty());
}
