// SPDX-License-Identifier: BSD-3-Clause
// What can be known of a network card or interface before wiretimed has it. Plain values; nic_look.cpp
// collects them, tests make them up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dpdk/interface.hpp"
#include "dpdk/pci_device.hpp"
#include "os/network_card.hpp"
#include "os/stamping.hpp"

namespace wiretime::doctor {

// Somebody's XDP program on the interface.
struct XdpInUse {
  std::uint32_t id = 0;
  std::string name;
  bool ours = false;   // a wiretimed's
  bool alive = false;  // that one runs
};

struct XdpAbility {
  bool native = false;  // in the driver, with redirection
  bool zero_copy = false;
  bool receive_stamps = false;  // programs may ask for the NIC's
  bool transmit_stamps = false;
  bool launch_time = false;
};

struct NicFacts {
  std::string name;  // interface name, or PCI address where the kernel has none
  bool exists = false;
  // Of the kernel's interface.
  bool up = false;
  bool running = false;  // with a carrier
  std::size_t addresses = 0;
  std::string driver;             // the kernel's; "vfio-pci" where that hands the card out
  std::optional<unsigned> speed;  // Mbit/s
  std::optional<unsigned> mtu;
  unsigned receive_queues = 0;  // 0: unknown
  unsigned most_queues = 0;     // that ethtool -L would give; 0: unknown
  int node = -1;                // NUMA
  bool strips_vlan_tags = false;
  dpdk::Spread spread = dpdk::Spread::unknown;
  std::optional<XdpAbility> xdp;  // nothing: the kernel does not tell
  std::optional<XdpInUse> program;
  std::string program_error;  // why that could not be seen

  // Stamps and the clock they are of.
  std::optional<os::StampAbility> stamps;  // nothing: the driver does not tell
  std::optional<os::StampsNow> stamps_now;
  std::string clock_device;     // "/dev/ptp0"; empty: none
  std::string clock_method;     // "precise", "extended", "plain"
  std::string clock_error;      // why it cannot be read
  double clock_adjustment = 0;  // s/s; 0: cannot be steered

  // Of the PCI card.
  std::string pci;  // address; empty: not on that bus
  dpdk::PciDevice card;
  std::string native_driver;  // the kernel's driver for such a card, also when it has it not; empty: unknown
};

}  // namespace wiretime::doctor
