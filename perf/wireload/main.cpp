// SPDX-License-Identifier: BSD-3-Clause
// wireload: one run from the command line to the reports. The main thread waits, shows and writes; DPDK's one
// worker lcore generates and checks.
#include <fmt/format.h>
#include <rte_launch.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include "control/version.hpp"
#include "os/random.hpp"
#include "perf/report/json.hpp"
#include "perf/report/load_curve.hpp"
#include "perf/report/text.hpp"
#include "perf/wireload/generator.hpp"
#include "perf/wireload/results.hpp"
#include "perf/wireload/timing.hpp"

namespace wiretime::load {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFailed = 1;
constexpr int kUsage = 2;

std::atomic<bool> stop{false};  // writer: the signal handler
static_assert(std::atomic<bool>::is_always_lock_free);

void end_run(int) {
  stop = true;
}

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = end_run;
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

struct Planned {
  StepPlan step;
  double factor = 0;  // above 0: the rate is so many times what the step before was answered
};

std::vector<Planned> plan_steps(const Options& o) {
  const double seconds = std::chrono::duration<double>(o.mode == Mode::sweep ? o.step : o.time).count();
  const auto rates = o.mode == Mode::sweep ? o.sweep.rates() : std::vector{o.rate};
  std::vector<Planned> plans;
  for (const double rate : rates)
    for (unsigned i = 0; i < o.repeat; ++i) {
      plans.push_back({{rate, o.window, seconds}});
      if (o.mode == Mode::overload) plans.push_back({{0, 0, seconds}, o.overload});
    }
  return plans;
}

struct Task {
  Generator* generator;
  StepPlan plan;
};

int run_step(void* task) {
  const auto& [generator, plan] = *static_cast<Task*>(task);
  generator->run(plan, read_own_clock());
  return 0;
}

std::uint64_t read(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

// One line a second, over itself on a terminal.
class ProgressDisplay {
 public:
  ProgressDisplay(const Live& live, std::size_t step, std::size_t steps, double rate)
      : live_{live}, terminal_{isatty(STDERR_FILENO) == 1} {
    line_.step = step;
    line_.steps = steps;
    line_.offered_rate = rate;
  }
  ~ProgressDisplay() {
    if (terminal_) fmt::print(stderr, "\r{:{}}\r", "", report::kProgressWidth);
  }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void update() {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - shown_at_).count();
    if (seconds < 1) return;
    const std::uint64_t sent = read(live_.sent);
    const std::uint64_t answered = read(live_.answered);
    const std::uint64_t replies = answered + read(live_.invalid) + read(live_.kiss);
    line_.sent_rate = static_cast<double>(sent - sent_) / seconds;
    line_.answered_rate = static_cast<double>(answered - answered_) / seconds;
    line_.lost_share =
        sent_ > replies ? static_cast<double>(sent_ - replies) / static_cast<double>(sent_) : 0;
    line_.p99 = live_.p99.load(std::memory_order_relaxed);
    fmt::print(stderr, "{}{}{}", terminal_ ? "\r" : "", report::progress_line(line_), terminal_ ? "" : "\n");
    std::fflush(stderr);
    sent_ = sent;
    answered_ = answered;
    shown_at_ = now;
  }

 private:
  const Live& live_;
  const bool terminal_;
  report::Progress line_;
  Clock::time_point shown_at_ = Clock::now();
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

Result<void> run_and_show(Wire& wire, Task task, ProgressDisplay& display) {
  wire.hold_connections();
  const unsigned lcore = dpdk::Eal::worker_lcore(0);
  if (rte_eal_remote_launch(run_step, &task, lcore) == 0) {
    while (rte_eal_get_lcore_state(lcore) == RUNNING) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
      display.update();
    }
    rte_eal_wait_lcore(lcore);
  }
  return wire.release_connections();
}

// Sends lone requests for a moment; ns.
Result<double> probe(Wire& wire, Generator& generator) {
  constexpr StepPlan kPlan{0, 1, 0.02};
  ProgressDisplay display{generator.live(), 1, 1, 0};
  if (auto link = run_and_show(wire, {&generator, kPlan}, display); !link)
    return tl::make_unexpected(link.error());
  return report::Latency::of(generator.tally().response).p50;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string machine() {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) {
      const std::size_t colon = line.find(": ");
      if (colon != std::string::npos)
        return fmt::format("{}, {} CPUs", line.substr(colon + 2), std::thread::hardware_concurrency());
    }
  return fmt::format("{} CPUs", std::thread::hardware_concurrency());
}

report::Run describe_run(const Options& o) {
  report::Run run;
  run.label = o.label.empty() ? o.to.to_string() : o.label;
  run.mode = name(o.mode);
  run.target = o.to.family == Family::ipv6 ? fmt::format("[{}]:{}", o.to.to_string(), o.server_port)
                                           : fmt::format("{}:{}", o.to.to_string(), o.server_port);
  run.port = o.port_text;
  run.started = utc_now();
  run.machine = machine();
  run.clients = o.clients;
  return run;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file{path, std::ios::trunc};
  file << text;
  file.close();
  if (!file) return fail(fmt::format("{}: cannot be written: {}", path, os::errno_text()));
  return {};
}

// While the run goes on a file may be read by others: it is there whole or not at all. What is none, such as
// /dev/stdout, gets the end result.
Result<void> write_json(const report::Run& run, const std::string& path, bool at_end) {
  namespace fs = std::filesystem;
  if (path.empty()) return {};
  std::error_code ignored;
  const auto type = fs::symlink_status(path, ignored).type();
  if (type != fs::file_type::regular && type != fs::file_type::not_found)
    return at_end ? write_file(path, report::to_json(run)) : Result<void>{};
  const std::string fresh = path + ".tmp";
  if (auto written = write_file(fresh, report::to_json(run)); !written) return written;
  if (std::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(fmt::format("{}: cannot be written: {}", path, os::errno_text()));
  return {};
}

Result<int> report_run(const report::Run& run, const std::string& remarks, const Options& o) {
  fmt::print("{}{}", report::final_table(run), remarks);
  if (auto written = write_json(run, o.json_file, true); !written)
    return tl::make_unexpected(written.error());
  if (!o.plot_file.empty())
    if (auto written = write_file(o.plot_file, report::load_curve_svg({&run, 1}, "")); !written)
      return tl::make_unexpected(written.error());
  if (o.require_loss_below)
    if (const auto missed = missed_requirement(run.steps, *o.require_loss_below)) {
      fmt::print(stderr, "wireload: {}\n", *missed);
      return kFailed;
    }
  return 0;
}

std::uint64_t dropped(Wire& wire) {
  const dpdk::PortStatistics s = wire.statistics();
  return s.missed + s.no_buffer;
}

Result<int> run(const Options& options) {
  const auto seed = options.seed ? Result<std::uint64_t>{*options.seed} : os::random_value<std::uint64_t>();
  if (!seed) return tl::make_unexpected(seed.error());
  std::vector<IpAddress> others = options.addresses;
  others.push_back(options.to);
  if (options.gateway) others.push_back(*options.gateway);
  const auto clients = Clients::make(options.from, options.clients, others, *seed);
  if (!clients) return tl::make_unexpected(clients.error());

  catch_signals();
  auto wire = Wire::open(options);
  if (!wire) return tl::make_unexpected(wire.error());
  IpAddress asker = clients->address(0);
  for (const IpAddress& own : options.addresses)
    if (own.family == options.to.family) asker = own;
  const auto path = (*wire)->find_server(asker, stop);
  if (!path) return stop ? Result<int>{kFailed} : tl::make_unexpected(path.error());

  report::Run result = describe_run(options);
  Generator generator{**wire, *path, *clients, options, *seed, stop};
  const auto plans = plan_steps(options);
  Tally all;
  const std::uint64_t dropped_before = dropped(**wire);
  Result<double> probed = options.probe ? probe(**wire, generator) : 0;
  Result<void> going;
  for (std::size_t i = 0; i < plans.size() && !stop && going && probed; ++i) {
    StepPlan plan = plans[i].step;
    if (plans[i].factor > 0) plan.rate = plans[i].factor * std::max(result.steps.back().answered_rate(), 1.0);
    ProgressDisplay display{generator.live(), i + 1, plans.size(), plan.rate};
    going = run_and_show(**wire, {&generator, plan}, display);
    result.steps.push_back(step_of(generator.tally(), plan.rate, ticks_per_second()));
    all.merge(generator.tally());
    if (options.probe && going) {
      const double before = *probed;
      probed = probe(**wire, generator);
      result.steps.back().round_trip = {before, probed.value_or(0)};
    }
    result.check_share = check_share(result.steps);
    if (going) going = write_json(result, options.json_file, false);
  }
  if (going && !probed) going = tl::make_unexpected(probed.error());
  const auto code = report_run(result, remarks(all, options, dropped(**wire) - dropped_before), options);
  return code && !going ? tl::make_unexpected(going.error()) : code;
}

int main_of(const std::vector<std::string>& arguments) {
  const auto options = parse_options(arguments);
  if (!options) {
    fmt::print(stderr, "wireload: {}\n", options.error().message);
    return kUsage;
  }
  if (options->action == Options::Action::print_help) return fmt::print("{}", help_text()), 0;
  if (options->action == Options::Action::print_version)
    return fmt::print("wireload (wiretime) version {}\n", control::version()), 0;
  const auto code = run(*options);
  if (code) return *code;
  fmt::print(stderr, "wireload: {}\n", code.error().message);
  return kFailed;
}

}  // namespace

}  // namespace wiretime::load

int main(int argc, char** argv) {
  return wiretime::load::main_of({argv + 1, argv + argc});
}
