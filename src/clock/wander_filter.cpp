// SPDX-License-Identifier: BSD-3-Clause
#include "clock/wander_filter.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace wiretime::clock {

namespace {

constexpr int kMinWander = -14;  // 6e-14: better than any oscillator in a server
constexpr int kMaxWander = 12;   // 4e-6
constexpr int kMinJitter = -2;   // 0.25 ns
constexpr int kMaxJitter = 31;   // 2 s
// In powers of two: a decade up, a factor of less than three down. To believe in more wander than there is
// costs little, in less a clock that runs away between two polls of 17 minutes.
constexpr double kMoreWanderSd = 3.3;
constexpr double kLessWanderSd = 1.8;
constexpr double kJitterPriorSd = 3.0;

double square(double x) {
  return x * x;
}

double penalised_deviance(std::span<const Observation> observations, const WanderPrior& prior,
                          const NoiseModel& noise, const NoiseGuess& guess) {
  const double more_wander = noise.wander_exponent - guess.wander_exponent;
  const double jitter_guess = std::log2(std::max(guess.jitter, 1e-9) * 1e9);
  return run_wander_filter(observations, prior, noise).deviance +
         square(more_wander / (more_wander > 0 ? kMoreWanderSd : kLessWanderSd)) +
         square((noise.jitter_exponent - jitter_guess) / kJitterPriorSd);
}

}  // namespace

double NoiseModel::wander() const {
  return std::ldexp(1e-9, wander_exponent);
}
double NoiseModel::jitter() const {
  return std::ldexp(1e-9, jitter_exponent);
}

void OscillatorState::advance(double dt, double wander) {
  time += dt;
  if (dt <= 0) return;
  const double q = wander * wander;
  offset += frequency * dt;
  p_oo += dt * (2 * p_of + dt * (p_ff + q * dt / 3));
  p_of += dt * (p_ff + q * dt / 2);
  p_ff += q * dt;
}

double OscillatorState::update(double measured, double r) {
  const double innovation = measured - offset;
  const double s = p_oo + r;
  offset += p_oo / s * innovation;
  frequency += p_of / s * innovation;
  p_ff -= p_of * p_of / s;
  p_of *= r / s;
  p_oo *= r / s;
  return std::log(s) + innovation * innovation / s;
}

WanderFit run_wander_filter(std::span<const Observation> observations, const WanderPrior& prior,
                            const NoiseModel& noise) {
  const double wander = noise.wander();
  const double r0 = square(noise.jitter());
  WanderFit fit;
  std::size_t next = 0;
  if (prior.has_state) {
    fit.state = prior.state;
  } else {
    // Nothing is known of the offset: the first observation is the estimate.
    fit.state = {
        observations[0].time,      observations[0].offset, prior.frequency, r0 + observations[0].excess, 0,
        square(prior.frequency_sd)};
    next = 1;
  }
  for (; next < observations.size(); ++next) {
    const Observation& o = observations[next];
    fit.state.advance(o.time - fit.state.time, wander);
    fit.deviance += fit.state.update(o.offset, r0 + o.excess);
  }
  return fit;
}

NoiseModel improve_noise_model(std::span<const Observation> observations, const WanderPrior& prior,
                               NoiseModel noise, const NoiseGuess& guess, int steps) {
  static constexpr std::array<std::array<int, 2>, 4> kMoves{{{1, 0}, {-1, 0}, {0, 1}, {0, -1}}};
  double best = penalised_deviance(observations, prior, noise, guess);
  for (int step = 0; step < steps; ++step) {
    NoiseModel winner = noise;
    for (const auto& [wander_move, jitter_move] : kMoves) {
      const NoiseModel candidate{std::clamp(noise.wander_exponent + wander_move, kMinWander, kMaxWander),
                                 std::clamp(noise.jitter_exponent + jitter_move, kMinJitter, kMaxJitter)};
      if (candidate == noise) continue;
      const double deviance = penalised_deviance(observations, prior, candidate, guess);
      if (deviance < best) {
        best = deviance;
        winner = candidate;
      }
    }
    if (winner == noise) break;
    noise = winner;
  }
  return noise;
}

}  // namespace wiretime::clock
