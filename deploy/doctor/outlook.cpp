// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/outlook.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "deploy/doctor/small_files.hpp"

namespace wiretime::doctor {

namespace {

using clock::ReceiveRung;
using clock::TransmitRung;
using Kind = server::DataplaneConfig::Kind;
using Receive = Prospect<ReceiveRung>;
using Transmit = Prospect<TransmitRung>;

// What DPDK's driver for the same cards as a kernel driver's stamps on a PCI port.
struct CardDriver {
  std::string_view kernel;
  unsigned since;  // DPDK version, 2211: of all that we build with
  ReceiveRung receive;
  TransmitRung transmit;
  std::string_view remark;  // on the transmit rung, or why nothing is stamped
};
constexpr std::string_view kOnlyPtp =
    "DPDK's driver stamps nothing but PTP, and in Debian's build not even that";
constexpr std::array<CardDriver, 14> kCardDrivers{{
    {"ice", 2211, ReceiveRung::hardware, TransmitRung::predicted,
     "DPDK's driver says when a sampled reply left"},
    {"iavf", 2211, ReceiveRung::hardware, TransmitRung::plain, "DPDK's driver stamps no transmitted frames"},
    {"mlx5_core", 2211, ReceiveRung::hardware, TransmitRung::launch,
     "ConnectX-7 and later send at the time that the reply says; older ones: plain"},
    {"igc", 2303, ReceiveRung::hardware, TransmitRung::launch,
     "the card sends at the time that the reply says"},
    {"igc", 2211, ReceiveRung::tsc, TransmitRung::plain, "DPDK's driver stamps from 23.03 on"},
    {"rvu_nicpf", 2211, ReceiveRung::hardware, TransmitRung::predicted,
     "DPDK's driver says when a sampled reply left"},
    {"igb", 2211, ReceiveRung::tsc, TransmitRung::plain, kOnlyPtp},
    {"ixgbe", 2211, ReceiveRung::tsc, TransmitRung::plain, kOnlyPtp},
    {"i40e", 2211, ReceiveRung::tsc, TransmitRung::plain, kOnlyPtp},
    {"bnxt_en", 2211, ReceiveRung::tsc, TransmitRung::plain, kOnlyPtp},
    {"virtio_net", 2211, ReceiveRung::tsc, TransmitRung::plain, "a virtual card stamps nothing"},
    {"virtio_pci", 2211, ReceiveRung::tsc, TransmitRung::plain, "a virtual card stamps nothing"},
    {"vmxnet3", 2211, ReceiveRung::tsc, TransmitRung::plain, "a virtual card stamps nothing"},
    {"ena", 2211, ReceiveRung::tsc, TransmitRung::plain, "a virtual card stamps nothing"},
}};

// "22.11.11" -> 2211
unsigned year_and_month(const std::string& version) {
  const auto dot = version.find('.');
  if (dot == std::string::npos) return 0;
  return static_cast<unsigned>(number(version) * 100 + number(std::string_view{version}.substr(dot + 1)));
}

const CardDriver* card_driver(const NicFacts& nic, const Build& build) {
  const unsigned version = year_and_month(build.dpdk_version);
  for (const CardDriver& d : kCardDrivers)
    if (d.kernel == nic.native_driver && version >= d.since) return &d;
  return nullptr;
}

std::string as_pci(const NicFacts& nic) {
  return fmt::format("`dataplane pci {} address ...` where DPDK may have the whole card", nic.pci);
}

// The order is that in which wiretimed finds out.
Receive receive_over_xdp(const NicFacts& nic, const HostFacts& host, const Build& build,
                         bool stamps_refused) {
  const CardDriver* const direct = card_driver(nic, build);
  const std::string around =
      direct != nullptr && direct->receive == ReceiveRung::hardware ? as_pci(nic) : std::string{};
  const auto only = [](std::string why, std::string next) {
    return Receive{ReceiveRung::xdp_program, std::move(why), std::move(next)};
  };
  if (!host.kernel_at_least(6, 3) || !host.btf)
    return only("this kernel gives XDP programs no NIC's stamps", "boot Linux 6.3 or later, with BTF");
  if (nic.xdp && !nic.xdp->native)
    return only("the driver runs no XDP programs, the network stack does", around);
  if (nic.xdp && !nic.xdp->receive_stamps)
    return only("the driver gives XDP programs no hardware receive time", around);
  if (stamps_refused) return only("a hwtimestamp line says so with rxfilter", "remove rxfilter, or say all");
  if (!nic.stamps || !nic.stamps->clock || nic.clock_device.empty())
    return only("the interface has no hardware clock", "");
  if (nic.stamps->best_filter() == os::StampFilter::none)
    return only("the hardware stamps no received NTP packets", around);
  if (nic.stamps_now && nic.stamps_now->receive == os::StampFilter::ptp && !nic.stamps->receive_all)
    return only("another program has the hardware stamp PTP instead", "stop it (ptp4l?), or leave the rung");
  if (!nic.clock_error.empty()) return only(fmt::format("its clock cannot be read: {}", nic.clock_error), "");
  return {ReceiveRung::hardware, fmt::format("the NIC's stamps, in XDP metadata, by {}", nic.clock_device),
          ""};
}

Transmit transmit_through_kernel(Kind kind, const NicFacts& nic, const Build& build) {
  const CardDriver* const direct = card_driver(nic, build);
  const bool better = direct != nullptr && direct->transmit != TransmitRung::plain;
  return {TransmitRung::plain,
          fmt::format("DPDK's {} port is told neither when frames left nor when to send them", name(kind)),
          better ? as_pci(nic) : ""};
}

Outlook of_pci(const NicFacts& nic, const Build& build, bool stamps_refused) {
  const CardDriver* const d = card_driver(nic, build);
  if (d == nullptr) {
    const std::string unknown = fmt::format(
        "what DPDK's driver for {} stamps is not known here",
        nic.native_driver.empty() ? nic.card.id.empty() ? "this card" : nic.card.id : nic.native_driver);
    return {{ReceiveRung::tsc, unknown, "see the log's line \"receive rung\" once wiretimed runs", true},
            {TransmitRung::plain, unknown, "see wiretime_transmit_rung in the metrics once wiretimed runs",
             true}};
  }
  Outlook out;
  out.transmit = {d->transmit, std::string{d->remark}, ""};
  if (d->receive == ReceiveRung::hardware && stamps_refused)
    out.receive = {ReceiveRung::tsc, "a hwtimestamp line says so with rxfilter",
                   "remove rxfilter, or say all"};
  else if (d->receive == ReceiveRung::hardware)
    out.receive = {ReceiveRung::hardware, "DPDK's driver hands the NIC's stamps out", ""};
  else
    out.receive = {ReceiveRung::tsc, std::string{d->remark}, ""};
  return out;
}

}  // namespace

Outlook outlook(Kind kind, const NicFacts& nic, const HostFacts& host, const Build& build,
                bool stamps_refused) {
  switch (kind) {
    case Kind::af_xdp:
      return {receive_over_xdp(nic, host, build, stamps_refused), transmit_through_kernel(kind, nic, build)};
    case Kind::af_packet:
      return {{ReceiveRung::tsc, "af_packet hands frames out without stamps",
               build.xdp ? "`dataplane af_xdp " + nic.name + "`" : ""},
              transmit_through_kernel(kind, nic, build)};
    case Kind::pci:
      return of_pci(nic, build, stamps_refused);
    case Kind::memif:
    case Kind::vdev:
      break;
  }
  return {{ReceiveRung::tsc, "a virtual device stamps nothing", ""},
          {TransmitRung::plain, "a virtual device stamps nothing", ""}};
}

}  // namespace wiretime::doctor
