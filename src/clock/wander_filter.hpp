// SPDX-License-Identifier: BSD-3-Clause
// The best linear estimate of a clock's offset and frequency when the frequency does a random walk and every
// measurement has its own error: a two-state Kalman filter, run over the samples kept, with the two noise
// levels chosen by the likelihood of the innovations. A straight line is the special case without wander;
// with it, old samples count as much as they still tell, no more. Control thread; pure. Sources: Galleani and
// Tavella, "Time and the Kalman filter", IEEE Control Systems 30(2), 2010 (the clock model and its process
// noise); Mehra, "On the identification of variances and adaptive Kalman filtering", IEEE TAC 15(2), 1970.
#pragma once

#include <span>

namespace wiretime::clock {

struct Observation {
  double time = 0;    // s, any origin, not decreasing
  double offset = 0;  // s
  double excess =
      0;  // s^2: the part of the error's variance known in advance (delay above the minimum, dispersion)
};

struct OscillatorState {
  double time = 0;       // s, the observations' origin
  double offset = 0;     // s
  double frequency = 0;  // s/s
  double p_oo = 0;       // covariance
  double p_of = 0;
  double p_ff = 0;

  // The state `dt` >= 0 seconds later; `wander` as below.
  void advance(double dt, double wander);
  // Takes one observation with error variance r at this state's time; returns twice the negative
  // log-likelihood of the innovation (without the constant).
  double update(double measured, double r);
};

// Both are powers of two times a nanosecond (per second, per root second), so that a search over them is a
// walk on a grid.
struct NoiseModel {
  int wander_exponent = 0;   // frequency random walk: 1e-9 * 2^e per root second
  int jitter_exponent = 10;  // white error of a measurement with no excess: 1e-9 * 2^e s

  [[nodiscard]] double wander() const;
  [[nodiscard]] double jitter() const;

  friend bool operator==(const NoiseModel&, const NoiseModel&) = default;
};

// What is believed before the first observation: either a whole state (the samples that no longer are kept),
// or only a frequency (drift file, or nothing: wide).
struct WanderPrior {
  bool has_state = false;
  OscillatorState state;         // at or before the first observation
  double frequency = 0;          // used without a state
  double frequency_sd = 300e-6;  // crystals are within 100 ppm, the kernel reaches 500
};

struct WanderFit {
  OscillatorState state;  // at the newest observation
  double deviance = 0;    // -2 log likelihood; smaller fits better
};

// Requires at least one observation.
[[nodiscard]] WanderFit run_wander_filter(std::span<const Observation> observations, const WanderPrior& prior,
                                          const NoiseModel& noise);

// Where the noise is expected before the samples tell; both are held weakly (about a decade).
struct NoiseGuess {
  double jitter = 1e-6;        // s, from the delays
  double wander_exponent = 0;  // an ordinary crystal in a room; later, what this one mostly showed
};

// Moves `noise` downhill in deviance by at most `steps` grid steps.
[[nodiscard]] NoiseModel improve_noise_model(std::span<const Observation> observations,
                                             const WanderPrior& prior, NoiseModel noise,
                                             const NoiseGuess& guess, int steps);

}  // namespace wiretime::clock
