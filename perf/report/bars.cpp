// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report/bars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "perf/report/axis.hpp"
#include "perf/report/svg.hpp"
#include "perf/report/text.hpp"

namespace wiretime::report {

namespace {

constexpr double kWidth = 960;
constexpr double kTop = 92;
constexpr double kNames = 190;  // right edge of the names
constexpr double kBarsEnd = 596;
constexpr double kValues = 676;  // right edge of the medians
constexpr double kCeilings = 812;
constexpr double kReferences = 936;
constexpr double kRow = 30;
constexpr double kBarHeight = 18;
constexpr double kGroupHead = 34;
constexpr double kGroupGap = 26;
constexpr std::size_t kLongestName = 24;

double height_of(const Comparison& comparison) {
  double height = kTop;
  for (const Link& link : comparison.links)
    height += kGroupHead + kRow * static_cast<double>(link.bars.size()) + kGroupGap;
  return height + 16;
}

const Bar* find(const Link& link, const std::string& name) {
  const auto it =
      std::find_if(link.bars.begin(), link.bars.end(), [&](const Bar& bar) { return bar.name == name; });
  return name.empty() || it == link.bars.end() ? nullptr : &*it;
}

std::string ratio(const Bar& bar, const Bar* base) {
  if (base == nullptr || !(base->median > 0)) return "";
  const double times = bar.median / base->median;
  return fmt::format("{:.{}f}", times, times < 9.995 ? 2 : 1);
}

// A server keeps its colour from link to link; ceilings have none.
std::vector<std::string> servers_of(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const Link& link : comparison.links)
    for (const Bar& bar : link.bars)
      if (bar.name != link.ceiling && std::find(names.begin(), names.end(), bar.name) == names.end())
        names.push_back(bar.name);
  return names;
}

void whisker(Svg& svg, const Bar& bar, const Axis& x, double middle) {
  svg.line({x.at(bar.min), middle}, {x.at(bar.max), middle},
           " class='halo' stroke='#ffffff' stroke-width='4'");
  const std::string_view style = " class='whisker' stroke='#222222' stroke-width='1.5'";
  svg.line({x.at(bar.min), middle}, {x.at(bar.max), middle}, style);
  for (const double end : {bar.min, bar.max})
    svg.line({x.at(end), middle - 5}, {x.at(end), middle + 5}, style);
}

std::string rounds_of(const Comparison& comparison) {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  for (const Link& link : comparison.links) {
    for (const Bar& bar : link.bars) {
      least = most == 0 ? bar.rounds : std::min(least, bar.rounds);
      most = std::max(most, bar.rounds);
    }
  }
  if (most < 2) return "answers per second";
  const std::string rounds = least == most ? fmt::format("{}", most) : fmt::format("{} to {}", least, most);
  return fmt::format("answers per second, median of {} alternating rounds; whiskers from least to most",
                     rounds);
}

void draw(Svg& svg, const Link& link, const std::vector<std::string>& servers, double top) {
  double most = 0;
  for (const Bar& bar : link.bars) most = std::max(most, bar.max);
  const Axis x = Axis::linear(0, most > 0 ? most : 1, kNames + 12, kBarsEnd);
  const Bar* const ceiling = find(link, link.ceiling);
  const Bar* const reference = find(link, link.reference);
  svg.text({24, top + 14}, Anchor::start, " class='heading link'", shortened(link.name, 60));
  svg.text({kValues, top + 14}, Anchor::end, " class='quiet'", "answers/s");
  if (ceiling != nullptr)
    svg.text({kCeilings, top + 14}, Anchor::end, " class='quiet'", "\u00d7 " + shortened(link.ceiling, 15));
  if (reference != nullptr)
    svg.text({kReferences, top + 14}, Anchor::end, " class='quiet'",
             "\u00d7 " + shortened(link.reference, 15));
  const double first = top + kGroupHead;
  const double last = first + kRow * static_cast<double>(link.bars.size()) - (kRow - kBarHeight);
  svg.line({x.from(), first - 6}, {x.from(), last + 6}, " class='axis'");
  if (ceiling != nullptr)
    svg.line({x.at(ceiling->median), first - 6}, {x.at(ceiling->median), last + 6}, " class='ideal'");
  for (std::size_t i = 0; i < link.bars.size(); ++i) {
    const Bar& bar = link.bars[i];
    const double y = first + kRow * static_cast<double>(i);
    const double base = y + 13;
    const auto server = std::find(servers.begin(), servers.end(), bar.name) - servers.begin();
    const bool is_ceiling = &bar == ceiling;
    svg.rect({x.from(), y}, x.at(bar.median) - x.from(), kBarHeight,
             fmt::format(" class='bar' fill='{}'",
                         is_ceiling ? "#b8b8b8" : series_colour(static_cast<std::size_t>(server))));
    whisker(svg, bar, x, y + kBarHeight / 2);
    svg.text({kNames, base}, Anchor::end, is_ceiling ? " class='quiet'" : "",
             shortened(bar.name, kLongestName));
    svg.text({kValues, base}, Anchor::end, " class='value'", format_rate(bar.median));
    svg.text({kCeilings, base}, Anchor::end, " class='ratio'", ratio(bar, ceiling));
    svg.text({kReferences, base}, Anchor::end, " class='ratio'", ratio(bar, reference));
  }
}

}  // namespace

std::string bars_svg(const Comparison& comparison) {
  std::string description = "Answers a second by server and link.";
  for (const Link& link : comparison.links)
    for (const Bar& bar : link.bars)
      description += fmt::format(" {}, {}: {}.", link.name, bar.name, format_rate(bar.median));
  Svg svg{kWidth, height_of(comparison), comparison.title, description};
  svg.text({24, 34}, Anchor::start, " class='title'", shortened(comparison.title, 80));
  svg.text({24, 54}, Anchor::start, " class='quiet'",
           shortened(comparison.date + " \u00b7 " + comparison.machine, 125));
  svg.text({24, 72}, Anchor::start, " class='quiet'", rounds_of(comparison));
  const std::vector<std::string> servers = servers_of(comparison);
  double top = kTop;
  for (const Link& link : comparison.links) {
    draw(svg, link, servers, top);
    top += kGroupHead + kRow * static_cast<double>(link.bars.size()) + kGroupGap;
  }
  return std::move(svg).finish();
}

}  // namespace wiretime::report
