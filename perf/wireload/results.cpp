// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "perf/report/text.hpp"

namespace wiretime::load {

namespace {

std::uint64_t sum(const auto& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

}  // namespace

report::Step step_of(const Tally& tally, double offered_rate, double ticks_per_second) {
  report::Step step;
  step.offered_rate = offered_rate;
  step.seconds = static_cast<double>(tally.sending_ticks) / ticks_per_second;
  step.sent = tally.sent;
  step.not_sent = tally.not_sent;
  step.answered = tally.all(Finding::valid);
  step.kiss = tally.all(Finding::kiss);
  step.lost = tally.sent - std::min(tally.sent, tally.replied());
  step.checked = sum(tally.checked) - tally.checked[static_cast<std::size_t>(Finding::other)] -
                 tally.checked[static_cast<std::size_t>(Finding::late)];
  for (auto f = static_cast<std::size_t>(kFirstFault); f <= static_cast<std::size_t>(kLastFault); ++f) {
    const auto finding = static_cast<Finding>(f);
    const std::uint64_t count = tally.all(finding);
    step.invalid += count;
    if (count > 0 && finding != Finding::unexpected)
      step.invalid_reasons.push_back({std::string{name(finding)}, count});
  }
  std::uint64_t unexplained = tally.all(Finding::unexpected);
  for (std::size_t k = 0; k < kBadPackets; ++k) {
    if (tally.provoked[k] == 0) continue;
    step.invalid_reasons.push_back(
        {fmt::format("answered_{}", name(static_cast<BadPacket>(k))), tally.provoked[k]});
    unexplained -= tally.provoked[k];
  }
  if (unexplained > 0) step.invalid_reasons.push_back({"unexpected", unexplained});
  step.response_time = report::Latency::of(tally.response);
  step.receive_to_transmit = report::Latency::of(tally.receive_to_transmit);
  return step;
}

double check_share(const std::vector<report::Step>& steps) {
  double checked = 0;
  double replies = 0;
  for (const report::Step& s : steps) {
    checked += static_cast<double>(s.checked);
    replies += static_cast<double>(s.answered + s.kiss + s.invalid);
  }
  return replies > 0 ? std::min(1.0, checked / replies) : 1;
}

std::string remarks(const Tally& tally, const Options& options, std::uint64_t dropped) {
  std::string text;
  if (!options.mix.empty()) {
    text += fmt::format("bad packets: {} sent, {} answered", sum(tally.bad_sent), sum(tally.provoked));
    std::string_view before = ": ";
    for (std::size_t k = 0; k < kBadPackets; ++k) {
      if (tally.bad_sent[k] == 0) continue;
      text += fmt::format("{}{} {} of {}", before, name(static_cast<BadPacket>(k)), tally.provoked[k],
                          tally.bad_sent[k]);
      before = ", ";
    }
    text += '\n';
  }
  if (options.interleaved)
    text += fmt::format("interleaved answers: {} of {}\n", tally.interleaved, tally.all(Finding::valid));
  if (const auto late = tally.all(Finding::late); late > 0)
    text += fmt::format("replies that came after their step was closed, counted as lost: {}\n", late);
  if (dropped > 0)
    text += fmt::format(
        "frames dropped by our own port, which was too slow, their requests counted as lost: {}\n", dropped);
  const std::uint64_t all = tally.all(Finding::valid);
  if (tally.all(Finding::clock) > all)
    text +=
        "most replies differ from this machine's time by more than --clock-bound: whose clock is wrong?\n";
  return text;
}

std::optional<std::string> missed_requirement(const std::vector<report::Step>& steps, double loss_below) {
  const auto worst = std::max_element(steps.begin(), steps.end(), [](const auto& a, const auto& b) {
    return a.lost_share() < b.lost_share();
  });
  // Nothing sent is nothing proven.
  const bool sent = std::all_of(steps.begin(), steps.end(), [](const auto& step) { return step.sent > 0; });
  if (worst == steps.end() || !sent) return "a step has sent no request, so that its loss is unknown";
  if (worst->lost_share() < loss_below) return std::nullopt;
  return fmt::format("{} % of the requests lost at {} a second, less than {} % required",
                     report::format_percent(worst->lost_share()), report::format_rate(worst->sent_rate()),
                     report::format_percent(loss_below));
}

}  // namespace wiretime::load
