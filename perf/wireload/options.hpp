// SPDX-License-Identifier: BSD-3-Clause
// The command line of wireload as checked values. Control thread, at start.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "net/headers.hpp"
#include "perf/wireload/mix.hpp"
#include "server/dataplane_config.hpp"

namespace wiretime::load {

enum class Mode : std::uint8_t { sweep, rate, flood, overload, window };
[[nodiscard]] std::string_view name(Mode mode) noexcept;

// Rates from `first` up to `last`, each `factor` times the one before, or `add` above it.
struct Sweep {
  double first = 10e3;
  double last = 10e6;
  double factor = 1.5;  // 0: add
  double add = 0;

  // "10k:5M:x1.5", "10k:5M:+100k"
  [[nodiscard]] static std::optional<Sweep> parse(std::string_view text);
  [[nodiscard]] std::vector<double> rates() const;
};

struct Options {
  enum class Action : std::uint8_t { run, print_help, print_version };
  Action action = Action::run;

  server::DataplaneConfig port;
  std::string port_text;  // as given
  IpPrefix from;
  IpAddress to;
  std::uint16_t server_port = 123;
  std::optional<net::MacAddress> server_mac;
  std::optional<IpAddress> gateway;
  std::vector<IpAddress> addresses;  // our own, beside the clients'
  std::uint32_t clients = 0;         // 0: as many as `from` has addresses, at most 1 M
  std::optional<unsigned> cpu;
  server::Hugepages hugepages = server::Hugepages::automatic;

  Mode mode = Mode::sweep;
  Sweep sweep;
  double rate = 0;
  double overload = 0;  // times what a flood was answered
  unsigned window = 0;
  std::chrono::nanoseconds step{std::chrono::seconds{2}};   // of a sweep
  std::chrono::nanoseconds time{std::chrono::seconds{10}};  // of the other modes
  unsigned repeat = 1;                                      // each step, or pair of an overload
  bool probe = false;                                       // lone requests before and after each step
  std::chrono::nanoseconds wait{std::chrono::seconds{1}};   // for the last replies of a step
  bool interleaved = false;
  bool reflector = false;
  Mix mix;
  std::optional<double> check;  // share of replies; nullopt: as many as the core has time for
  std::optional<std::chrono::nanoseconds> clock_bound{std::chrono::seconds{1}};
  std::optional<std::uint64_t> seed;

  std::optional<double> require_loss_below;
  std::string label;
  std::string json_file;
  std::string plot_file;
};

// `arguments` without the program's name. An error is one line, "--option: expected ..., found ...".
[[nodiscard]] Result<Options> parse_options(std::span<const std::string> arguments);
[[nodiscard]] std::string help_text();

}  // namespace wiretime::load
