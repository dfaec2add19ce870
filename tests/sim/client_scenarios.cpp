// SPDX-License-Identifier: BSD-3-Clause
// One client of some servers: the figures that the project is measured by, oscillators, networks, and
// servers that lie.
#include <fmt/format.h>

#include "sim/scenarios.hpp"

namespace wiretime::sim {

namespace {

using detail::internet;
using detail::lan;

constexpr double kMicro = 1e-6;
constexpr double kNano = 1e-9;

Upstream over(double base, double jitter, std::string options) {
  Upstream u;
  u.options = std::move(options);
  u.path.base = base;
  u.path.jitter = jitter;
  return u;
}

Scenario& add(std::vector<Scenario>& out, std::string name, std::string what, double limit,
              std::vector<Upstream> sources, double duration = 2e4) {
  Scenario s;
  s.name = std::move(name);
  s.what = std::move(what);
  s.sources = std::move(sources);
  s.duration = duration;
  s.limit = limit;
  return out.emplace_back(std::move(s));
}

// Issue 3's "Numbers": set-up, limits and chronyd's figures are given there.
void add_numbers(std::vector<Scenario>& out) {
  add(out, "default", "polling 6 to 10, jitter 100 us", 100 * kMicro, {internet()}, 1e5).reference =
      101 * kMicro;
  add(out, "poll4", "polling 4, jitter 10 us", 2.6 * kMicro, {lan()}).reference = 2.59 * kMicro;
  add(out, "interleaved", "interleaved, polling 0, jitter 10 ns", 34 * kNano,
      {over(1 * kMicro, 10 * kNano, "iburst xleave minpoll 0 maxpoll 0")}, 1e4)
      .reference = 33.8 * kNano;
}

void add_oscillators(std::vector<Scenario>& out) {
  Scenario* s = &add(out, "far", "10 s and 500 ppm off, slewed", 3 * kMicro, {lan()}, 1e4);
  s->node.oscillator.offset = -10;
  s->node.oscillator.frequency = -500e-6;
  s = &add(out, "makestep", "an hour off, makestep 1 3", 3 * kMicro, {lan()}, 1e4);
  s->node.oscillator.offset = 3600;
  s->node.directives = "makestep 1 3";
  s = &add(out, "stable", "oven oscillator, wander 1e-12", 0.8 * kMicro, {lan()});
  s->node.oscillator.wander = 1e-12;
  s = &add(out, "fan", "steady oscillator jumps by 0.5 ppm at 10000 s", 4 * kMicro, {lan()});
  s->node.oscillator.wander = 1e-11;
  s->events = {{1e4, [](World& w) { w.node(0).oscillator().disturb(0.5e-6); }}};
  s = &add(out, "wandering", "virtual machine, wander 1e-7", 12 * kMicro, {lan()}, 1e4);
  s->node.oscillator.wander = 1e-7;
  s = &add(out, "restart", "machine restarts with its drift file, 1 ms off", 100 * kMicro, {internet()},
           1.4e4);
  s->count_from = 10'080;
  s->events = {{1e4, [](World& w) { w.node(0).stop(); }}, {10'060, [](World& w) {
                                                             w.node(0).power_cycle(1e-3);
                                                             w.node(0).start();
                                                           }}};
  s = &add(out, "drift-file", "start with a good drift file, counted from 20 s", 100 * kMicro, {internet()},
           4000);
  s->node.drift = control::Drift{100, 0.1};
  s->node.oscillator.offset = 1e-3;
  s->count_from = 20;
  s = &add(out, "external-step", "somebody sets the clock 2 s ahead", 70e-3, {lan()}, 1e4);
  s->bounded = false;
  s->events = {{5000, [](World& w) { w.node(0).oscillator().step(2); }}};
  s = &add(out, "small-step", "50 ms ahead: seen in the samples only", 7e-3, {lan()}, 1e4);
  s->bounded = false;
  s->events = {{5000, [](World& w) { w.node(0).oscillator().step(0.05); }}};
  s = &add(out, "untouched", "-x: the kernel clock is left alone, served time is right", 3 * kMicro, {lan()},
           1e4);
  s->node.free_running = true;
  s = &add(out, "era-2036", "NTP's seconds roll over at 4000 s", 3 * kMicro, {lan()}, 8000);
  s->start = WallTime{std::chrono::seconds{2'085'978'496 - 4000}};
  s = &add(out, "holdover", "the only server is gone from 10000 s on", 1e-3, {lan()});
  s->sources[0].path.up_until = 1e4;
}

// A leap second is inserted at the end of 2026. Seen by a client that measures each second, half a second
// from the leap, a clock is either right or a second off.
constexpr double kLeapAt = 4000.5;
constexpr WallTime kBeforeLeap =
    WallTime{std::chrono::seconds{1'798'761'600}} - std::chrono::milliseconds{4'000'500};

void add_leaps(std::vector<Scenario>& out) {
  struct Row {
    const char* name;
    const char* what;
    const char* mode;
    double limit;
  };
  for (const Row& row : {Row{"leap-system", "leap second, inserted by the kernel", "system", 3 * kMicro},
                         Row{"leap-step", "leap second, stepped by us", "step", 3 * kMicro},
                         Row{"leap-slew", "leap second, slewed", "slew", 35e-3}}) {
    Scenario* s = &add(out, row.name, row.what, row.limit, {lan()}, 8000);
    s->start = kBeforeLeap;
    s->leap_at = kLeapAt;
    s->sources[0].server.leap_at = kLeapAt;
    s->node.directives = std::string{"leapsecmode "} + row.mode;
    s->bounded = false;  // for a second of the slew
  }
}

// A client of a server that smears follows what is served, not UTC.
void add_smear(std::vector<Scenario>& out) {
  Scenario* s =
      &add(out, "leap-smear", "client of a server that smears the leap second", 8 * kMicro, {lan()}, 3e4);
  s->start = kBeforeLeap;
  s->sources[0].server.leap_at = kLeapAt;
  s->node.directives = "leapsecmode slew\nsmoothtime 400 0.001 leaponly\nallow";
  s->build = [](World& w) {
    NodeConfig client;
    client.oscillator.offset = -0.01;
    client.oscillator.frequency = -20e-6;
    client.directives = fmt::format("server {} iburst minpoll 4 maxpoll 4", node_address(0).to_string());
    w.add(client);
    w.link(node_address(1), node_address(0), lan().path);
  };
  s->error = [](World& w) { return w.node(1).error() - w.node(0).served_error(); };
  s->bounded = false;
}

void add_networks(std::vector<Scenario>& out) {
  Scenario* s = &add(out, "asymmetric", "there 40 us longer than back: half of it is the error", 21 * kMicro,
                     {lan()}, 1e4);
  s->sources[0].path.asymmetry = 40 * kMicro;
  s = &add(out, "one-sided", "jitter of 100 us on the way there only", 3 * kMicro, {lan()});
  s->sources[0].path.jitter = 100 * kMicro;
  s->sources[0].path.jitter_back = 0;
  s = &add(out, "normal", "normal jitter of 10 us", 3 * kMicro, {lan()});
  s->sources[0].path.jitter = 0;
  s->sources[0].path.normal_jitter = 10 * kMicro;
  s = &add(out, "loss", "half of the exchanges lost", 3 * kMicro, {lan()});
  s->sources[0].path.loss = 0.293;
  s->first_limit = 600;  // lost requests of the initial burst are not repeated early
  s = &add(out, "reordered", "one packet in ten 20 ms late, one in ten twice", 3 * kMicro, {lan()});
  s->sources[0].path.detour = 0.1;
  s->sources[0].path.detour_delay = 20e-3;
  s->sources[0].path.duplication = 0.1;
  s = &add(out, "intermittent", "link up and down for 1000 s in turn", 15 * kMicro, {lan()});
  s->sources[0].path.off_period = 1000;
  s = &add(out, "software", "kernel timestamps with 3 us of noise", 4 * kMicro, {lan()});
  s->node.stamp_noise = 3 * kMicro;
  s = &add(out, "reroute", "the path becomes 5 ms longer each way at 6000 s", 5 * kMicro, {lan()});
  s->sources[0].path.reroute_at = 6000;
  s->sources[0].path.reroute = 5e-3;
  add(out, "congested", "jitter 10 ms", 1e-3, {over(1e-3, 10e-3, "iburst minpoll 4 maxpoll 6")});
  s = &add(out, "late-stamps", "server's transmit stamps 20 us early, basic", 12 * kMicro, {lan()});
  s->sources[0].server.transmit_lag = 20 * kMicro;
  s = &add(out, "xleave", "the same, interleaved", 3 * kMicro, {lan()});
  s->sources[0].server.transmit_lag = 20 * kMicro;
  s->sources[0].options += " xleave";
}

void add_refclocks(std::vector<Scenario>& out) {
  Scenario* s = &add(out, "shm", "reference clock with 1 us of noise dies at 10000 s, NTP goes on",
                     3 * kMicro, {lan()});
  s->node.directives = "refclock SHM 0 refid GPS poll 4";
  s->node.refclocks = {{.noise = 1 * kMicro, .dead_from = 1e4}};
  s->expected = "?*";
  s = &add(out, "pps", "pulses with 300 ns of noise, numbered by an NTP server", 300 * kNano, {internet()});
  s->node.directives = "refclock PPS /dev/pps0 refid PPS poll 4";
  s->node.refclocks = {{.pulse = true, .noise = 300 * kNano}};
  s->expected = "*?";
}

Upstream lying(double by) {
  Upstream u = lan();
  u.server.offset = by;
  return u;
}

void add_servers(std::vector<Scenario>& out) {
  add(out, "liar-of-3", "one of three is a second off", 2 * kMicro, {lan(), lan(), lying(1)}, 5000).expected =
      "??x";
  add(out, "liar-of-4", "one of four is 10 ms off", 2 * kMicro, {lan(), lan(), lan(), lying(0.01)}, 5000)
      .expected = "???x";
  add(out, "liars-of-5", "two of five are off", 2 * kMicro, {lan(), lan(), lan(), lying(-1), lying(1)}, 5000)
      .expected = "???xx";
  Scenario* s =
      &add(out, "turncoat", "one of three jumps by 0.1 s at 4000 s", 2 * kMicro, {lan(), lan(), lan()}, 8000);
  s->sources[2].server.jump_at = 4000;
  s->sources[2].server.jump = 0.1;
  s->expected = "??x";
  s = &add(out, "switch", "the near source goes silent at 4000 s", 100 * kMicro, {lan(), internet()});
  s->sources[0].path.up_until = 4000;
  s->expected = "?*";
  add(out, "three", "three good sources", 1.5 * kMicro, {lan(), lan(), lan()}, 1e4);
}

}  // namespace

namespace detail {

Upstream lan() {
  return over(50 * kMicro, 10 * kMicro, "iburst minpoll 4 maxpoll 4");
}

Upstream internet() {
  return over(100 * kMicro, 100 * kMicro, "iburst");
}

void add_client_scenarios(std::vector<Scenario>& out) {
  add_numbers(out);
  add_oscillators(out);
  add_leaps(out);
  add_smear(out);
  add_networks(out);
  add_refclocks(out);
  add_servers(out);
}

}  // namespace detail

}  // namespace wiretime::sim
