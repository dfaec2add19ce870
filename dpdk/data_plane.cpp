// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/data_plane.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_launch.h>

#include <algorithm>

#include "base/random.hpp"
#include "dpdk/client_memory.hpp"
#include "dpdk/devargs.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/exception_path.hpp"
#include "dpdk/interface.hpp"
#include "dpdk/memif_links.hpp"
#include "dpdk/pci_device.hpp"
#include "dpdk/placement.hpp"
#include "dpdk/port.hpp"
#include "dpdk/port_clock.hpp"
#include "dpdk/receive_time.hpp"
#include "dpdk/transmit_stamps.hpp"
#include "dpdk/worker.hpp"
#include "os/kernel_clock.hpp"
#include "os/tsc.hpp"

namespace wiretime::dpdk {

namespace {

constexpr std::chrono::seconds kPulseTimeout{3};
constexpr std::chrono::minutes kIdle{1};  // without stamps: NIC clocks may be read less often
constexpr unsigned kAnnouncements = 3;    // after a link came up: the far side may be slow to listen

Result<void> check(const DataPlaneOptions& options) {
  if (options.ports.empty()) return fail("no dataplane line: nothing for DPDK to do");
  // Before DPDK starts, which takes a second; whether it will have hugepages is not known yet.
  for (const auto& port : options.ports) {
    if (port.kind != server::DataplaneConfig::Kind::pci) continue;
    if (const auto why = pci_obstacle(read_pci_device(port.device), port.device, true, 0))
      return fail(fmt::format("{}: {}", describe(port), *why));
  }
  return check_queues(options.ports, options.worker_cpus.size(), RTE_MAX_ETHPORTS);
}

EalOptions eal_options(const DataPlaneOptions& options) {
  EalOptions eal = EalOptions::for_ports(options.ports);
  eal.worker_cpus = options.worker_cpus;
  eal.control_cpu = options.control_cpu;
  eal.hugepages = options.hugepages;
  return eal;
}

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

int run_worker(void* worker) {
  static_cast<Worker*>(worker)->run();
  return 0;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string format_mac(const net::MacAddress& mac) {
  std::string text;
  for (const std::byte b : mac)
    text += fmt::format("{}{:02x}", text.empty() ? "" : ":", std::to_integer<unsigned>(b));
  return text;
}

}  // namespace

struct DataPlane::ServedPort {
  std::unique_ptr<Port> port;
  OwnedPort owned;
  std::atomic<bool> announce{false};  // writers: control thread sets, worker clears
  std::atomic<bool> serve{false};     // memif: writer MemifLinks; readers: workers
  unsigned announcements_left = 0;
  std::unique_ptr<PortClock> clock{};
  std::unique_ptr<TransmitStamps> transmit{};  // null: the plain rung, for good
  std::unique_ptr<ExceptionPath> kernel{};
  std::uint32_t link_speed = 0;  // Mbit/s
  clock::ReceiveLadder receive{false, false};
  std::chrono::steady_clock::time_point stamped{};  // when the last stamp of the NIC was seen
};

DataPlane::DataPlane(server::Channels& channels, os::Log& log)
    : channels_(channels), log_(log), offsets_(std::make_unique<ClockOffsets>()) {}

bool DataPlane::hugepages() const {
  return eal_->hugepages();
}

Result<std::unique_ptr<DataPlane>> DataPlane::start(const DataPlaneOptions& options,
                                                    server::Channels& channels, os::Log& log) {
  if (auto ok = check(options); !ok) return tl::make_unexpected(ok.error());
  std::unique_ptr<DataPlane> plane{new DataPlane{channels, log}};
  auto eal = Eal::start(eal_options(options), plane->driver_log_);
  if (!eal) return plane->pass_on_driver_log(), tl::make_unexpected(eal.error());
  plane->eal_ = std::move(*eal);
  plane->offsets_->update();
  plane->place(options);
  if (auto done = plane->open_ports(options); !done)
    return plane->pass_on_driver_log(), tl::make_unexpected(done.error());
  plane->make_workers(options);
  if (auto done = plane->launch(); !done)
    return plane->pass_on_driver_log(), tl::make_unexpected(done.error());
  plane->tick();
  return plane;
}

void DataPlane::place(const DataPlaneOptions& options) {
  std::vector<int> worker_nodes{kUnknownNode};
  if (!options.worker_cpus.empty()) worker_nodes.clear();
  for (const unsigned cpu : options.worker_cpus) worker_nodes.push_back(numa_node_of_cpu(cpu));
  std::vector<int> queue_nodes;
  for (const auto& port : options.ports) queue_nodes.insert(queue_nodes.end(), port.queues, numa_node(port));
  const auto homes = place_queues(queue_nodes, worker_nodes);

  for (std::size_t port = 0; port < options.ports.size(); ++port) {
    for (unsigned q = 0; q < options.ports[port].queues; ++q) {
      const unsigned worker = homes[placed_.size()];
      const unsigned cpu = options.worker_cpus.empty() ? 0 : options.worker_cpus[worker];
      placed_.push_back({port, options.ports[port].device, q, queue_nodes[placed_.size()], worker, cpu,
                         worker_nodes[worker]});
    }
  }
  for (const std::string& warning : remote_warnings(placed_)) log_.warning("{}", warning);
}

Result<void> DataPlane::open_ports(const DataPlaneOptions& options) {
  for (const auto& config : options.ports) {
    PortOptions wanted;
    wanted.number = static_cast<unsigned>(ports_.size());
    wanted.copy_mode = contains(options.generic_xdp, config.device);
    for (const PlacedQueue& q : placed_)
      if (q.port == ports_.size()) wanted.nodes.push_back(q.node != kUnknownNode ? q.node : q.cpu_node);
    auto port = Port::open(config, wanted, driver_log_);
    if (!port) return tl::make_unexpected(port.error());
    auto served = std::make_unique<ServedPort>();
    served->port = std::move(*port);
    served->owned = owned_port(*served->port);
    const auto nic_options =
        ports_.size() < options.nics.size() ? options.nics[ports_.size()] : clock::NicOptions{};
    served->clock = std::make_unique<PortClock>(config, nic_options);
    const bool nic = (served->port->nic_stamps().flag != 0 && !nic_options.no_receive_stamps) ||
                     contains(options.nic_stamp_xdp, config.device);
    served->receive = clock::ReceiveLadder{nic, config.kind == server::DataplaneConfig::Kind::af_xdp};
    const Port& p = *served->port;
    if (config.kind == server::DataplaneConfig::Kind::pci) {
      TransmitStamps::Options compensated;
      compensated.compensation = nic_options.transmit_compensation;
      served->transmit = std::make_unique<TransmitStamps>(p.name(), p.launch_field(),
                                                          static_cast<double>(rte_get_tsc_hz()), compensated);
    } else {
      log_.info("{}", os::fields("transmit timestamps", "port", p.name(), "rung",
                                 name(clock::TransmitRung::plain), "launch", "no", "stamps", "no"));
    }
    infos_.push_back(
        {p.name(), p.driver(), config.kind, p.mac(), config.queues, false, 0, {}, {}, {}, {}, {}, {}});
    ports_.push_back(std::move(served));
    if (auto done = join_kernel(*ports_.back(), infos_.back()); !done) return done;
  }
  return {};
}

// An interface asked for by name has to be there; another is made if it can be.
Result<void> DataPlane::join_kernel(ServedPort& served, PortInfo& info) {
  const server::DataplaneConfig& config = served.port->config();
  if (config.kernel_owns_port() || (config.kernel_interface && config.kernel_interface->empty())) return {};
  os::TapOptions interface { config.kernel_interface.value_or(""), info.mac, {}, config.gateways };
  for (const auto& a : config.addresses) interface.addresses.push_back({a.address, a.prefix_length});
  ExceptionPath::Options wanted;
  wanted.vlan = config.vlan;
  wanted.queues = config.queues;
  wanted.pool = served.port->pool(0);
  auto tap = os::Tap::create(interface);
  auto path = tap ? ExceptionPath::create(std::move(*tap), wanted) : tl::make_unexpected(tap.error());
  if (!path) {
    if (config.kernel_interface)
      return fail(
          fmt::format("{}: kernel {}: {}", describe(config), *config.kernel_interface, path.error().message));
    log_.warning(
        "{}: no kernel interface ({}): only NTP, ARP, neighbour discovery and ping work there; "
        "'kernel off' says that this is meant",
        describe(config), path.error().message);
    return {};
  }
  served.kernel = std::move(*path);
  info.kernel_interface = served.kernel->interface();
  return {};
}

void DataPlane::make_workers(const DataPlaneOptions& options) {
  const auto now = std::chrono::steady_clock::now();
  for (unsigned number = 0; number < eal_->worker_count(); ++number)
    workers_.push_back(std::make_unique<Worker>(number, options.idle, channels_, *offsets_));
  pulses_.assign(workers_.size(), {0, now});

  for (const PlacedQueue& q : placed_) add_queue(*ports_[q.port], q, options);

  std::vector<MemifLinks::Link> links;
  for (auto& served : ports_)
    if (served->port->config().kind == server::DataplaneConfig::Kind::memif)
      links.push_back({served->port.get(), &served->serve});
  std::vector<Worker*> workers;
  for (auto& worker : workers_) workers.push_back(worker.get());
  memif_links_ = std::make_unique<MemifLinks>(std::move(links), std::move(workers));
}

void DataPlane::add_queue(ServedPort& served, const PlacedQueue& placed, const DataPlaneOptions& options) {
  const Port& port = *served.port;
  const bool owned = !port.config().kernel_owns_port();
  PortQueue q;
  q.port = port.queue(placed.queue).device;
  q.queue = port.queue(placed.queue).queue;
  q.pool = port.pool(placed.queue);
  q.state = state_of(port, placed.worker, options);
  q.owned = owned ? &served.owned : nullptr;
  q.nic_stamps = port.nic_stamps();
  if (served.transmit) q.transmit = served.transmit->path();
  q.xdp_metadata = port.config().kind == server::DataplaneConfig::Kind::af_xdp;
  if (served.receive.status().offers_hardware) q.nic_stamps.clock = &served.clock->snapshot();
  if (port.config().kind == server::DataplaneConfig::Kind::memif) {
    q.serve = &served.serve;
    q.awaits_peer = true;
  }
  if (served.kernel) {
    q.kernel = &served.kernel->lane(placed.queue);
    q.state->hands_over_peers = true;
  }
  q.announce = owned && placed.queue == 0 ? &served.announce : nullptr;
  workers_[placed.worker]->add_queue(q);
}

server::WorkerState* DataPlane::state_of(const Port& port, unsigned worker, const DataPlaneOptions& options) {
  for (const auto& state : states_)
    if (state->worker == worker && state->port == port.name()) return state.get();
  std::unique_ptr<ntp::ClientTable> clients;
  if (options.client_log)
    clients = std::make_unique<ntp::ClientTable>(options.clients, options.secret, client_memory);
  const std::uint64_t number = states_.size() + 1;
  const std::array<std::uint64_t, 2> seed{mix64(options.secret[0] + number),
                                          mix64(options.secret[1] ^ number)};
  states_.push_back(std::make_unique<server::WorkerState>(port.name(), worker, seed, std::move(clients)));
  state_view_.push_back(states_.back().get());
  return states_.back().get();
}

Result<void> DataPlane::launch() {
  for (auto& served : ports_) {
    if (auto done = served->port->start(); !done) return done;
    const std::uint16_t device = served->port->queue(0).device;
    if (auto done = served->clock->start(device, log_); !done) return done;
    if (!served->transmit) continue;
    const auto clock = served->clock->status();
    served->transmit->start(ethdev_transmit_calls(device), clock && clock->method == "timesync", log_);
  }
  for (unsigned number = 0; number < workers_.size(); ++number) {
    const int code = rte_eal_remote_launch(run_worker, workers_[number].get(), Eal::worker_lcore(number));
    if (code != 0) return fail(fmt::format("worker {} does not start: DPDK's lcore is busy", number));
  }
  for (std::size_t i = 0; i < ports_.size(); ++i) tell_opened(i);
  return {};
}

void DataPlane::tell_opened(std::size_t number) {
  const Port& port = *ports_[number]->port;
  const PortInfo& info = infos_[number];
  std::string workers;
  for (const PlacedQueue& q : placed_)
    if (q.port == number) workers += fmt::format("{}{}", workers.empty() ? "" : ",", q.worker);
  log_.info("{}", os::fields("data plane port opened", "port", info.name, "driver", info.driver, "mac",
                             format_mac(info.mac), "queues", info.queues, "workers", workers, "hash",
                             info.queues > 1 ? name(port.spread()) : "none", "hugepages",
                             hugepages() ? "yes" : "no"));
  if (!info.kernel_interface.empty())
    log_.info("{}", os::fields("kernel interface made for data plane port", "port", info.name, "interface",
                               info.kernel_interface, "mac", format_mac(info.mac)));
  for (const std::string& warning :
       spread_warnings(port.config(), port.spread(), receive_queues(port.name())))
    log_.warning("{}", warning);
}

DataPlane::~DataPlane() {
  for (auto& worker : workers_) worker->stop();
  for (unsigned number = 0; number < workers_.size(); ++number) rte_eal_wait_lcore(Eal::worker_lcore(number));
  memif_links_.reset();
  workers_.clear();
  ports_.clear();
  eal_.reset();
  pass_on_driver_log();
}

void DataPlane::tick() {
  offsets_->update();
  memif_links_->update();
  for (std::size_t i = 0; i < ports_.size(); ++i) look_at(*ports_[i], infos_[i]);
  check_pulse();
  pass_on_driver_log();
}

void DataPlane::refresh_clocks() {
  clock::NicTimekeeper::Moment moment;
  (void)channels_.time.try_load(moment.time);
  moment.tai_offset =
      static_cast<int>(-offsets_->from_tai_ns.load(std::memory_order_relaxed) / 1'000'000'000);
  for (auto& served : ports_) {
    moment.now = os::read_tsc_ordered();
    moment.wall = os::wall_now();
    moment.idle = std::chrono::steady_clock::now() - served->stamped > kIdle;
    served->clock->refresh(moment, served->link_speed);
    if (served->transmit)
      served->transmit->refresh(nic_snapshot(*served->clock), served->link_speed, moment.now, log_);
  }
}

bool DataPlane::samples_transmits() const {
  return std::any_of(ports_.begin(), ports_.end(),
                     [](const auto& served) { return served->transmit && served->transmit->samples(); });
}

void DataPlane::sample_transmits() {
  for (auto& served : ports_)
    if (served->transmit && served->transmit->samples())
      served->transmit->sample(nic_snapshot(*served->clock), os::read_tsc_ordered());
}

std::vector<int> DataPlane::descriptors() const {
  std::vector<int> all;
  for (const auto& served : ports_)
    if (served->kernel)
      for (const int fd : served->kernel->descriptors()) all.push_back(fd);
  return all;
}

void DataPlane::carry_frames() {
  for (auto& served : ports_)
    if (served->kernel) served->kernel->carry();
}

std::vector<std::pair<std::string_view, std::uint64_t>> DataPlane::kernel_frames(std::size_t port) const {
  std::vector<std::pair<std::string_view, std::uint64_t>> frames;
  if (port >= ports_.size() || !ports_[port]->kernel) return frames;
  const auto counts = ports_[port]->kernel->counts();
  for (std::size_t i = 0; i < counts.size(); ++i)
    frames.emplace_back(dpdk::name(static_cast<KernelFrame>(i)), counts[i]);
  return frames;
}

void DataPlane::look_at(ServedPort& served, PortInfo& info) {
  served.clock->tell(log_);
  info.clock = served.clock->status();
  info.clock_device = served.clock->device();
  if (served.transmit) info.transmit = served.transmit->status();
  const bool was_up = info.link_up;
  info.link_up = served.port->link_up();
  info.link_speed = served.link_speed = served.port->link_speed();
  info.statistics = served.port->statistics();
  if (info.link_up != was_up)
    log_.info("{}", os::fields("data plane link", "port", info.name, "state", info.link_up ? "up" : "down"));
  if (info.link_up && !was_up) served.announcements_left = kAnnouncements;
  if (info.link_up && served.announcements_left > 0) {
    --served.announcements_left;
    served.announce.store(true, std::memory_order_relaxed);
  }
  look_at_stamps(served, info);
}

// On which rung the port stands.
void DataPlane::look_at_stamps(ServedPort& served, PortInfo& info) {
  clock::StampCounts hardware{}, xdp_program{};
  for (const server::WorkerState* state : state_view_) {
    if (state->port != info.name) continue;
    state->nic_stamps.add_to(hardware);
    state->xdp_stamps.add_to(xdp_program);
  }
  const clock::ReceiveStatus before = info.receive;
  const auto now = std::chrono::steady_clock::now();
  if (hardware != before.hardware) served.stamped = now;
  const auto change =
      served.receive.look(now.time_since_epoch(), info.clock && info.clock->ready, hardware, xdp_program);
  info.receive = served.receive.status();
  served.clock->set_probation(served.receive.hardware_on_probation());
  if (change) {
    tell_rung(log_, info, *change);
  } else if (info.receive.refused() > before.refused()) {
    log_.limited(os::LogLevel::info, "receive stamps " + info.name, std::chrono::hours{1}, "{}",
                 os::fields("receive stamps not used", "port", info.name, "rung", name(info.receive.rung),
                            "refused", refusals(info.receive)));
  }
}

void DataPlane::check_pulse() {
  const auto now = std::chrono::steady_clock::now();
  bool healthy = true;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const std::uint64_t heartbeat = workers_[i]->heartbeat();
    if (heartbeat != pulses_[i].heartbeat) pulses_[i] = {heartbeat, now};
    if (now - pulses_[i].seen < kPulseTimeout) continue;
    healthy = false;
    log_.limited(os::LogLevel::error, fmt::format("worker {} silent", i), std::chrono::minutes{1},
                 "worker {} has not run for {} s: is its CPU taken by something else?", i,
                 std::chrono::duration_cast<std::chrono::seconds>(now - pulses_[i].seen).count());
  }
  healthy_ = healthy;
}

void DataPlane::pass_on_driver_log() {
  for (const std::string& line : driver_log_.take()) log_.debug("dpdk: {}", line);
}

}  // namespace wiretime::dpdk
