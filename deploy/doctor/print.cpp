// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace wiretime::doctor {

namespace {

using Counts = std::array<std::size_t, kLevels>;

Counts count(const Findings& findings) {
  Counts counts{};
  for (const Finding& f : findings) ++counts[static_cast<std::size_t>(f.level)];
  return counts;
}

std::string_view colour(Level level) {
  constexpr std::array<std::string_view, kLevels> kColours{"\033[32m", "\033[36m", "\033[33m", "\033[1;31m"};
  return kColours[static_cast<std::size_t>(level)];
}

std::string counted(std::size_t n, Level level) {
  return fmt::format("{} {}{}", n, name(level), n == 1 || level == Level::ok ? "" : "s");
}

std::string summary(const Counts& counts) {
  std::string text;
  for (const Level level : {Level::problem, Level::warning, Level::note, Level::ok})
    text += (text.empty() ? "" : ", ") + counted(counts[static_cast<std::size_t>(level)], level);
  return text;
}

}  // namespace

std::string to_text(const Findings& findings, bool colours) {
  std::size_t about = 0, topic = 0;
  for (const Finding& f : findings) {
    about = std::max(about, f.about.size());
    topic = std::max(topic, f.topic.size());
  }
  std::string text;
  for (const Finding& f : findings) {
    text += fmt::format("{}{:<8}{} {:<{}}  {:<{}}  {}", colours ? colour(f.level) : "", name(f.level),
                        colours ? "\033[0m" : "", f.about, about, f.topic, topic, f.what);
    if (!f.next.empty()) text += " -> " + f.next;
    text += '\n';
  }
  return text + summary(count(findings)) + '\n';
}

std::string to_json(const Findings& findings) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const Finding& f : findings)
    list.push_back({{"level", name(f.level)},
                    {"about", f.about},
                    {"topic", f.topic},
                    {"what", f.what},
                    {"next", f.next}});
  Json sums = Json::object();
  const Counts counts = count(findings);
  for (std::size_t level = 0; level < kLevels; ++level)
    sums[std::string{name(static_cast<Level>(level))}] = counts[level];
  const Json all = {{"findings", std::move(list)}, {"summary", std::move(sums)}};
  // What the kernel or a file said need not be UTF-8.
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

int exit_status(const Findings& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.level == Level::problem; })
             ? 1
             : 0;
}

}  // namespace wiretime::doctor
