// SPDX-License-Identifier: BSD-3-Clause
// A simulated client: one clock, several sources, and exactly the daemon's estimation, selection and
// discipline. Time and packets are simulated; an exchange is its four timestamps.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clock/delay_test.hpp"
#include "clock/discipline.hpp"
#include "clock/poll_control.hpp"
#include "clock/selection.hpp"
#include "clock/source_statistics.hpp"
#include "sim/network.hpp"
#include "sim/oscillator.hpp"

namespace wiretime::sim {

struct SourceConfig {
  PathConfig path;
  ServerConfig server;
  clock::PollConfig poll;
  clock::StatisticsConfig statistics;
  clock::SelectOptions options;
  clock::DelayLimits delays;
  bool interleaved = false;  // a measurement is known one exchange later
  bool burst = true;         // iburst: four exchanges two seconds apart at the start
};

struct ClientConfig {
  OscillatorConfig oscillator;
  std::vector<SourceConfig> sources;
  clock::DisciplineConfig discipline;
  clock::SelectionConfig selection;
  double initial_frequency = 0;  // s/s, from the drift file
  double initial_skew = 300e-6;
  double duration = 1e5;           // s
  double count_from = 2000;        // s: when errors begin to count
  double external_step_at = 1e18;  // somebody steps the clock
  double external_step = 0;
  double frequency_jump_at = 1e18;  // the oscillator changes at once: a fan starts
  double frequency_jump = 0;        // s/s
  bool free_running = false;        // -x; errors are those of the time served
  bool step_noticed = true;         // by comparing with the monotonic clock
  double timer_latency = 50e-6;     // s, of the end of a slew
};

struct ClientResult {
  double rms_error = 0;          // s, of the kernel clock, sampled each second
  double rms_cooked = 0;         // s, of the time served
  double max_error = 0;          // s
  double rms_frequency = 0;      // s/s, kernel clock, slews included
  double first_correction = -1;  // s of true time
  double mean_poll = 0;          // log2 s, at the end of each exchange, after count_from
  double estimate_sd = 0;        // s, mean of what the estimator thinks of its own error
  unsigned exchanges = 0;
  unsigned switches = 0;    // of the selected source
  unsigned refused = 0;     // samples, by the delay tests
  double falseticker = -1;  // s of true time since which the last source is marked one; -1: it is not
  std::string states;       // of the sources at the end, selectdata letters
};

class Client {
 public:
  Client(const ClientConfig& config, std::uint64_t seed);
  ClientResult run();

 private:
  struct Source {
    explicit Source(const SourceConfig& c)
        : config{c}, statistics{c.statistics}, poll{c.poll}, delays{c.delays} {}
    SourceConfig config;
    clock::SourceStatistics statistics;
    clock::PollControl poll;
    clock::DelayTest delays;
    unsigned reachability = 0;
    bool fresh = false;
    double next_poll = 0;  // true time
    unsigned sent = 0;
    struct Pending {
      double arrives;
      WallTime t1;  // cooked
      NtpTimestamp t2, t3;
      double noise4;
    };
    std::optional<Pending> pending;
    std::optional<clock::Sample> held;  // interleaved: till the next response
  };

  void send(Source& source);
  void receive(Source& source);
  void update_clock();
  void apply_kernel_frequency() { oscillator_.set_frequency(discipline_.model().kernel_frequency()); }
  void measure();
  void external_step();
  void shift_all(const clock::ClockChange& change);
  [[nodiscard]] double slew_end() const;

  ClientConfig config_;
  std::mt19937_64 clock_random_;
  std::mt19937_64 network_random_;
  Oscillator oscillator_;
  Network network_;
  clock::Discipline discipline_;
  clock::SourceSelector selector_;
  std::vector<Source> sources_;
  ClientResult result_;
  double sum_error_ = 0, sum_cooked_ = 0, sum_frequency_ = 0, sum_poll_ = 0, sum_sd_ = 0;
  std::uint64_t counted_ = 0, polls_counted_ = 0;
};

}  // namespace wiretime::sim
