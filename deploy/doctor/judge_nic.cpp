// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/judge_nic.hpp"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "control/nic_options.hpp"
#include "dpdk/devargs.hpp"
#include "dpdk/placement.hpp"

namespace wiretime::doctor {

namespace {

using clock::ReceiveRung;
using clock::TransmitRung;
using Kind = server::DataplaneConfig::Kind;

std::string speed_text(unsigned mbit) {
  return mbit % 1000 == 0 ? fmt::format("{} Gbit/s", mbit / 1000) : fmt::format("{} Mbit/s", mbit);
}

std::string counted(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

class Judge {
 public:
  Judge(const NicFacts& nic, const server::DataplaneConfig* port, const HostFacts& host,
        const Purpose& purpose, const Build& build)
      : nic_{nic}, port_{port}, host_{host}, purpose_{purpose}, build_{build} {}

  Findings all() && {
    const bool virtual_device = port_ != nullptr && (port_->kind == Kind::memif || port_->kind == Kind::vdev);
    if (!virtual_device) {
      if (!card()) return std::move(out_);
      if (is_kernels()) {
        link();
        queues();
        xdp();
        program();
        stamps();
      }
      if (port_ != nullptr ? port_->kind == Kind::pci : !is_kernels()) pci();
    }
    rungs();
    return std::move(out_);
  }

 private:
  void say(Level level, std::string topic, std::string what, std::string next = {}) {
    out_.push_back({level, nic_.name, std::move(topic), std::move(what), std::move(next)});
  }
  [[nodiscard]] bool is_kernels() const { return nic_.name != nic_.pci; }
  [[nodiscard]] bool is_port(Kind kind) const { return port_ != nullptr && port_->kind == kind; }

  bool card();
  void link();
  void queues();
  void xdp();
  void program();
  void stamps();
  void clock();
  void pci();
  void rungs();
  void rungs_as(Kind kind, const std::string& as);

  const NicFacts& nic_;
  const server::DataplaneConfig* port_;
  const HostFacts& host_;
  const Purpose& purpose_;
  const Build& build_;
  Findings out_;
};

// False: there is nothing to say more about.
bool Judge::card() {
  if (!nic_.exists) {
    say(Level::problem, "card", "there is no such interface or card", "see `ip -brief link` and `lspci`");
    return false;
  }
  std::string what = nic_.driver.empty() ? "no driver" : nic_.driver;
  if (nic_.speed) what += ", " + speed_text(*nic_.speed);
  if (nic_.mtu) what += fmt::format(", MTU {}", *nic_.mtu);
  if (nic_.receive_queues != 0) what += ", " + counted(nic_.receive_queues, "queue");
  if (nic_.node >= 0) what += fmt::format(", NUMA node {}", nic_.node);
  if (!nic_.pci.empty()) what += fmt::format(", PCI {}", is_kernels() ? nic_.pci : nic_.card.id);
  say(Level::ok, "card", std::move(what));
  return true;
}

void Judge::link() {
  const bool port = port_ != nullptr;
  if (!nic_.up)
    say(port ? Level::problem : Level::note, "link", "the interface is down",
        fmt::format("ip link set {} up", nic_.name));
  else if (!nic_.running)
    say(port ? Level::warning : Level::note, "link", "up, without a carrier",
        "plug the cable in, or see the far end");
  if (port && nic_.addresses == 0)
    say(Level::warning, "link", "no address: requests to it cannot be addressed",
        fmt::format("ip address add ADDRESS/LENGTH dev {}", nic_.name));
}

void Judge::queues() {
  if (port_ == nullptr) return;
  if (port_->kind == Kind::af_xdp && nic_.receive_queues != 0 && port_->queues > nic_.receive_queues)
    say(Level::problem, "queues",
        fmt::format("queues {} asked for, the interface has {}", port_->queues, nic_.receive_queues),
        nic_.most_queues >= port_->queues ? fmt::format("ethtool -L {} combined {}", nic_.name, port_->queues)
                                          : "ask for fewer");
  for (const std::string& warning : dpdk::spread_warnings(*port_, nic_.spread, nic_.receive_queues)) {
    // "dataplane af_xdp eth1: what; what to do"
    const auto begin = dpdk::describe(*port_).size() + 2;
    const auto split = warning.find("; ", begin);
    say(Level::warning, "queues", warning.substr(begin, split - begin),
        split == std::string::npos ? "" : warning.substr(split + 2));
  }
}

void Judge::xdp() {
  if (!build_.xdp || (port_ != nullptr && port_->kind != Kind::af_xdp)) return;
  if (!nic_.xdp)
    return say(Level::note, "xdp", "the kernel does not tell what the driver can (Linux 6.6 and later do)");
  const XdpAbility& x = *nic_.xdp;
  if (!x.native)
    say(is_port(Kind::af_xdp) ? Level::warning : Level::note, "xdp",
        "the driver runs no XDP programs: generic mode, slower",
        "use a card whose driver does, or dataplane pci");
  else
    say(x.zero_copy ? Level::ok : Level::note, "xdp",
        x.zero_copy ? "native, zero copy" : "native; frames are copied, this driver has no zero copy");
  constexpr unsigned kPage = 3506;  // bytes that a driver has for a frame in a page, beside XDP's own
  if (is_port(Kind::af_xdp) && x.native && nic_.mtu > kPage)
    say(Level::note, "mtu",
        fmt::format("at an MTU of {} many drivers run XDP programs in generic mode", *nic_.mtu),
        fmt::format("NTP needs no more than: ip link set {} mtu 1500", nic_.name));
  if (is_port(Kind::af_xdp) && nic_.strips_vlan_tags)
    say(Level::note, "vlan", "the card takes VLAN tags off: requests in VLANs are answered untagged",
        fmt::format("to serve VLANs: ethtool -K {} rxvlan off", nic_.name));
}

void Judge::program() {
  if (!nic_.program_error.empty() && is_port(Kind::af_xdp))
    return say(Level::note, "xdp program", nic_.program_error);
  if (!nic_.program) return;
  const XdpInUse& p = *nic_.program;
  if (p.ours && p.alive) return say(Level::ok, "xdp program", fmt::format("wiretimed's (id {})", p.id));
  if (p.ours)
    return say(Level::note, "xdp program",
               fmt::format("id {}, left behind by a wiretimed, or of one that is not seen from here", p.id),
               "the next start removes it if nobody holds it");
  say(is_port(Kind::af_xdp) ? Level::problem : Level::note, "xdp program",
      fmt::format("somebody else's program '{}' (id {}) has the interface", p.name, p.id),
      fmt::format("stop who uses it, or if nobody does: ip link set dev {} xdp off", nic_.name));
}

void Judge::stamps() {
  if (!nic_.stamps) {
    say(Level::note, "stamps", "the driver does not tell of hardware timestamps");
    return clock();
  }
  const os::StampAbility& able = *nic_.stamps;
  std::string what;
  const auto add = [&what](bool has, std::string_view item) {
    if (has) what += fmt::format("{}{}", what.empty() ? "" : ", ", item);
  };
  add(able.receive_all, "everything received");
  add(!able.receive_all && able.receive_ntp, "received NTP");
  add(!able.receive_all && able.receive_ptp, "received PTP");
  add(able.transmit, "what is sent");
  if (what.empty()) return say(Level::note, "stamps", "the hardware stamps nothing"), clock();
  what.insert(0, "the hardware can stamp ");
  if (nic_.stamps_now) {
    using os::StampFilter;
    const StampFilter r = nic_.stamps_now->receive;
    what += fmt::format("; now {}, {}",
                        r == StampFilter::all   ? "everything received"
                        : r == StampFilter::ntp ? "received NTP"
                        : r == StampFilter::ptp ? "received PTP"
                                                : "nothing received",
                        nic_.stamps_now->transmit ? "what is sent and asks" : "nothing sent");
  }
  const bool line = !purpose_.settings.hw_timestamps.empty();
  say(Level::ok, "stamps", std::move(what),
      able.transmit && !purpose_.has_ports() && !line
          ? fmt::format("`hwtimestamp {}` has the kernel's sockets use them", nic_.name)
          : "");
  clock();
}

void Judge::clock() {
  const bool ours = port_ != nullptr && port_->phc != clock::NicRole::free;
  if (nic_.clock_device.empty())
    return say(ours ? Level::problem : Level::note, "clock", "it has no clock of its own (PHC)",
               ours ? "write `phc free`" : "");
  if (!nic_.clock_error.empty())
    return say(ours ? Level::problem : Level::warning, "clock",
               fmt::format("{}: {}", nic_.clock_device, nic_.clock_error), "see the driver's lines in dmesg");
  std::string what = fmt::format("{}, read by {} cross timestamps", nic_.clock_device, nic_.clock_method);
  if (nic_.clock_adjustment == 0)
    return say(ours ? Level::problem : Level::ok, "clock", what + "; its frequency cannot be set",
               ours ? "write `phc free`" : "");
  say(nic_.clock_method == "plain" ? Level::note : Level::ok, "clock",
      what + (nic_.clock_method == "plain" ? ": the driver has no better, a microsecond or so" : ""));
}

void Judge::pci() {
  const auto memory = dpdk::memory_needed(purpose_.settings.dataplanes);
  const bool hugepages =
      host_.free_hugepage_bytes() >= memory && purpose_.settings.hugepages != server::Hugepages::off;
  const auto obstacle = dpdk::pci_obstacle(nic_.card, nic_.pci, hugepages, memory);
  if (!obstacle) return say(Level::ok, "pci", "DPDK may have it, through " + nic_.card.driver);
  const auto split = obstacle->find("; ");
  say(port_ != nullptr ? Level::problem : Level::note, "pci", obstacle->substr(0, split),
      split == std::string::npos ? "" : obstacle->substr(split + 2));
}

void Judge::rungs_as(Kind kind, const std::string& as) {
  control::PortNicOptions nic_options;
  if (port_ != nullptr) nic_options = control::nic_options(purpose_.settings.hw_timestamps, *port_);
  for (const std::string& warning : nic_options.warnings) say(Level::warning, "hwtimestamp", warning);
  const Outlook o = outlook(kind, nic_, host_, build_, nic_options.options.no_receive_stamps);
  const auto tell = [&](std::string topic, const auto& prospect, std::string_view beside) {
    say(prospect.next.empty() ? Level::ok : Level::note, as + std::move(topic),
        fmt::format("{}{}: {}", name(prospect.rung), prospect.at_least ? " or better" : beside, prospect.why),
        prospect.next);
  };
  tell("receive", o.receive, o.receive.rung == ReceiveRung::hardware ? "" : ", not hardware");
  tell("transmit", o.transmit, o.transmit.rung != TransmitRung::plain ? "" : ", not launch or predicted");
}

void Judge::rungs() {
  if (port_ != nullptr) return rungs_as(port_->kind, "");
  if (!build_.dpdk) return;
  if (is_kernels())
    rungs_as(build_.xdp ? Kind::af_xdp : Kind::af_packet, build_.xdp ? "af_xdp " : "af_packet ");
  if (!nic_.pci.empty() && !nic_.native_driver.empty()) rungs_as(Kind::pci, "pci ");
}

// NUMA nodes of queues and of the workers that would serve them, as the data plane places them.
std::vector<std::string> distant(const std::vector<NicFacts>& nics, const HostFacts& host,
                                 const control::Settings& settings) {
  std::vector<int> worker_nodes;
  for (const unsigned cpu : settings.worker_cpus) {
    const auto node = host.nodes.find(cpu);
    worker_nodes.push_back(node == host.nodes.end() ? dpdk::kUnknownNode : node->second);
  }
  std::vector<int> queue_nodes;
  for (std::size_t p = 0; p < nics.size(); ++p)
    queue_nodes.insert(queue_nodes.end(), settings.dataplanes[p].queues, nics[p].node);
  const auto homes = dpdk::place_queues(queue_nodes, worker_nodes);
  std::vector<dpdk::PlacedQueue> placed;
  for (std::size_t p = 0; p < nics.size(); ++p)
    for (unsigned q = 0; q < settings.dataplanes[p].queues; ++q) {
      const unsigned worker = homes[placed.size()];
      placed.push_back({p, settings.dataplanes[p].device, q, queue_nodes[placed.size()], worker,
                        settings.worker_cpus[worker], worker_nodes[worker]});
    }
  return dpdk::remote_warnings(placed);
}

}  // namespace

Findings judge_nic(const NicFacts& nic, const server::DataplaneConfig* port, const HostFacts& host,
                   const Purpose& purpose, const Build& build) {
  return Judge{nic, port, host, purpose, build}.all();
}

Findings judge_ports(const std::vector<NicFacts>& nics, const HostFacts& host, const Purpose& purpose) {
  const control::Settings& settings = purpose.settings;
  Findings out;
  if (nics.empty() || settings.worker_cpus.empty()) return out;
  // How many devices DPDK was built for is DPDK's to say, at the start.
  const auto enough = dpdk::check_queues(settings.dataplanes, settings.worker_cpus.size(),
                                         std::numeric_limits<std::size_t>::max());
  if (!enough) {
    const std::string& what = enough.error().message;
    const auto split = what.find("; ");
    out.push_back({Level::problem, "host", "queues", what.substr(0, split),
                   split == std::string::npos ? "" : what.substr(split + 2)});
    return out;
  }
  for (const std::string& warning : distant(nics, host, settings)) {
    const auto split = warning.rfind("; ");
    out.push_back({Level::warning, "host", "numa", warning.substr(0, split),
                   split == std::string::npos ? "" : warning.substr(split + 2)});
  }
  return out;
}

}  // namespace wiretime::doctor
