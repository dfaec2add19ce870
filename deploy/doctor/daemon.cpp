// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/daemon.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "clock/nic_snapshot.hpp"
#include "clock/transmit_status.hpp"

namespace wiretime::doctor {

namespace {

using clock::ReceiveRung;
using clock::TransmitRung;

constexpr std::array<ReceiveRung, clock::kReceiveRungs> kReceiveRungs{
    ReceiveRung::hardware, ReceiveRung::xdp_program, ReceiveRung::tsc};

// 0: the best; past the end for a name that is none.
template <typename Rungs>
std::size_t place(std::string_view rung, const Rungs& rungs) {
  const auto at = std::find_if(rungs.begin(), rungs.end(), [&](auto r) { return name(r) == rung; });
  return static_cast<std::size_t>(at - rungs.begin());
}

bool is_refusal(const std::string& verdict) {
  using clock::StampVerdict;
  constexpr std::array<StampVerdict, 3> kFine{StampVerdict::good, StampVerdict::repaired,
                                              StampVerdict::probation};
  return std::none_of(kFine.begin(), kFine.end(), [&](StampVerdict v) { return name(v) == verdict; });
}

double event(const PortNow& now, clock::TransmitEvent event) {
  const auto found = now.events.find(std::string{name(event)});
  return found == now.events.end() ? 0 : found->second;
}

std::string nanoseconds(double seconds) {
  return fmt::format("{:.0f} ns", seconds * 1e9);
}

void take(const Sample& s, PortNow& port) {
  const bool now = s.value != 0;
  if (s.name == "wiretime_receive_rung") {
    port.receive_offers.push_back(s.label("rung"));
    if (now) port.receive = s.label("rung");
  } else if (s.name == "wiretime_receive_rung_changes_total") {
    port.rung_changes = s.value;
  } else if (s.name == "wiretime_receive_stamps_total") {
    if (is_refusal(s.label("verdict"))) port.refused[s.label("rung")] += s.value;
  } else if (s.name == "wiretime_transmit_rung") {
    if (now) port.transmit = s.label("rung");
  } else if (s.name == "wiretime_transmit_events_total") {
    port.events[s.label("event")] = s.value;
  } else if (s.name == "wiretime_transmit_spread_seconds") {
    port.spread = s.value;
  } else if (s.name == "wiretime_nic_clock_ready") {
    port.clock_ready = now;
  } else if (s.name == "wiretime_nic_clock_error_bound_seconds") {
    port.clock_error = s.value;
  }
}

void judge_receive(const PortNow& now, const std::optional<Outlook>& expected, Findings& out) {
  const auto say = [&](Level level, std::string what, std::string next) {
    out.push_back({level, now.name, "receive now", std::move(what), std::move(next)});
  };
  const std::size_t rung = place(now.receive, kReceiveRungs);
  const std::string& best = now.receive_offers.front();
  std::string what = now.receive;
  if (const double changes = now.rung_changes; changes > 0)
    what += fmt::format(", after {:.0f} change{} of rung", changes, changes == 1 ? "" : "s");
  if (place(best, kReceiveRungs) < rung) {
    const auto refused = now.refused.find(best);
    if (refused != now.refused.end() && refused->second > 0)
      what += fmt::format("; {:.0f} stamps of {} were refused", refused->second, best);
    return say(Level::warning, fmt::format("{} (could have {})", what, best),
               "the log's \"receive rung\" says why; wiretime_receive_stamps_total counts");
  }
  if (expected && static_cast<std::size_t>(expected->receive.rung) < rung)
    return say(Level::note,
               fmt::format("{}; {} is within reach by now, but was not at its start", what,
                           name(expected->receive.rung)),
               "restart wiretimed; its log says at start what is in the way");
  say(Level::ok, what + ", as the daemon says", "");
}

void judge_transmit(const PortNow& now, const std::optional<Outlook>& expected, Findings& out) {
  using clock::TransmitEvent;
  const auto say = [&](Level level, std::string what, std::string next) {
    out.push_back({level, now.name, "transmit now", std::move(what), std::move(next)});
  };
  std::string what = now.transmit;
  if (now.spread) what += fmt::format(", three in four within {}", nanoseconds(*now.spread));
  if (const double late = event(now, TransmitEvent::late); late > 0)
    what += fmt::format(", {:.0f} of {:.0f} bursts late", late, event(now, TransmitEvent::launched));
  if (const double lost = event(now, TransmitEvent::lost); lost > 0)
    what += fmt::format(", {:.0f} of {:.0f} samples lost", lost, lost + event(now, TransmitEvent::sampled));
  const std::size_t rung = place(now.transmit, clock::kTransmitRungs);
  if (expected && static_cast<std::size_t>(expected->transmit.rung) < rung)
    return say(Level::note, fmt::format("{}; {} was to be hoped for", what, name(expected->transmit.rung)),
               "the log's \"transmit timestamps\" says why");
  say(Level::ok, what + ", as the daemon says", "");
}

void judge_clock(const PortNow& now, Findings& out) {
  if (!now.clock_ready) return;
  if (*now.clock_ready)
    out.push_back({Level::ok, now.name, "clock now",
                   "the card's timestamps can be told in time" +
                       (now.clock_error ? ", to " + nanoseconds(*now.clock_error) : std::string{}),
                   ""});
  else
    out.push_back({Level::warning, now.name, "clock now", "the card's timestamps cannot be told in time",
                   "the log's \"NIC clock not usable\" says why"});
}

}  // namespace

std::vector<PortNow> ports_now(const std::vector<Sample>& page) {
  std::vector<PortNow> ports;
  for (const Sample& s : page) {
    const bool of_port = s.name.compare(0, 17, "wiretime_receive_") == 0 ||
                         s.name.compare(0, 18, "wiretime_transmit_") == 0 ||
                         s.name.compare(0, 19, "wiretime_nic_clock_") == 0;
    const std::string port = s.label("port");
    if (!of_port || port.empty()) continue;
    auto found = std::find_if(ports.begin(), ports.end(), [&](const PortNow& p) { return p.name == port; });
    if (found == ports.end()) {
      found = ports.insert(ports.end(), PortNow{});
      found->name = port;
    }
    take(s, *found);
  }
  for (PortNow& port : ports)
    std::stable_sort(
        port.receive_offers.begin(), port.receive_offers.end(),
        [](const auto& a, const auto& b) { return place(a, kReceiveRungs) < place(b, kReceiveRungs); });
  return ports;
}

Findings judge_port_now(const PortNow& now, const std::optional<Outlook>& expected) {
  Findings out;
  if (!now.receive.empty()) judge_receive(now, expected, out);
  if (!now.transmit.empty()) judge_transmit(now, expected, out);
  judge_clock(now, out);
  return out;
}

Findings judge_daemon(const std::vector<Sample>& page, const std::string& where, const std::string& error) {
  const auto one = [](Level level, std::string what, std::string next) {
    return Findings{{level, "wiretimed", "metrics", std::move(what), std::move(next)}};
  };
  if (page.empty())
    return one(Level::warning, fmt::format("{}: {}", where, error),
               "does it run with this configuration? -f names another");
  const auto of_ours = [](const Sample& s) { return s.name.compare(0, 9, "wiretime_") == 0; };
  if (std::none_of(page.begin(), page.end(), of_ours))
    return one(Level::warning, where + ": these metrics are not wiretimed's",
               "give metricsport another number");
  const auto stratum = std::find_if(page.begin(), page.end(),
                                    [](const Sample& s) { return s.name == "chrony_tracking_stratum"; });
  if (stratum != page.end() && stratum->value == 0)
    return one(Level::warning, "it serves no time: not synchronised", "chronyc sources; its log says why");
  return one(Level::ok,
             stratum == page.end() ? "it answers"
                                   : fmt::format("it answers; serves time at stratum {:.0f}", stratum->value),
             "");
}

}  // namespace wiretime::doctor
