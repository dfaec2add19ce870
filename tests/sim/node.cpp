// SPDX-License-Identifier: BSD-3-Clause
#include "sim/node.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clock/leap.hpp"
#include "clock/virtual_clock.hpp"
#include "control/config_parse.hpp"
#include "control/policy.hpp"
#include "ntp/packet.hpp"
#include "os/resolver.hpp"

namespace wiretime::sim {

namespace {

using namespace std::chrono_literals;

constexpr double kLookUpTime = 0.03;     // s
constexpr std::int8_t kPrecision = -30;  // log2 s, of a clock read in nanoseconds

// A scenario's configuration is part of the program: a mistake in it ends the run.
control::Config parse(const std::string& directives) {
  auto config = control::parse_config(directives, "scenario", control::DiskReader{});
  if (!config) throw std::invalid_argument(config.error().message);
  return *config;
}

ntp::AccessRules access(const control::Config& config) {
  const auto rules =
      control::access_rules(config.access_rules, [](const std::string&) { return fail("no names"); });
  if (!rules) throw std::invalid_argument(rules.error().message);
  return *rules;
}

bool has_peers(const control::Config& config) {
  return std::any_of(config.sources.begin(), config.sources.end(),
                     [](const control::NtpSource& s) { return s.kind == control::NtpSource::Kind::peer; });
}

}  // namespace

Result<void> Node::KernelClock::set_frequency(WallTime /*kernel*/, double frequency) {
  oscillator_.set_correction(frequency);
  return {};
}

Result<void> Node::KernelClock::step(WallTime /*kernel*/, double seconds) {
  oscillator_.step(seconds);
  return {};
}

void Node::KernelClock::notify(const clock::KernelNotice& notice) {
  if (notice.leap != clock::Leap::insert)
    leap_ = {};
  else if (!leap_.at && !leap_.done)
    leap_.at = clock::start_of_day(oscillator_.read()) + clock::kOneDay;
}

Node::Daemon::Daemon(Node& node, const control::SourceManager::Options& options,
                     const control::TimePublisher::Settings& time_settings)
    : device{node.config_.free_running
                 ? std::unique_ptr<clock::ClockDevice>{std::make_unique<clock::VirtualClock>()}
                 : std::make_unique<KernelClock>(node.oscillator_, node.kernel_leap_)},
      publisher{time_settings, workers},
      manager{node.settings_, options, *device, node},
      started{node.oscillator_.monotonic()} {}

Node::Node(const NodeConfig& config, const IpAddress& address, WallTime start, Timeline& timeline,
           Network& network, const Names& names, Trace trace, std::uint64_t seed)
    : config_{config},
      address_{address},
      start_{start},
      settings_{parse(config.directives)},
      access_{access(settings_)},
      serves_{access_.allows_anything(Family::ipv4) || has_peers(settings_)},
      timeline_{timeline},
      network_{network},
      names_{names},
      trace_{std::move(trace)},
      oscillator_{config.oscillator, start, seed},
      random_{seed + 1},
      answering_{access_, seed},
      drift_{config.drift} {}

Node::~Node() {
  network_.detach(address_);
}

void Node::start() {
  control::TimePublisher::Settings time;
  time.local = control::local_config(settings_);
  time.precision = settings_.clock_precision ? control::precision_of(*settings_.clock_precision) : kPrecision;
  time.dispersion_growth_ppb = static_cast<std::uint32_t>(settings_.max_clock_error_ppm * 1000.0);
  control::SourceManager::Options options;
  options.clock_precision = std::ldexp(1.0, time.precision);
  if (!config_.free_running) options.drift = drift_;
  ++life_;
  daemon_ = std::make_unique<Daemon>(*this, options, time);
  first_correction_ = -1;
  started_at_ = seconds(timeline_.now());
  network_.attach(address_, [this](const Packet& packet) { receive(packet); });
  refresh_reference();
  daemon_->manager.start();
  second_timer_ = late(monotonic() + 1s);
}

void Node::stop() {
  if (const auto drift = daemon_->manager.take_drift())
    drift_ = control::parse_drift(control::format_drift(*drift));
  ++life_;
  network_.detach(address_);
  daemon_.reset();
  ports_.clear();
  timers_.clear();
  clock_timer_.reset();
}

void Node::power_cycle(double offset) {
  oscillator_.step(offset - oscillator_.error());
  oscillator_.set_correction(0);
}

// --- timers -----------------------------------------------------------------------------------------------

Nanoseconds Node::late(Nanoseconds at) {
  return at + Nanoseconds{std::llround(config_.timer_latency * exponential_(random_) * 1e9)};
}

void Node::set_timer(control::SourceId id, std::optional<Nanoseconds> at) {
  if (at)
    timers_[id] = late(*at);
  else
    timers_.erase(id);
}

void Node::set_clock_timer(std::optional<Nanoseconds> delay) {
  clock_timer_ = delay ? std::optional{late(monotonic() + *delay)} : std::nullopt;
}

std::optional<TrueTime> Node::next_timer() const {
  if (!daemon_) return std::nullopt;
  Nanoseconds next = second_timer_;
  if (clock_timer_) next = std::min(next, *clock_timer_);
  for (const auto& [id, at] : timers_) next = std::min(next, at);
  if (kernel_leap_.at) next = std::min(next, monotonic() + (*kernel_leap_.at - kernel_time()));
  const double left = std::chrono::duration<double>(next - monotonic()).count() / (1 + oscillator_.rate());
  // What the clock shows is rounded down: a nanosecond later it is time.
  return timeline_.now() + true_time(std::max(left, 0.0)) + (left > 0 ? TrueTime{1000} : TrueTime{0});
}

void Node::run_timers() {
  const Nanoseconds now = monotonic();
  if (kernel_leap_.at && kernel_time() >= *kernel_leap_.at) {
    kernel_leap_ = {std::nullopt, true};
    oscillator_.step(-1);
  } else if (clock_timer_ && *clock_timer_ <= now) {
    clock_timer_.reset();
    daemon_->manager.service_clock();
  } else if (second_timer_ <= now) {
    second_timer_ = late(second_timer_ + 1s);
    every_second();
  } else {
    const auto due =
        std::find_if(timers_.begin(), timers_.end(), [now](const auto& t) { return t.second <= now; });
    if (due == timers_.end()) return;
    const control::SourceId id = due->first;
    timers_.erase(due);
    daemon_->manager.timer(id);
  }
}

void Node::later(double s, std::function<void()> what) {
  timeline_.after(s, [this, life = life_, what = std::move(what)] {
    if (life == life_) what();
  });
}

// --- packets ----------------------------------------------------------------------------------------------

WallTime Node::stamped() {
  if (config_.stamp_noise == 0) return kernel_time();
  return clock::advanced(kernel_time(), config_.stamp_noise * normal_(random_));
}

bool Node::send(control::SourceId id, const os::Endpoint& to, std::span<const std::byte> bytes,
                ntp::SocketUse socket) {
  Packet packet{{address_, ntp::kPort, 0}, to, {bytes.begin(), bytes.end()}};
  if (socket == ntp::SocketUse::fresh) {
    constexpr std::uint16_t kFirstPort = 32768;
    packet.from.port = static_cast<std::uint16_t>(kFirstPort + random_() % kFirstPort);
    ports_[id] = packet.from.port;
  }
  network_.send(packet);
  later(0, [this, id, stamp = stamped(), sent = packet.bytes] {
    daemon_->manager.transmit_stamp(id, sent, stamp);
  });
  return true;
}

void Node::receive(const Packet& packet) {
  const control::SourceManager::Packet received{packet.bytes, stamped(), packet.from, address_};
  if (packet.to.port != ntp::kPort) {
    for (const auto& [id, port] : ports_) {
      if (port != packet.to.port) continue;
      daemon_->manager.receive(id, received);
      return;
    }
    return;  // closed meanwhile
  }
  if (!serves_ || daemon_->manager.receive_symmetric(received)) return;
  const clock::TimeSnapshot snapshot = daemon_->publisher.kernel_snapshot(uptime());
  const NtpTimestamp now = served_now();
  if (const auto reply = answering_.answer(packet, snapshot, now, now)) network_.send(*reply);
}

// --- time -------------------------------------------------------------------------------------------------

NtpTimestamp Node::served_now() const {
  return NtpTimestamp::from(daemon_->manager.served_time(kernel_time()));
}

double Node::served_error() const {
  const WallTime kernel = kernel_time();
  return error() + clock::seconds_between(kernel, daemon_->manager.served_time(kernel));
}

clock::Reference Node::reference() const {
  return daemon_->publisher.served().reference;
}

void Node::refresh_reference() {
  const clock::ClockState state = daemon_->manager.clock_state();
  daemon_->publisher.refresh_reference(state, uptime(), daemon_->manager.served_time(kernel_time()));
}

void Node::every_second() {
  refresh_reference();
  if (const auto delta = daemon_->step_watch.look(kernel_time(), monotonic()))
    daemon_->manager.clock_was_set(*delta);
  daemon_->manager.every_second();
}

void Node::clock_stepped() {
  daemon_->step_watch.forget();
  refresh_reference();
}

void Node::clock_updated() {
  if (first_correction_ < 0) first_correction_ = seconds(timeline_.now()) - started_at_;
  refresh_reference();
}

// --- the rest ---------------------------------------------------------------------------------------------

void Node::look_up(const std::string& name, Family /*family*/) {
  later(kLookUpTime, [this, name] {
    const auto found = names_.find(name);
    if (found != names_.end())
      daemon_->manager.looked_up(found->second);
    else
      daemon_->manager.looked_up(fail(fmt::format("{}: no such name", name)));
  });
}

std::optional<clock::ClockReading> Node::read_refclock(std::size_t index) {
  const RefclockModel& model = config_.refclocks.at(index);
  const TrueTime now = timeline_.now();
  if (seconds(now) >= model.dead_from) return std::nullopt;
  const TrueTime read_at = model.pulse ? std::chrono::floor<std::chrono::seconds>(now) : now;
  const double ago = seconds(now - read_at) * (1 + oscillator_.rate());
  const WallTime system = clock::advanced(kernel_time(), model.noise * normal_(random_) - ago);
  const WallTime truth = start_ + std::chrono::round<Nanoseconds>(read_at);
  clock::ClockReading reading = clock::reading_of(system, clock::advanced(truth, model.offset));
  reading.error = model.noise;
  reading.pulse = model.pulse;
  if (model.pulse) reading.seconds = 0;  // it does not say which second
  return reading;
}

void Node::log(os::LogLevel /*level*/, const std::string& line) {
  switches_ += line.rfind("Selected source", 0) == 0;
  if (trace_) trace_(line);
}

std::string Node::states() const {
  std::string states;
  for (std::uint32_t i = 0; i < daemon_->manager.source_count(); ++i) {
    const auto data = daemon_->manager.select_data(i);
    states += data ? data->state_letter : '?';
  }
  return states;
}

}  // namespace wiretime::sim
