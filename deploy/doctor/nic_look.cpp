// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/nic_look.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>

#include "deploy/doctor/small_files.hpp"
#include "os/interfaces.hpp"
#ifdef WIRETIME_BPF
#include "ebpf/attached_program.hpp"
#include "ebpf/driver_features.hpp"
#endif

namespace wiretime::doctor {

namespace {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path found = fs::canonical(path, error);
  return error ? fs::path{} : found;
}

#ifdef WIRETIME_BPF
void look_at_xdp(unsigned ifindex, NicFacts& facts) {
  if (const auto f = driver_features(ifindex))
    facts.xdp =
        XdpAbility{f->native_xdp, f->zero_copy, f->receive_stamps, f->transmit_stamps, f->launch_time};
  const auto program = attached_program(facts.name, ifindex);
  if (!program)
    facts.program_error = program.error().message;
  else if (*program)
    facts.program = XdpInUse{(*program)->id, (*program)->name, (*program)->ours, (*program)->alive};
}
#else
void look_at_xdp(unsigned, NicFacts&) {}
#endif

void look_at_stamps(NicFacts& facts) {
  if (auto able = os::stamp_ability(facts.name)) facts.stamps = *able;
  facts.stamps_now = os::stamps_now(facts.name);
  const auto device = os::PtpClock::find(facts.name);
  if (!device) return;
  facts.clock_device = *device;
  auto clock = os::PtpClock::open(*device, {});
  if (!clock) {
    facts.clock_error = clock.error().message;
    return;
  }
  if (clock->read().empty()) facts.clock_error = "it gives no reading";
  facts.clock_method = clock->method();
  facts.clock_adjustment = clock->max_adjustment();
}

void look_at_interface(const os::Interface& interface, NicFacts& facts) {
  facts.exists = true;
  facts.up = interface.up;
  facts.running = dpdk::interface_running(facts.name);
  facts.addresses = static_cast<std::size_t>(
      std::count_if(interface.addresses.begin(), interface.addresses.end(), [](const auto& a) {
        const auto& b = a.address.bytes;
        return a.address.family != Family::ipv6 || b[0] != 0xFE || (b[1] & 0xC0U) != 0x80;  // fe80::/10
      }));
  facts.driver = os::driver_of(facts.name);
  facts.speed = os::link_speed(facts.name);
  facts.mtu = os::link_mtu(facts.name);
  facts.receive_queues = dpdk::receive_queues(facts.name);
  if (const auto channels = os::channels(facts.name)) facts.most_queues = channels->most_combined;
  facts.strips_vlan_tags = os::strips_vlan_tags(facts.name);
  facts.spread = dpdk::interface_spread(facts.name);
  server::DataplaneConfig port;
  port.device = facts.name;
  facts.node = dpdk::numa_node(port);
  look_at_xdp(interface.index, facts);
  look_at_stamps(facts);
}

}  // namespace

bool is_pci_address(const std::string& text) {
  constexpr std::string_view kForm = "hhhh:hh:hh.d";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool fits = kForm[i] == 'h'   ? std::isxdigit(c) != 0
                      : kForm[i] == 'd' ? std::isdigit(c) != 0
                                        : text[i] == kForm[i];
    if (!fits) return false;
  }
  return true;
}

std::string pci_address_in(const fs::path& device) {
  std::string found;
  for (const fs::path& part : device)
    if (is_pci_address(part.string())) found = part.string();
  return found;
}

std::vector<std::string> all_cards(const fs::path& sys) {
  std::vector<std::string> cards;
  std::vector<std::string> behind;  // PCI addresses of the interfaces
  for (const std::string& name : entries(sys / "class/net")) {
    const fs::path device = resolved(sys / "class/net" / name / "device");
    if (device.empty() && os::driver_of(name) != "veth") continue;
    cards.push_back(name);
    behind.push_back(pci_address_in(device));
  }
  for (const std::string& address : dpdk::read_pci_device("", sys).cards)
    if (std::find(behind.begin(), behind.end(), address) == behind.end()) cards.push_back(address);
  return cards;
}

std::string native_driver(std::string driver) {
  for (const std::string_view lender : {"vfio-pci", "uio_pci_generic", "igb_uio"})
    if (driver == lender) return {};
  std::replace(driver.begin(), driver.end(), '-', '_');
  return driver;
}

std::string driver_for(const std::string& modalias, const fs::path& aliases) {
  if (modalias.empty()) return {};
  for (const std::string& line : lines_of(aliases)) {
    const auto fields = words(line);  // alias PATTERN MODULE
    if (fields.size() == 3 && fields[0] == "alias" &&
        fnmatch(std::string{fields[1]}.c_str(), modalias.c_str(), 0) == 0)
      return std::string{fields[2]};
  }
  return {};
}

NicFacts look_at_card(const std::string& name, const std::string& release) {
  const fs::path sys = "/sys";
  NicFacts facts;
  facts.name = name;
  if (is_pci_address(name)) {
    facts.pci = name;
  } else {
    facts.pci = pci_address_in(resolved(sys / "class/net" / name / "device"));
    if (const auto interface = os::find_interface(name)) look_at_interface(*interface, facts);
  }
  if (facts.pci.empty()) return facts;
  facts.card = dpdk::read_pci_device(facts.pci);
  facts.exists = facts.exists || facts.card.exists;
  if (facts.driver.empty()) facts.driver = facts.card.driver;
  facts.native_driver = native_driver(facts.driver);
  // On loan: then only the kernel's list of drivers knows what it is.
  if (facts.native_driver.empty())
    facts.native_driver = driver_for(first_line(sys / "bus/pci/devices" / facts.pci / "modalias"),
                                     fs::path{"/lib/modules"} / release / "modules.alias");
  return facts;
}

}  // namespace wiretime::doctor
