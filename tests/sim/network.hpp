// SPDX-License-Identifier: BSD-3-Clause
// A simulated path to a server and the server's own clock, at the level of the four timestamps of an
// exchange.
#pragma once

#include <optional>
#include <random>

namespace wiretime::sim {

struct PathConfig {
  double base = 100e-6;      // s, one way
  double jitter = 100e-6;    // s, mean of the exponential part, each way
  double jitter_back = -1;   // s, of the way back if it differs
  double asymmetry = 0;      // s, added to the way there only
  double noise = 0;          // s, normal: each of the client's two timestamps
  double reroute_at = 1e18;  // s of true time: from then on the path is longer
  double reroute = 0;        // s, by this each way
  double loss = 0;           // probability of an exchange to fail
  double up_from = 0;        // s of true time: reachable in [up_from, up_until)
  double up_until = 1e18;
  double off_period = 0;  // s: an intermittent link, up and down for this long in turn; 0: always up
};

struct ServerConfig {
  double offset = 0;      // s, the server's clock is ahead by this
  double frequency = 0;   // s/s, and fast by this
  double jump_at = 1e18;  // s of true time, when its clock jumps
  double jump = 0;        // s
  double root_delay = 0;
  double root_dispersion = 1e-6;
  std::uint8_t stratum = 1;
};

struct Flight {
  double there = 0;  // s
  double back = 0;
  double noise1 = 0;  // s, of the client's timestamps
  double noise4 = 0;
};

class Network {
 public:
  explicit Network(std::mt19937_64& random) : random_{random} {}

  [[nodiscard]] std::optional<Flight> flight(const PathConfig& path, double now) {
    // Drawn whether lost or not, so that loss does not change the rest of the run.
    const double base = path.base + (now >= path.reroute_at ? path.reroute : 0);
    const double there = base + path.asymmetry + path.jitter * exponential_(random_);
    const double back =
        base + (path.jitter_back >= 0 ? path.jitter_back : path.jitter) * exponential_(random_);
    const bool lost = uniform_(random_) < path.loss;
    const bool up = now >= path.up_from && now < path.up_until &&
                    (path.off_period <= 0 || static_cast<long>(now / path.off_period) % 2 == 0);
    if (lost || !up) return std::nullopt;
    Flight flight{there, back, 0, 0};
    if (path.noise > 0) {
      flight.noise1 = path.noise * normal_(random_);
      flight.noise4 = path.noise * normal_(random_);
    }
    return flight;
  }

 private:
  std::mt19937_64& random_;
  std::exponential_distribution<double> exponential_{1.0};
  std::uniform_real_distribution<double> uniform_;
  std::normal_distribution<double> normal_;
};

[[nodiscard]] inline double server_error(const ServerConfig& server, double now) {
  return server.offset + server.frequency * now + (now >= server.jump_at ? server.jump : 0);
}

}  // namespace wiretime::sim
