// SPDX-License-Identifier: BSD-3-Clause
#include "life_cycle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <optional>

#include "control/controller.hpp"
#include "control/policy.hpp"
#include "data_plane_wiring.hpp"
#include "features.hpp"
#include "os/daemonize.hpp"
#include "os/event_loop.hpp"
#include "os/files.hpp"
#include "os/log.hpp"
#include "os/pidfile.hpp"
#include "os/privileges.hpp"
#include "os/scheduling.hpp"

namespace wiretime {

namespace {

// Debian's user for time daemons, and ours when it exists and nobody says otherwise.
constexpr const char* kDefaultUser = "_chrony";

Result<os::Log> open_log(const control::Options& options) {
  const auto least = static_cast<os::LogLevel>(options.log_level);
  if (options.log_to_terminal) return os::Log::to_stderr(least);
  if (options.log_file) return os::Log::to_file(*options.log_file, least);
  return os::Log::to_syslog("wiretimed", least);
}

// nullopt: stay who we are.
Result<std::optional<os::User>> find_user(const control::Options& options, const control::Config& config) {
  if (!os::running_as_root()) {
    if (!options.skip_root_check && options.once != control::Options::Once::report_offset)
      return fail("must be started as root (or with -U, as a user who may open the configured ports)");
    return std::optional<os::User>{};
  }
  const std::string wanted = options.user.value_or(config.user);
  if (wanted.empty()) {
    auto user = os::look_up_user(kDefaultUser);
    return user ? std::optional{*user} : std::optional<os::User>{};
  }
  auto user = os::look_up_user(wanted);
  if (!user) return tl::make_unexpected(user.error());
  return std::optional{*user};
}

control::ClockUse clock_use(const control::Options& options) {
  using Once = control::Options::Once;
  if (options.once == Once::no) return control::ClockUse::follow;
  return options.once == Once::set_clock ? control::ClockUse::step_once : control::ClockUse::print_once;
}

// Options of the clock discipline that this version accepts for the sake of units and scripts.
std::string options_without_effect(const control::Options& options) {
  std::string names;
  const auto add = [&](bool given, const char* name) {
    if (given) names += std::string{names.empty() ? "" : " "} + name;
  };
  add(options.set_clock_from_rtc, "-s");
  return names;
}

void log_start(os::Log& log, const control::Options& options, const control::Config& config) {
  log.info("{}", start_text());
  if (const std::string names = options_without_effect(options); !names.empty())
    log.info("Options accepted without effect by this version: {}", names);
  if (options.system_call_filter != 0)
    log.info("Option -F accepted without effect: this version has no system call filter");
  for (const std::string& warning : options.warnings) log.warning("{}", warning);
  for (const control::Warning& warning : config.warnings) log.warning("{}", warning.to_string());
}

class Daemon {
 public:
  Daemon(const control::Options& options, const control::Config& config, os::Log log,
         std::optional<os::User> user)
      : options_{options}, config_{config}, log_{std::move(log)}, user_{std::move(user)} {}

  // Up to serving.
  [[nodiscard]] Result<void> start() {
    log_.set_echo(true);
    os::set_daemon_umask();
    if (!config_.pid_file.empty()) {
      auto pid_file = os::PidFile::acquire(config_.pid_file, owner());
      if (!pid_file) return tl::make_unexpected(pid_file.error());
      pid_file_.emplace(std::move(*pid_file));
    }
    log_.set_echo(false);  // warnings of the configuration belong in the log, not on the terminal
    log_start(log_, options_, config_);
    log_.set_echo(true);
    if (auto ok = prepare_process(); !ok) return ok;
    if (!config_.dump_directory.empty())
      if (auto ok = os::create_directory(config_.dump_directory, 0750, owner()); !ok) return ok;
    if (auto ok = make_controller(); !ok) return ok;
    if (auto ok = controller_->open_privileged_sockets(); !ok) return ok;
    if (auto ok = start_workers(); !ok) return ok;
    if (auto ok = claim_cpu_time(); !ok) return ok;
    make_directories();
    if (auto ok = drop_privileges(); !ok) return ok;
    if (auto ok = controller_->open_command_socket(); !ok) return ok;
    controller_->begin();
    return {};
  }

  [[nodiscard]] Result<void> serve() {
    log_.set_echo(false);
    auto ended = loop_->run();
    controller_->end();
    if (options_.once == control::Options::Once::no) log_.info("wiretimed exiting");
    if (ended && failure_) return fail(*failure_);
    return ended;
  }

  // In order: workers, sockets, pid file.
  ~Daemon() {
    if (controller_) controller_->detach_data_plane();
    data_plane_.reset();
    controller_.reset();
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] os::Log& log() { return log_; }

 private:
  [[nodiscard]] std::optional<os::Owner> owner() const {
    if (!user_) return std::nullopt;
    return os::Owner{user_->uid, user_->gid};
  }

  [[nodiscard]] Result<void> prepare_process() {
    if (config_.control_cpu)
      if (auto ok = os::check_cpu(*config_.control_cpu); !ok)
        return fail("controlcpu: " + ok.error().message);
    if (options_.lock_memory || config_.lock_memory) return os::lock_memory();
    return {};
  }

  [[nodiscard]] Result<void> make_controller() {
    auto loop = os::EventLoop::create();
    if (!loop) return tl::make_unexpected(loop.error());
    loop_ = std::move(*loop);
    auto controller = control::Controller::create(
        config_, {*loop_, log_, options_.family,
                  options_.directives.empty() ? options_.config_file : std::string{}, clock_use(options_),
                  !options_.no_clock_control, options_.restart, options_.reload_dumps, [this](bool success) {
                    if (!success) failure_ = "the clock was not set (see the lines above)";
                    loop_->stop();
                  }});
    if (!controller) return tl::make_unexpected(controller.error());
    controller_ = std::move(*controller);
    if (options_.timeout) loop_->after(*options_.timeout, [this] { time_is_up(); });
    return loop_->on_signal([this](int number) {
      if (number == SIGHUP)
        controller_->executor().execute(status::CycleLogs{});
      else
        loop_->stop();
    });
  }

  void time_is_up() {
    log_.info("Timeout reached");
    if (options_.once != control::Options::Once::no)
      failure_ = fmt::format("no time from the sources within {} s (-t)", options_.timeout->count());
    loop_->stop();
  }

  [[nodiscard]] Result<void> start_workers() {
    if (config_.dataplanes.empty()) return {};
    if (config_.port == 0)
      return fail("'port 0' means no NTP service, but a dataplane line asks for one: remove either");
    if (auto ok = controller_->prepare_data_plane(); !ok) return ok;
    auto plane = start_data_plane(config_, controller_->host_addresses(), controller_->channels(), log_);
    if (!plane) return tl::make_unexpected(plane.error());
    data_plane_ = std::move(*plane);
    controller_->attach_data_plane(*data_plane_);
    return {};
  }

  // After the workers were started: they must not inherit the control thread's CPU and priority.
  [[nodiscard]] Result<void> claim_cpu_time() {
    if (config_.control_cpu)
      if (auto ok = os::pin_this_thread(std::array{*config_.control_cpu}); !ok) return ok;
    const unsigned priority = options_.scheduler_priority.value_or(config_.scheduler_priority);
    if (priority == 0) return {};
    return os::set_real_time_priority(
        static_cast<int>(std::min(priority, 99U)));  // chronyd takes 100 for the most
  }

  // Nobody is refused the time because a disk has no place for logs.
  void make_directories() {
    for (const std::string& path : {config_.log_directory, config_.dump_directory})
      if (!path.empty())
        if (auto ok = os::create_directory(path, 0750, owner()); !ok) log_.warning("{}", ok.error().message);
  }

  [[nodiscard]] Result<void> drop_privileges() {
    if (!user_) {
      if (os::running_as_root())
        log_.info("Running with root privileges: no user \"{}\" on this host and no 'user' directive",
                  kDefaultUser);
      return {};
    }
    // To open port 123 when `chronyc allow` first needs it; to tell steering programs about new addresses.
    std::vector<os::Capability> keep{os::Capability::net_bind_service};
    if (!config_.dataplanes.empty()) keep.push_back(os::Capability::bpf);
    if (control::controls_clock(config_) && !options_.no_clock_control &&
        options_.once != control::Options::Once::report_offset)
      keep.push_back(os::Capability::sys_time);
    return os::drop_privileges(*user_, keep);
  }

  const control::Options& options_;
  const control::Config& config_;
  os::Log log_;
  std::optional<os::User> user_;
  std::optional<os::PidFile> pid_file_;
  std::unique_ptr<os::EventLoop> loop_;
  std::unique_ptr<control::Controller> controller_;
  std::unique_ptr<control::DataPlaneView> data_plane_;
  std::optional<std::string> failure_;
};

}  // namespace

Result<void> run_daemon(const control::Options& options, const control::Config& config) {
  const auto user = find_user(options, config);
  if (!user) return tl::make_unexpected(user.error());
  std::optional<os::Daemonizer> background;
  if (!options.foreground) {
    auto started = os::Daemonizer::start();
    if (!started) return tl::make_unexpected(started.error());
    background.emplace(std::move(*started));
  }
  auto log = open_log(options);
  if (!log) return tl::make_unexpected(log.error());
  Daemon daemon{options, config, std::move(*log), *user};
  if (auto started = daemon.start(); !started) {
    // main shows it on the terminal; the log gets it too, unless that is the terminal.
    daemon.log().set_echo(false);
    if (!options.log_to_terminal)
      daemon.log().write(os::LogLevel::fatal, "Fatal error : " + started.error().message);
    return started;
  }
  if (background) background->ready();
  return daemon.serve();
}

}  // namespace wiretime
