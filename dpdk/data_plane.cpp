// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/data_plane.hpp"

#include <fmt/format.h>
#include <rte_launch.h>

#include <algorithm>

#include "base/random.hpp"
#include "dpdk/client_memory.hpp"
#include "dpdk/devargs.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/interface.hpp"
#include "dpdk/memif_links.hpp"
#include "dpdk/pci_device.hpp"
#include "dpdk/placement.hpp"
#include "dpdk/receive_time.hpp"
#include "dpdk/served_port.hpp"
#include "dpdk/worker.hpp"

namespace wiretime::dpdk {

namespace {

constexpr std::chrono::seconds kPulseTimeout{3};

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
    const auto nic = ports_.size() < options.nics.size() ? options.nics[ports_.size()] : clock::NicOptions{};
    auto served =
        std::make_unique<ServedPort>(std::move(*port), nic, contains(options.nic_stamp_xdp, config.device));
    if (auto done = served->join_kernel(log_); !done) return done;
    infos_.push_back(served->first_info());
    ports_.push_back(std::move(served));
  }
  return {};
}

void DataPlane::make_workers(const DataPlaneOptions& options) {
  const auto now = std::chrono::steady_clock::now();
  for (unsigned number = 0; number < eal_->worker_count(); ++number)
    workers_.push_back(std::make_unique<Worker>(number, options.idle, channels_, *offsets_));
  pulses_.assign(workers_.size(), {0, now});

  for (const PlacedQueue& q : placed_) {
    ServedPort& served = *ports_[q.port];
    workers_[q.worker]->add_queue(served.queue(q.queue, state_of(served.port(), q.worker, options)));
  }

  std::vector<MemifLinks::Link> links;
  for (auto& served : ports_)
    if (served->port().config().kind == server::DataplaneConfig::Kind::memif)
      links.push_back({&served->port(), &served->serve(), served->slots()});
  std::vector<Worker*> workers;
  for (auto& worker : workers_) workers.push_back(worker.get());
  memif_links_ = std::make_unique<MemifLinks>(std::move(links), std::move(workers));
}

server::WorkerState& DataPlane::state_of(const Port& port, unsigned worker, const DataPlaneOptions& options) {
  for (const auto& state : states_)
    if (state->worker == worker && state->port == port.name()) return *state;
  std::unique_ptr<ntp::ClientTable> clients;
  if (options.client_log)
    clients = std::make_unique<ntp::ClientTable>(options.clients, options.secret, client_memory);
  const std::uint64_t number = states_.size() + 1;
  const std::array<std::uint64_t, 2> seed{mix64(options.secret[0] + number),
                                          mix64(options.secret[1] ^ number)};
  states_.push_back(std::make_unique<server::WorkerState>(port.name(), worker, seed, std::move(clients)));
  state_view_.push_back(states_.back().get());
  return *states_.back();
}

Result<void> DataPlane::launch() {
  for (auto& served : ports_)
    if (auto done = served->start(log_); !done) return done;
  for (unsigned number = 0; number < workers_.size(); ++number) {
    const int code = rte_eal_remote_launch(run_worker, workers_[number].get(), Eal::worker_lcore(number));
    if (code != 0) return fail(fmt::format("worker {} does not start: DPDK's lcore is busy", number));
  }
  for (std::size_t i = 0; i < ports_.size(); ++i) tell_opened(i);
  return {};
}

void DataPlane::tell_opened(std::size_t number) {
  const Port& port = ports_[number]->port();
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
  for (std::size_t i = 0; i < ports_.size(); ++i) ports_[i]->look(state_view_, log_, infos_[i]);
  check_pulse();
  pass_on_driver_log();
}

void DataPlane::refresh_clocks() {
  clock::NicTimekeeper::Moment moment;
  (void)channels_.time.try_load(moment.time);
  moment.tai_offset =
      static_cast<int>(-offsets_->from_tai_ns.load(std::memory_order_relaxed) / 1'000'000'000);
  for (auto& served : ports_) served->refresh_clock(moment, log_);
}

bool DataPlane::samples_transmits() const {
  return std::any_of(ports_.begin(), ports_.end(),
                     [](const auto& served) { return served->samples_transmits(); });
}

void DataPlane::sample_transmits() {
  for (auto& served : ports_) served->sample_transmit();
}

std::vector<int> DataPlane::descriptors() const {
  std::vector<int> all;
  for (const auto& served : ports_)
    if (served->kernel())
      for (const int fd : served->kernel()->descriptors()) all.push_back(fd);
  return all;
}

void DataPlane::carry_frames() {
  for (auto& served : ports_)
    if (served->kernel()) served->kernel()->carry();
}

std::vector<std::pair<std::string_view, std::uint64_t>> DataPlane::kernel_frames(std::size_t port) const {
  std::vector<std::pair<std::string_view, std::uint64_t>> frames;
  if (port >= ports_.size() || !ports_[port]->kernel()) return frames;
  const auto counts = ports_[port]->kernel()->counts();
  for (std::size_t i = 0; i < counts.size(); ++i)
    frames.emplace_back(dpdk::name(static_cast<KernelFrame>(i)), counts[i]);
  return frames;
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
