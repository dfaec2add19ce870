// SPDX-License-Identifier: BSD-3-Clause
#include "control/upstream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "control/dump_files.hpp"
#include "os/files.hpp"
#include "os/kernel_clock.hpp"
#include "os/random.hpp"

namespace wiretime::control {

namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kAnswerCheck = 20ms;  // while a name is being looked up
constexpr unsigned kReadingsAtOnce = 64;    // of one reference clock

os::DriverResult open_refclock(const Refclock& config) {
  using Driver = Refclock::Driver;
  switch (config.driver) {
    case Driver::shm:
      return os::open_shm_refclock(static_cast<unsigned>(std::stoul(config.parameter)), config.permissions);
    case Driver::sock:
      return os::open_sock_refclock(config.parameter);
    case Driver::pps:
      return os::open_pps_refclock(config.parameter, config.clear);
    case Driver::phc:
      return os::open_phc_refclock(
          config.parameter, {config.nocrossts, config.extpps, config.clear, config.pin, config.channel});
    case Driver::rtc:
      break;  // never configured
  }
  return fail("refclock RTC is not supported");
}

}  // namespace

std::optional<Drift> read_drift_file(const Settings& settings, os::Log& log) {
  if (settings.drift_file.empty()) return std::nullopt;
  const auto text = os::read_file(settings.drift_file);
  if (!text) {
    log.info("{}: starting without a known frequency", text.error().message);
    return std::nullopt;
  }
  const auto drift = parse_drift(*text);
  if (drift)
    log.info("Frequency {:.3f} +/- {:.3f} ppm read from {}", drift->frequency_ppm, drift->skew_ppm,
             settings.drift_file);
  else
    log.warning(
        "Could not read valid frequency and skew from driftfile {}: expected two numbers in ppm; starting "
        "without",
        settings.drift_file);
  return drift;
}

Upstream::Upstream(const Settings& settings, SourceManager::Options options,
                   std::unique_ptr<clock::ClockDevice> device, std::optional<clock::TemperatureCurve> curve,
                   HardwareStamps& stamps, os::EventLoop& loop, os::Log& log, Callbacks callbacks)
    : settings_{settings},
      use_{options.use},
      device_{std::move(device)},
      stamps_{stamps},
      loop_{loop},
      log_{log},
      log_files_{settings.log_directory, settings.log_banner, loop, log},
      callbacks_{std::move(callbacks)},
      manager_{settings, options, *device_, *this},
      clock_files_{settings,
                   std::move(curve),
                   log,
                   {[this](auto table) { manager_.set_leap_table(std::move(table)); },
                    [this](double ppm) { return manager_.compensate_temperature(ppm); },
                    [this](const status::TemperatureRecord& r) { record(r); }}} {}

Upstream::~Upstream() {
  for (const auto timer : {resolver_timer_, clock_timer_, second_timer_}) loop_.cancel(timer);
  for (auto& [id, exchange] : exchanges_) {
    loop_.cancel(exchange.timer);
    loop_.cancel(exchange.stamp_timer);
    loop_.unwatch(exchange.watch);
  }
  for (const auto watch : refclock_watches_) loop_.unwatch(watch);
}

void Upstream::start() {
  drift_due_ = monotonic() + settings_.drift_file_interval;
  second_timer_ = loop_.every(1s, [this] { every_second(); });
  if (use_ == ClockUse::follow) clock_files_.look(monotonic(), kernel_time());
  manager_.start();
}

void Upstream::stop() {
  write_drift();
  static_cast<void>(dump());
  manager_.end();
}

bool Upstream::dump() {
  if (settings_.dump_directory.empty() || use_ != ClockUse::follow) return true;
  return write_dump_files(settings_.dump_directory, manager_.dumps(), log_);
}

// --- time -------------------------------------------------------------------------------------------------

Nanoseconds Upstream::monotonic() const {
  return os::monotonic_now();
}

WallTime Upstream::kernel_time() const {
  return os::wall_now();
}

std::array<std::uint64_t, 3> Upstream::random() {
  const auto random = os::random_value<std::array<std::uint64_t, 3>>();
  // getrandom does not fail once the kernel's pool is filled, which it was at start.
  return random ? *random : std::array<std::uint64_t, 3>{};
}

void Upstream::clock_stepped() {
  step_watch_.forget();
  callbacks_.clock_changed(true);
}

void Upstream::watch_for_steps() {
  const Nanoseconds before = os::monotonic_now();
  const WallTime wall = os::wall_now();
  if (const auto delta = step_watch_.look(before, wall, os::monotonic_now())) manager_.clock_was_set(*delta);
}

void Upstream::every_second() {
  watch_for_steps();
  if (use_ == ClockUse::follow) clock_files_.look(monotonic(), kernel_time());
  manager_.every_second();
  if (monotonic() < drift_due_) return;
  drift_due_ = monotonic() + settings_.drift_file_interval;
  write_drift();
}

void Upstream::write_drift() {
  if (settings_.drift_file.empty() || use_ != ClockUse::follow) return;
  const auto drift = manager_.take_drift();
  if (!drift) return;
  if (auto ok = os::replace_file(settings_.drift_file, format_drift(*drift)); !ok)
    log_.limited(os::LogLevel::warning, "driftfile", 1h, "{}", ok.error().message);
}

// --- sockets and timers -----------------------------------------------------------------------------------

bool Upstream::open_socket(Exchange& exchange, SourceId id, const os::Endpoint& to) {
  const bool v6 = to.address.family == Family::ipv6;
  const auto& wanted = v6 ? settings_.acquisition_address_v6 : settings_.acquisition_address_v4;
  os::Endpoint from;
  from.address = wanted.value_or(IpAddress{{}, to.address.family});
  from.port = settings_.acquisition_port;
  os::UdpOptions options;
  options.bind_device = settings_.acquisition_device;
  options.reuse_address = settings_.acquisition_port != 0;  // connected ones do not take from each other
  options.dscp = settings_.dscp;
  options.stamp_sends = true;
  options.hardware = stamps_.any();
  auto socket = os::UdpSocket::open(from, options);
  if (!socket) {
    log_.limited(os::LogLevel::warning, "client socket", 1h, "{}", socket.error().message);
    return false;
  }
  if (!socket->connect(to)) return false;
  exchange.socket.emplace(std::move(*socket));
  exchange.watch = loop_.watch(exchange.socket->fd(), os::kReadableOrStamped,
                               [this, id](os::Ready ready) { receive(id, ready); });
  return true;
}

bool Upstream::has_route(const os::Endpoint& to) {
  os::Endpoint any;
  any.address = *IpAddress::parse(to.address.family == Family::ipv6 ? "::" : "0.0.0.0");
  auto socket = os::UdpSocket::open(any, {});
  return socket && socket->connect(to);
}

bool Upstream::send(SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes,
                    ntp::SocketUse use) {
  if (use == ntp::SocketUse::server) return callbacks_.send_from_server(to, bytes);
  close_socket(id);
  Exchange& exchange = exchanges_[id];
  if (!open_socket(exchange, id, to)) return false;
  if (exchange.socket->send(bytes) == os::UdpSocket::SendResult::sent) return true;
  close_socket(id);
  return false;
}

void Upstream::close_socket(SourceId id) {
  const auto exchange = exchanges_.find(id);
  if (exchange == exchanges_.end() || !exchange->second.socket) return;
  loop_.unwatch(exchange->second.watch);
  exchange->second.watch = os::EventLoop::WatchId::none;
  loop_.cancel(exchange->second.stamp_timer);
  exchange->second.stamp_timer = os::EventLoop::TimerId::none;
  exchange->second.awaits_stamp = false;
  exchange->second.socket.reset();
}

void Upstream::receive(SourceId id, os::Ready ready) {
  watch_for_steps();
  const auto exchange = exchanges_.find(id);
  if (exchange == exchanges_.end() || !exchange->second.socket) return;
  if (ready.error || ready.priority) take_transmit_stamps(id, exchange->second);
  if (!ready.readable && !ready.error) return;
  if (exchange->second.awaits_stamp) {
    wait_for_stamp(id, exchange->second);
    return;
  }
  const auto datagrams = exchange->second.socket->receive_batch(batch_);
  if (!datagrams) return;
  for (const os::Datagram& d : *datagrams) {
    if (!d.truncated) manager_.receive(id, {d.payload, stamps_.received(d), d.peer, d.local});
    const auto still = exchanges_.find(id);  // an answer closes the socket
    if (still == exchanges_.end() || !still->second.socket) return;
  }
}

// The kernel's own stamp comes at once and says through which interface the request left.
void Upstream::take_transmit_stamps(SourceId id, Exchange& exchange) {
  for (const os::TransmitStamp& stamp : exchange.socket->transmit_stamps(batch_)) {
    if (const auto sent = stamps_.sent(stamp)) manager_.transmit_stamp(id, stamp.frame, *sent);
    if (stamp.hardware)
      stop_waiting(exchange);
    else
      exchange.awaits_stamp = stamps_.stamps_sends(stamp.interface_index);
  }
}

void Upstream::wait_for_stamp(SourceId id, Exchange& exchange) {
  if (exchange.stamp_timer != os::EventLoop::TimerId::none) return;
  constexpr os::Ready kStampsOnly{false, false, true, false};
  loop_.set_interest(exchange.watch, kStampsOnly);
  exchange.stamp_timer =
      loop_.after(std::chrono::duration_cast<Nanoseconds>(settings_.hw_timestamp_timeout), [this, id] {
        if (const auto e = exchanges_.find(id); e != exchanges_.end()) stop_waiting(e->second);
      });
}

void Upstream::stop_waiting(Exchange& exchange) {
  exchange.awaits_stamp = false;
  if (exchange.stamp_timer == os::EventLoop::TimerId::none) return;
  loop_.cancel(exchange.stamp_timer);
  exchange.stamp_timer = os::EventLoop::TimerId::none;
  loop_.set_interest(exchange.watch, os::kReadableOrStamped);
}

void Upstream::set_timer(SourceId id, std::optional<Nanoseconds> at) {
  Exchange& exchange = exchanges_[id];
  loop_.cancel(exchange.timer);
  exchange.timer = os::EventLoop::TimerId::none;
  if (!at && !exchange.socket) exchanges_.erase(id);
  if (!at) return;
  exchange.timer = loop_.after(*at - loop_.now(), [this, id] {
    exchanges_[id].timer = os::EventLoop::TimerId::none;
    watch_for_steps();
    manager_.timer(id);
  });
}

void Upstream::set_clock_timer(std::optional<Nanoseconds> delay) {
  loop_.cancel(clock_timer_);
  clock_timer_ = os::EventLoop::TimerId::none;
  if (!delay) return;
  clock_timer_ = loop_.after(*delay, [this] {
    clock_timer_ = os::EventLoop::TimerId::none;
    watch_for_steps();
    manager_.service_clock();
  });
}

// --- reference clocks -------------------------------------------------------------------------------------

Result<void> Upstream::open_refclocks() {
  for (const Refclock& config : settings_.refclocks) {
    auto driver = open_refclock(config);
    if (!driver) return tl::make_unexpected(driver.error());
    const std::size_t index = refclocks_.size();
    refclocks_.push_back(std::move(*driver));
    if (const int fd = refclocks_.back()->fd(); fd >= 0)
      refclock_watches_.push_back(
          loop_.watch(fd, os::kReadable, [this, index](os::Ready) { receive_readings(index); }));
  }
  return {};
}

std::optional<clock::ClockReading> Upstream::read_refclock(std::size_t index) {
  if (index >= refclocks_.size()) return std::nullopt;
  const auto reading = refclocks_[index]->poll();
  const std::string_view method = refclocks_[index]->method();
  if (reading && !method.empty() && refclocks_told_.insert(index).second)
    log_.info("{}", os::fields(fmt::format("refclock PHC {} is read", settings_.refclocks[index].parameter),
                               "method", method, "error_ns", std::lround(reading->error * 1e9)));
  return reading;
}

void Upstream::receive_readings(std::size_t index) {
  for (unsigned i = 0; i < kReadingsAtOnce; ++i) {
    const auto reading = refclocks_[index]->receive();
    if (!reading) return;
    manager_.receive_reading(index, *reading);
  }
}

// --- names ------------------------------------------------------------------------------------------------

void Upstream::look_up(const std::string& name, Family family) {
  if (auto ok = resolver_.start(name, family); !ok) failed_lookup_ = tl::make_unexpected(ok.error());
  if (resolver_timer_ == os::EventLoop::TimerId::none)
    resolver_timer_ = loop_.every(kAnswerCheck, [this] { take_answer(); });
}

void Upstream::take_answer() {
  auto answer = failed_lookup_ ? std::move(failed_lookup_) : resolver_.take();
  failed_lookup_.reset();
  if (!answer) return;
  loop_.cancel(resolver_timer_);
  resolver_timer_ = os::EventLoop::TimerId::none;
  manager_.looked_up(*answer);
}

}  // namespace wiretime::control
