// SPDX-License-Identifier: BSD-3-Clause
#include "control/controller.hpp"

#include <algorithm>

#include "control/key_file.hpp"
#include "control/policy.hpp"
#include "os/kernel_clock.hpp"
#include "os/random.hpp"
#include "os/resolver.hpp"
#include "os/tsc.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kReadingInterval = 10ms;
constexpr unsigned kReadingAttempts = 10;
constexpr Nanoseconds kNicClockInterval = 100ms;
constexpr Nanoseconds kTransmitSampleInterval = 5ms;

NtpEndpointSettings ntp_settings(const Settings& s) {
  return {s.port, s.bind_address_v4, s.bind_address_v6, s.bind_device, s.dscp};
}

TimePublisher::Settings time_settings(const Settings& s) {
  TimePublisher::Settings settings;
  settings.local = local_config(s);
  settings.precision = s.clock_precision ? precision_of(*s.clock_precision) : measure_precision(os::wall_now);
  settings.dispersion_growth_ppb =
      static_cast<std::uint32_t>(std::clamp(s.max_clock_error_ppm, 0.0, 1e6) * 1000.0);
  return settings;
}

std::unique_ptr<server::Tables> make_tables(const Settings& s, const ntp::AccessRules& rules,
                                            const ntp::KeyTable& keys, server::LocalAddresses host_addresses,
                                            const std::vector<IpAddress>& peers) {
  auto tables = std::make_unique<server::Tables>();
  tables->access = ntp::AccessList{rules};
  tables->keys = keys;
  tables->host_addresses = std::move(host_addresses);
  tables->peers = peers;
  tables->ntp_port = s.port != 0 ? s.port : std::uint16_t{123};
  tables->dscp = static_cast<std::uint8_t>(s.dscp);
  tables->rate_limit = ntp_rate_limit(s.rate_limit);
  return tables;
}

}  // namespace

// What create() had to fetch, and could fail to.
struct Controller::Parts {
  ntp::AccessRules ntp_access;
  ntp::AccessRules command_access;
  std::array<std::uint64_t, 2> seed{};
  std::array<std::uint64_t, 2> client_secret{};
};

Result<std::unique_ptr<Controller>> Controller::create(const Config& config, Environment environment) {
  const auto resolve = [](const std::string& name) { return os::resolve(name); };
  auto ntp_rules = access_rules(config.access_rules, resolve);
  if (!ntp_rules) return tl::make_unexpected(ntp_rules.error());
  auto command_rules = access_rules(config.command_access_rules, resolve);
  if (!command_rules) return tl::make_unexpected(command_rules.error());
  const auto random = os::random_value<std::array<std::array<std::uint64_t, 2>, 2>>();
  if (!random) return tl::make_unexpected(random.error());
  Parts parts{std::move(*ntp_rules), std::move(*command_rules), (*random)[0], (*random)[1]};
  std::unique_ptr<Controller> controller{new Controller(config, std::move(environment), std::move(parts))};
  (void)controller->read_keys();  // has logged why not; chronyd starts as well
  if (auto ok = controller->make_upstream(); !ok) return tl::make_unexpected(ok.error());
  return controller;
}

Controller::Controller(const Config& config, Environment environment, Parts parts)
    : config_{config},
      environment_{std::move(environment)},
      state_{make_tables(config_, parts.ntp_access, {}, {}, {}), time_settings(config_), parts.seed,
             config_.no_client_log ? nullptr
                                   : std::make_unique<ntp::ClientTable>(client_capacities(config_).kernel,
                                                                        parts.client_secret)},
      report_{state_},
      commands_{*this},
      stamps_{environment_.loop, environment_.log},
      ntp_{environment_.loop, state_.channels.tables, state_.kernel,
           [this] { return state_.time.kernel_snapshot(state_.uptime()); }, ntp_settings(config_)},
      command_{{environment_.loop, report_, commands_, state_.command_clients.get(),
                ntp_rate_limit(config_.command_rate_limit), state_.command_counts,
                [this](const IpAddress& a) { return state_.command_access.allows(a); },
                [this] { return uptime_sixteenths(state_.uptime()); }},
               open_commands(config_)},
      metrics_{environment_.loop, report_} {
  ntp_.use_hardware(stamps_);
  state_.ntp_access = std::move(parts.ntp_access);
  state_.command_access = std::move(parts.command_access);
}

void Controller::publish_tables() {
  state_.channels.tables.publish(make_tables(config_, state_.ntp_access, state_.keys,
                                             server::LocalAddresses{host_addresses_, host_broadcasts_},
                                             data_plane_peers_));
}

// --- time ---

void Controller::refresh_reference() {
  const WallTime now = served_time(os::wall_now());
  clock::ClockState clock_state;
  if (follows_sources())
    clock_state = upstream_->manager().clock_state();
  else if (const auto kernel = os::kernel_clock_status())
    clock_state = clock_state_of(*kernel, state_.time.local(), now);
  else
    environment_.log.limited(os::LogLevel::warning, "adjtimex", 1h, "{}", kernel.error().message);
  state_.time.refresh_reference(clock_state, state_.uptime(), now);
  if (serving_) tell_synchronisation();
}

void Controller::tell_synchronisation() {
  const auto line = notice_.update({state_.time.served(), state_.time.clock_state(), state_.time.local(),
                                    follows_sources(), environment_.config_file},
                                   state_.uptime());
  if (line) environment_.log.write(line->warning ? os::LogLevel::warning : os::LogLevel::info, line->text);
}

void Controller::take_reading() {
  clock::CrossReading reading = os::cross_read(os::read_tsc_ordered, kReadingAttempts);
  reading.time = served_time(reading.time);
  state_.time.add_reading(reading, state_.uptime());
}

void Controller::clock_stepped() {
  state_.time.clock_was_set();
  take_reading();
  refresh_reference();
  take_reading();  // with the new reference
  if (state_.data_plane != nullptr) state_.data_plane->tick();
  environment_.log.limited(os::LogLevel::info, "clock step", 10s, "The system clock was set: following it");
}

void Controller::every_second() {
  refresh_reference();
  state_.channels.tables.reclaim();
  for (server::WorkerState* state : state_.states())
    state->timestamp_span.look(os::monotonic_now(), state->newest_exchange.load(std::memory_order_relaxed));
  if (state_.data_plane == nullptr) return;
  state_.data_plane->tick();
  tell_peers();
}

void Controller::tell_peers() {
  std::vector<IpAddress> peers;
  const SourceManager& sources = upstream_->manager();
  for (std::uint32_t i = 0; i < sources.source_count(); ++i)
    if (const auto s = sources.source(i); s->mode == status::SourceMode::peer && !s->address.unresolved)
      peers.push_back(s->address.ip);
  std::sort(peers.begin(), peers.end());
  if (peers == data_plane_peers_) return;
  data_plane_peers_ = std::move(peers);
  state_.data_plane->peers_changed(data_plane_peers_);
  publish_tables();
}

// --- data plane ---

Result<void> Controller::prepare_data_plane() {
  if (!os::tsc_is_invariant())
    environment_.log.warning(
        "this CPU does not say that its time-stamp counter runs at a constant rate: time served by the data "
        "plane "
        "may be wrong by more than its error bound");
  refresh_reference();
  take_reading();
  read_host_addresses();
  if (auto ok = environment_.loop.on_clock_step([this] { clock_stepped(); }); !ok) return ok;
  environment_.loop.every(kReadingInterval, [this] { take_reading(); });
  environment_.loop.every(kNicClockInterval, [this] {
    if (state_.data_plane != nullptr) state_.data_plane->refresh_clocks();
  });
  auto watcher = os::InterfaceWatcher::open();
  if (!watcher) {
    environment_.log.warning("{}; looking for changed addresses every 10 s instead", watcher.error().message);
    environment_.loop.every(10s, [this] { read_host_addresses(); });
    return {};
  }
  interface_watcher_.emplace(std::move(*watcher));
  environment_.loop.watch(interface_watcher_->fd(), os::kReadable, [this](os::Ready) {
    if (interface_watcher_->take_changes()) read_host_addresses();
  });
  return {};
}

void Controller::read_host_addresses() {
  const auto interfaces = os::list_interfaces();
  if (!interfaces) {
    environment_.log.limited(os::LogLevel::warning, "interfaces", 1min, "{}", interfaces.error().message);
    return;
  }
  std::vector<IpAddress> addresses;
  std::vector<IpAddress> broadcasts;
  std::vector<unsigned> copied;
  std::vector<std::string> copied_names;
  if (state_.data_plane != nullptr) copied_names = state_.data_plane->copied_interfaces();
  for (const os::Interface& interface : *interfaces) {
    if (std::find(copied_names.begin(), copied_names.end(), interface.name) != copied_names.end())
      copied.push_back(interface.index);
    if (interface.loopback) continue;
    for (const auto& a : interface.addresses) {
      addresses.push_back(a.address);
      // Whatever `ip address add` was told, or not told, about a broadcast address.
      for (const auto& b : {a.broadcast, subnet_broadcast(a.address, a.prefix_length)})
        if (b && *b != a.address) broadcasts.push_back(*b);
    }
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  ntp_.leave_to_data_plane(std::move(copied));
  if (addresses == host_addresses_ && broadcasts == host_broadcasts_) return;
  host_addresses_ = std::move(addresses);
  host_broadcasts_ = std::move(broadcasts);
  publish_tables();
  if (state_.data_plane != nullptr) state_.data_plane->addresses_changed(host_addresses_);
}

void Controller::attach_data_plane(DataPlaneView& view) {
  state_.data_plane = &view;
  if (view.samples_transmits())
    environment_.loop.every(kTransmitSampleInterval, [this] {
      if (state_.data_plane != nullptr) state_.data_plane->sample_transmits();
    });
  take_reading();  // EAL took its time: publish before the loop gets its turn
  host_addresses_.clear();
  read_host_addresses();
  for (const int fd : view.descriptors())
    data_plane_watches_.push_back(
        environment_.loop.watch(fd, os::kReadable, [this](os::Ready) { state_.data_plane->carry_frames(); }));
}

void Controller::detach_data_plane() {
  for (const auto watch : data_plane_watches_) environment_.loop.unwatch(watch);
  data_plane_watches_.clear();
  state_.data_plane = nullptr;
}

// --- commands ---

void Controller::set_local(const clock::LocalConfig& local) {
  state_.time.set_local(local);
  refresh_reference();
  if (state_.data_plane != nullptr) take_reading();  // workers learn it now, not at the next reading
}

std::chrono::duration<double> Controller::default_orphan_wait() const {
  return control::default_orphan_wait(config_);
}

bool Controller::access_changed() {
  publish_tables();
  bool ok = true;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!state_.ntp_access.allows_anything(family)) continue;
    if (auto opened = open_ntp_socket(family); !opened) {
      environment_.log.error("{}", opened.error().message);
      ok = false;
    }
  }
  return ok;
}

bool Controller::cycle_logs() {
  upstream_->cycle_logs();
  const auto reopened = environment_.log.reopen();
  if (!reopened) environment_.log.error("{}", reopened.error().message);
  return reopened.has_value();
}

bool Controller::read_keys() {
  if (config_.key_file.empty()) return true;
  auto file = read_key_file(config_.key_file);
  if (!file) {
    environment_.log.warning("{}", file.error().message);
    return false;
  }
  for (const Warning& warning : file->warnings) environment_.log.warning("{}", warning.to_string());
  environment_.log.info("Read {} key{} from {}", file->keys.size(), file->keys.size() == 1 ? "" : "s",
                        config_.key_file);
  state_.keys = std::move(file->keys);
  publish_tables();
  return true;
}

bool Controller::reread_keys() {
  if (!read_keys()) return false;
  upstream_->manager().keys_changed();
  return true;
}

void Controller::begin_shutdown() {
  environment_.log.info("Received shutdown command");
  environment_.loop.stop();
}

}  // namespace wiretime::control
