// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/served_port.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>

#include "dpdk/devargs.hpp"
#include "os/kernel_clock.hpp"
#include "os/tsc.hpp"

namespace wiretime::dpdk {

namespace {

using Kind = server::DataplaneConfig::Kind;

constexpr std::chrono::minutes kIdle{1};  // without stamps: NIC clocks may be read less often
constexpr unsigned kAnnouncements = 3;    // after a link came up: the far side may be slow to listen

OwnedPort owned_port(const Port& port) {
  OwnedPort owned;
  owned.neighbor.mac = port.mac();
  owned.neighbor.vlan = port.config().vlan;
  for (const auto& a : port.config().addresses) owned.neighbor.addresses.push_back(a.address);
  std::vector<IpAddress> serving = owned.neighbor.addresses;
  serving.push_back(owned.neighbor.link_local());
  std::vector<IpAddress> broadcast;
  for (const auto& a : port.config().addresses)
    if (const auto b = subnet_broadcast(a.address, a.prefix_length)) broadcast.push_back(*b);
  owned.serving = server::LocalAddresses{std::move(serving), std::move(broadcast)};
  return owned;
}

std::unique_ptr<TransmitStamps> transmit_stamps(const Port& port, const clock::NicOptions& nic) {
  if (port.config().kind != Kind::pci) return nullptr;
  TransmitStamps::Options compensated;
  compensated.compensation = nic.transmit_compensation;
  return std::make_unique<TransmitStamps>(port.name(), port.launch_field(),
                                          static_cast<double>(rte_get_tsc_hz()), compensated);
}

clock::ReceiveLadder receive_ladder(const Port& port, const clock::NicOptions& nic, bool xdp_stamps) {
  const bool in_mbufs = port.nic_stamps().flag != 0 && !nic.no_receive_stamps;
  return {in_mbufs || xdp_stamps, port.config().kind == Kind::af_xdp};
}

clock::NicSnapshot nic_snapshot(const PortClock& clock) {
  clock::NicSnapshot snapshot;
  (void)clock.snapshot().try_load(snapshot);  // this thread is its only writer
  return snapshot;
}

// "missing:12,too_old:3", since the start.
std::string refusals(const clock::ReceiveStatus& receive) {
  using clock::StampVerdict;
  std::string text;
  for (auto v = static_cast<std::size_t>(StampVerdict::missing); v < receive.hardware.size(); ++v)
    if (const std::uint64_t n = receive.hardware[v] + receive.xdp_program[v]; n != 0)
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", name(static_cast<StampVerdict>(v)), n);
  return text.empty() ? "none" : text;
}

void tell_rung(os::Log& log, const PortInfo& info, const clock::ReceiveLadder::Change& change) {
  if (change.to == change.from) {
    const auto& r = info.receive;
    const auto best = r.offers_hardware      ? ReceiveRung::hardware
                      : r.offers_xdp_program ? ReceiveRung::xdp_program
                                             : ReceiveRung::tsc;
    log.info("{}",
             os::fields("receive rung", "port", info.name, "rung", name(change.to), "best", name(best)));
    return;
  }
  if (change.to < change.from) {
    log.info("{}", os::fields("receive rung", "port", info.name, "rung", name(change.to), "from",
                              name(change.from)));
    return;
  }
  log.warning(
      "{}", os::fields("receive rung", "port", info.name, "rung", name(change.to), "from", name(change.from),
                       "why", name(change.reason), "refused", refusals(info.receive)));
}

}  // namespace

ServedPort::ServedPort(std::unique_ptr<Port> port, const clock::NicOptions& nic, bool xdp_stamps)
    : port_{std::move(port)},
      owned_{owned_port(*port_)},
      clock_{port_->config(), nic},
      transmit_{transmit_stamps(*port_, nic)},
      receive_{receive_ladder(*port_, nic, xdp_stamps)} {
  const server::DataplaneConfig& config = port_->config();
  if (config.kind != Kind::memif || config.memif_role != server::DataplaneConfig::MemifRole::server) return;
  for (unsigned queue = 0; queue < config.queues; ++queue) slots_.emplace_back(queue);
}

PortInfo ServedPort::first_info() const {
  PortInfo info;
  info.name = port_->name();
  info.driver = port_->driver();
  info.kind = port_->config().kind;
  info.mac = port_->mac();
  info.queues = port_->config().queues;
  if (kernel_) info.kernel_interface = kernel_->interface();
  return info;
}

Result<void> ServedPort::join_kernel(os::Log& log) {
  const server::DataplaneConfig& config = port_->config();
  if (config.kernel_owns_port() || (config.kernel_interface && config.kernel_interface->empty())) return {};
  os::TapOptions interface { config.kernel_interface.value_or(""), port_->mac(), {}, config.gateways };
  for (const auto& a : config.addresses) interface.addresses.push_back({a.address, a.prefix_length});
  ExceptionPath::Options wanted;
  wanted.vlan = config.vlan;
  wanted.queues = config.queues;
  wanted.pool = port_->pool(0);
  auto tap = os::Tap::create(interface);
  auto path = tap ? ExceptionPath::create(std::move(*tap), wanted) : tl::make_unexpected(tap.error());
  if (!path) {
    if (config.kernel_interface)
      return fail(
          fmt::format("{}: kernel {}: {}", describe(config), *config.kernel_interface, path.error().message));
    log.warning(
        "{}: no kernel interface ({}): only NTP, ARP, neighbour discovery and ping work there; "
        "'kernel off' says that this is meant",
        describe(config), path.error().message);
    return {};
  }
  kernel_ = std::move(*path);
  return {};
}

PortQueue ServedPort::queue(unsigned number, server::WorkerState& state) {
  const server::DataplaneConfig& config = port_->config();
  PortQueue q;
  q.port = port_->queue(number).device;
  q.queue = port_->queue(number).queue;
  q.pool = port_->pool(number);
  q.state = &state;
  q.xdp_metadata = config.kind == Kind::af_xdp;
  q.nic_stamps = port_->nic_stamps();
  if (receive_.status().offers_hardware) q.nic_stamps.clock = &clock_.snapshot();
  if (transmit_) q.transmit = transmit_->path();
  if (!config.kernel_owns_port()) {
    q.owned = &owned_;
    q.announce = number == 0 ? &announce_ : nullptr;
  }
  if (config.kind == Kind::memif) {
    q.serve = &serve_;
    q.awaits_peer = true;
    if (!slots_.empty()) q.slots = &slots_[number];
  }
  if (kernel_) {
    q.kernel = &kernel_->lane(number);
    state.hands_over_peers = true;
  }
  return q;
}

Result<void> ServedPort::start(os::Log& log) {
  if (auto done = port_->start(); !done) return done;
  const std::uint16_t device = port_->queue(0).device;
  if (auto done = clock_.start(device, log); !done) return done;
  if (!transmit_) {
    log.info("{}", os::fields("transmit timestamps", "port", port_->name(), "rung",
                              name(clock::TransmitRung::plain), "launch", "no", "stamps", "no"));
    return {};
  }
  const auto status = clock_.status();
  transmit_->start(ethdev_transmit_calls(device), status && status->method == "timesync", log);
  return {};
}

void ServedPort::refresh_clock(clock::NicTimekeeper::Moment moment, os::Log& log) {
  moment.now = os::read_tsc_ordered();
  moment.wall = os::wall_now();
  moment.idle = std::chrono::steady_clock::now() - stamped_ > kIdle;
  clock_.refresh(moment, link_speed_);
  if (transmit_) transmit_->refresh(nic_snapshot(clock_), link_speed_, moment.now, log);
}

void ServedPort::sample_transmit() {
  if (samples_transmits()) transmit_->sample(nic_snapshot(clock_), os::read_tsc_ordered());
}

void ServedPort::look(std::span<const server::WorkerState* const> states, os::Log& log, PortInfo& info) {
  clock_.tell(log);
  info.clock = clock_.status();
  info.clock_device = clock_.device();
  if (transmit_) info.transmit = transmit_->status();
  const bool was_up = info.link_up;
  info.link_up = port_->link_up();
  info.link_speed = link_speed_ = port_->link_speed();
  info.statistics = port_->statistics();
  if (info.link_up != was_up)
    log.info("{}", os::fields("data plane link", "port", info.name, "state", info.link_up ? "up" : "down"));
  if (info.link_up && !was_up) announcements_left_ = kAnnouncements;
  if (info.link_up && announcements_left_ > 0) {
    --announcements_left_;
    announce_.store(true, std::memory_order_relaxed);
  }
  look_at_stamps(states, log, info);
}

// On which rung the port stands.
void ServedPort::look_at_stamps(std::span<const server::WorkerState* const> states, os::Log& log,
                                PortInfo& info) {
  clock::StampCounts hardware{}, xdp_program{};
  for (const server::WorkerState* state : states) {
    if (state->port != info.name) continue;
    state->nic_stamps.add_to(hardware);
    state->xdp_stamps.add_to(xdp_program);
  }
  const clock::ReceiveStatus before = info.receive;
  const auto now = std::chrono::steady_clock::now();
  if (hardware != before.hardware) stamped_ = now;
  const auto change =
      receive_.look(now.time_since_epoch(), info.clock && info.clock->ready, hardware, xdp_program);
  info.receive = receive_.status();
  clock_.set_probation(receive_.hardware_on_probation());
  if (change) {
    tell_rung(log, info, *change);
  } else if (info.receive.refused() > before.refused()) {
    log.limited(os::LogLevel::info, "receive stamps " + info.name, std::chrono::hours{1}, "{}",
                os::fields("receive stamps not used", "port", info.name, "rung", name(info.receive.rung),
                           "refused", refusals(info.receive)));
  }
}

}  // namespace wiretime::dpdk
