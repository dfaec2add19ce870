// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

namespace wiretime::report {

namespace {

// From the smallest up, each 1000 times the one before.
std::string scaled(double value, const std::string_view* units, std::size_t n) {
  std::size_t i = 0;
  while (value >= 999.95 && i + 1 < n) {
    value /= 1000;
    ++i;
  }
  if (value >= 1e6) return fmt::format("{:.3g}{}", value, units[i]);
  const bool whole = i == 0 && value == std::floor(value);
  const int digits = whole || value >= 999.95 ? 0 : value >= 99.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}", value, digits, units[i]);
}

struct Column {
  std::string group;  // heading above the heading; equal neighbours share it
  std::string name;
  std::vector<std::string> cells;
};

// A time of a histogram without samples is no time.
std::string cell(const Latency& latency, double ns) {
  return latency.count == 0 ? "-" : format_time(ns);
}

bool fell_short(const Step& step) {
  return step.fell_short();
}

std::vector<Column> columns_of(const Run& run) {
  const auto any = [&](auto count) { return std::any_of(run.steps.begin(), run.steps.end(), count); };
  std::vector<Column> columns;
  const auto add = [&](const char* group, const char* name, auto text) {
    Column& column = columns.emplace_back(Column{group, name, {}});
    for (const Step& step : run.steps) column.cells.push_back(text(step));
  };
  add("", "offered/s",
      [](const Step& s) { return s.offered_rate > 0 ? format_rate(s.offered_rate) : "max"; });
  const char* const no_mark = any(fell_short) ? " " : "";
  add("", "sent/s",
      [=](const Step& s) { return format_rate(s.sent_rate()) + (fell_short(s) ? "*" : no_mark); });
  add("", "answered/s", [](const Step& s) { return format_rate(s.answered_rate()); });
  add("", "lost %", [](const Step& s) { return format_percent(s.lost_share()); });
  add("", "invalid", [](const Step& s) { return fmt::format("{}", s.invalid); });
  if (any([](const Step& s) { return s.kiss > 0; }))
    add("", "kiss", [](const Step& s) { return fmt::format("{}", s.kiss); });
  const char* const response = "response time";
  add(response, "p50", [](const Step& s) { return cell(s.response_time, s.response_time.p50); });
  add(response, "p99", [](const Step& s) { return cell(s.response_time, s.response_time.p99); });
  add(response, "p99.9", [](const Step& s) { return cell(s.response_time, s.response_time.p99_9); });
  add(response, "p99.99", [](const Step& s) { return cell(s.response_time, s.response_time.p99_99); });
  const char* const inside = "receive to transmit";
  add(inside, "p50", [](const Step& s) { return cell(s.receive_to_transmit, s.receive_to_transmit.p50); });
  add(inside, "p99", [](const Step& s) { return cell(s.receive_to_transmit, s.receive_to_transmit.p99); });
  return columns;
}

constexpr std::size_t kGap = 2;

std::string centred(const std::string& text, std::size_t width, char rule) {
  const std::string spaced = text.size() + 2 <= width ? " " + text + " " : text;
  const std::size_t left = (width - spaced.size()) / 2;
  return std::string(left, rule) + spaced + std::string(width - spaced.size() - left, rule);
}

std::string table_of(const std::vector<Column>& columns, std::size_t rows) {
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    std::size_t width = column.name.size();
    for (const std::string& text : column.cells) width = std::max(width, text.size());
    widths.push_back(width);
  }
  // A group's heading must fit over its columns: the first of them takes what is missing.
  std::string groups;
  for (std::size_t i = 0; i < columns.size();) {
    std::size_t end = i + 1;
    std::size_t width = widths[i];
    while (end < columns.size() && columns[end].group == columns[i].group) width += kGap + widths[end++];
    const std::size_t missing = columns[i].group.size() > width ? columns[i].group.size() - width : 0;
    widths[i] += missing;
    const char rule = columns[i].group.empty() ? ' ' : '-';
    groups += std::string(i > 0 ? kGap : 0, ' ') + centred(columns[i].group, width + missing, rule);
    i = end;
  }
  std::string out = groups + "\n";
  const auto row = [&](auto text_of) {
    for (std::size_t i = 0; i < columns.size(); ++i)
      out += fmt::format("{:>{}}", text_of(columns[i]), widths[i] + (i > 0 ? kGap : 0));
    out += "\n";
  };
  row([](const Column& c) { return c.name; });
  for (std::size_t r = 0; r < rows; ++r) row([r](const Column& c) { return c.cells[r]; });
  return out;
}

}  // namespace

std::string format_rate(double per_second) {
  static constexpr std::array<std::string_view, 4> kUnits{"", "k", "M", "G"};
  return scaled(per_second, kUnits.data(), kUnits.size());
}

std::string format_time(double ns) {
  static constexpr std::array<std::string_view, 4> kUnits{"ns", "us", "ms", "s"};
  return scaled(ns, kUnits.data(), kUnits.size());
}

std::string format_percent(double share) {
  const double percent = share * 100;
  if (percent <= 0) return "0";
  if (percent < 0.001) return "<0.001";
  if (percent >= 100) return "100";
  // What is nearly everything is not called everything.
  const double floored = percent > 99 ? std::floor(percent * 100) / 100 : percent;
  return fmt::format("{:.{}f}", floored, percent < 0.01 ? 3 : percent < 10 || percent > 99 ? 2 : 1);
}

std::string final_table(const Run& run) {
  const std::string checked =
      run.check_share >= 1 ? "every reply checked"
                           : fmt::format("{} % of the replies checked", format_percent(run.check_share));
  std::string out = fmt::format("{}: {} of {} from {}, {} clients, {}\n", run.label, run.mode, run.target,
                                run.port, run.clients, checked);
  if (run.steps.empty()) return out + "no step was finished\n";
  out += table_of(columns_of(run), run.steps.size());
  if (std::any_of(run.steps.begin(), run.steps.end(), fell_short))
    out += "* the generator could not send what was due; what it did not send is not counted as lost\n";
  for (const Step& step : run.steps) {
    if (step.invalid_reasons.empty()) continue;
    out += fmt::format("invalid at {}/s:", format_rate(step.sent_rate()));
    for (const Reason& reason : step.invalid_reasons) out += fmt::format(" {} {}", reason.name, reason.count);
    out += "\n";
  }
  return out;
}

std::string progress_line(const Progress& p) {
  const std::string offered = p.offered_rate > 0 ? format_rate(p.offered_rate) : "max";
  std::string line =
      fmt::format("{}/{} offered {:>6} sent {:>6} answered {:>6}/s lost {:>6} % p99 {}", p.step, p.steps,
                  offered, format_rate(p.sent_rate), format_rate(p.answered_rate),
                  format_percent(p.lost_share), p.p99 > 0 ? format_time(p.p99) : "-");
  line.resize(kProgressWidth, ' ');
  return line;
}

}  // namespace wiretime::report
