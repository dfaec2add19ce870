// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report/load_curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "perf/report/axis.hpp"
#include "perf/report/svg.hpp"
#include "perf/report/text.hpp"

namespace wiretime::report {

namespace {

constexpr double kWidth = 960;
constexpr double kLeft = 72;
constexpr double kTop = 100;
constexpr double kAnswersHeight = 260;
constexpr double kLossHeight = 80;
constexpr double kLatencyHeight = 230;
constexpr double kGap = 46;  // between panels: room for the next one's heading
constexpr double kBottom = 52;
constexpr double kLossTop = kTop + kAnswersHeight + kGap;
constexpr double kLatencyTop = kLossTop + kLossHeight + kGap;
constexpr double kHeight = kLatencyTop + kLatencyHeight + kBottom;
constexpr std::size_t kLongestLabel = 26;
constexpr const char* kAnswersHeading = "Answers per second";

struct Line {
  const char* name;
  double Latency::*value;
  const char* stroke;
};
constexpr std::array<Line, 4> kLines{
    {{"p50", &Latency::p50, " stroke-width='2.5'"},
     {"p99", &Latency::p99, " stroke-width='1.5' stroke-opacity='0.85'"},
     {"p99.9", &Latency::p99_9, " stroke-width='1.5' stroke-dasharray='6 3'"},
     {"p99.99", &Latency::p99_99, " stroke-width='1.5' stroke-dasharray='1 4'"}}};

struct Range {
  double low = std::numeric_limits<double>::max();
  double high = 0;

  void take(double value) {
    if (!(value > 0)) return;
    const double sane = std::clamp(value, 1e-3, 1e15);  // files may say anything
    low = std::min(low, sane);
    high = std::max(high, sane);
  }
  // Room at both ends; never empty.
  [[nodiscard]] Range padded(double factor) const {
    return high > 0 ? Range{low / factor, high * factor} : Range{1, 10};
  }
};

// Steps with something to show, in the order of the rate.
std::vector<const Step*> drawn(const Run& run) {
  std::vector<const Step*> out;
  for (const Step& step : run.steps)
    if (step.sent_rate() > 0) out.push_back(&step);
  std::stable_sort(out.begin(), out.end(),
                   [](const Step* a, const Step* b) { return a->sent_rate() < b->sent_rate(); });
  return out;
}

std::string coloured(std::size_t series) {
  return fmt::format(" stroke='{}'", series_colour(series));
}

class Picture {
 public:
  Picture(std::span<const Run> runs, std::string_view title)
      : runs_{runs},
        svg_{kWidth, kHeight, title, description()},
        x_{Axis::logarithmic(rates().low, rates().high, kLeft, kWidth - right_margin())} {
    svg_.text({24, 34}, Anchor::start, " class='title'", title);
    svg_.text({24, 54}, Anchor::start, " class='quiet'", circumstances());
  }

  std::string draw() && {
    answers();
    loss();
    latency();
    svg_.text({(x_.from() + x_.to()) / 2, kHeight - 14}, Anchor::middle, "", "requests sent per second");
    return std::move(svg_).finish();
  }

 private:
  [[nodiscard]] Range rates() const {
    Range range;
    for (const Run& run : runs_)
      for (const Step* step : drawn(run)) range.take(step->sent_rate());
    return range.padded(range.high > range.low ? 1.06 : 2);
  }

  [[nodiscard]] double right_margin() const {
    double widest = 0;
    for (const Run& run : runs_)
      widest = std::max(widest, text_width(shortened(run.label, kLongestLabel), 13));
    return std::max(widest, text_width("peak 999.9k/s", 12)) + 40;
  }

  [[nodiscard]] static double peak(const Run& run) {
    double most = 0;
    for (const Step& step : run.steps) most = std::max(most, step.answered_rate());
    return most;
  }

  [[nodiscard]] std::string description() const {
    std::string out = "Answers, loss and response time over the rate of requests.";
    for (const Run& run : runs_)
      out += fmt::format(" {}: at most {} answers a second.", run.label, format_rate(peak(run)));
    return out;
  }

  // What the runs have in common, or what each has.
  template <typename F>
  [[nodiscard]] std::string each(F text_of) const {
    std::vector<std::string> seen;
    for (const Run& run : runs_) {
      const std::string text = text_of(run);
      if (!text.empty() && std::find(seen.begin(), seen.end(), text) == seen.end()) seen.push_back(text);
    }
    return fmt::format("{}", fmt::join(seen, ", "));
  }

  [[nodiscard]] std::string circumstances() const {
    const std::array<std::string, 4> parts{
        each([](const Run& r) { return r.started.substr(0, 10); }),
        each([](const Run& r) { return r.machine; }), each([](const Run& r) { return r.port; }),
        each([](const Run& r) { return fmt::format("{} client{}", r.clients, r.clients == 1 ? "" : "s"); })};
    std::string out;
    for (const std::string& part : parts)
      if (!part.empty()) out += (out.empty() ? "" : " \u00b7 ") + part;
    return shortened(out, 125);
  }

  void panel(const char* heading, const Axis& y, const std::vector<std::string>& labels, bool named_rates) {
    svg_.text({x_.from(), y.to() - 12}, Anchor::start, " class='heading'", heading);
    const std::vector<double> ticks = y.ticks();
    for (std::size_t i = 0; i < ticks.size(); ++i) {
      svg_.line({x_.from(), y.at(ticks[i])}, {x_.to(), y.at(ticks[i])}, " class='grid'");
      svg_.text({x_.from() - 8, y.at(ticks[i]) + 4}, Anchor::end, " class='quiet'", labels[i]);
    }
    for (const double tick : x_.ticks()) {
      svg_.line({x_.at(tick), y.from()}, {x_.at(tick), y.to()}, " class='grid'");
      if (named_rates)
        svg_.text({x_.at(tick), y.from() + 18}, Anchor::middle, " class='quiet'", rate_label(tick));
    }
    svg_.line({x_.from(), y.from()}, {x_.to(), y.from()}, " class='axis'");
  }

  template <typename F>
  static std::vector<std::string> labels(const Axis& axis, F text_of) {
    std::vector<std::string> out;
    for (const double tick : axis.ticks()) out.push_back(text_of(tick));
    return out;
  }

  void curve(const std::vector<Point>& points, std::size_t series, std::string_view kind,
             std::string_view stroke) {
    if (points.size() > 1)
      svg_.polyline(points,
                    fmt::format(" class='{}' data-run='{}'{}{}", kind, series, coloured(series), stroke));
  }

  void answers() {
    Range range;
    for (const Run& run : runs_)
      for (const Step* step : drawn(run)) range.take(step->answered_rate());
    // Down to a tenth of the lowest rate: a server that collapses below that lies on the edge.
    const double low = std::max(std::min(range.low / 1.06, x_.low()), x_.low() / 10);
    const Axis y =
        Axis::logarithmic(low, std::max(range.high * 1.06, x_.high()), kTop + kAnswersHeight, kTop);
    panel(kAnswersHeading, y, labels(y, rate_label), false);
    svg_.line({x_.at(x_.low()), y.at(x_.low())}, {x_.at(x_.high()), y.at(x_.high())}, " class='ideal'");
    svg_.text({x_.at(x_.high()) - 8, kTop - 12}, Anchor::end, " class='quiet'",
              "- - - every request answered");
    std::vector<Point> ends;
    bool hollow = false;
    for (std::size_t series = 0; series < runs_.size(); ++series) {
      std::vector<Point> points;
      for (const Step* step : drawn(runs_[series]))
        points.push_back({x_.at(step->sent_rate()), y.at(step->answered_rate())});
      curve(points, series, "answers", " stroke-width='2.5'");
      std::size_t i = 0;
      for (const Step* step : drawn(runs_[series])) {
        svg_.marker(points[i++], series, step->fell_short());
        hollow = hollow || step->fell_short();
      }
      ends.push_back(points.empty() ? Point{x_.to(), y.from()} : points.back());
    }
    if (hollow)
      svg_.text({x_.from() + text_width(kAnswersHeading, 13) + 16, kTop - 12}, Anchor::start,
                " class='quiet'", "hollow: the generator could not send all that was due");
    name_curves(ends);
  }

  // Beside the end of each curve, moved apart where they would overlap.
  void name_curves(const std::vector<Point>& ends) {
    constexpr double kPitch = 34;
    std::vector<std::size_t> order(ends.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return ends[a].y < ends[b].y; });
    double lowest = kTop + kAnswersHeight - kPitch * static_cast<double>(order.size()) + kPitch / 2;
    double free = kTop;
    for (const std::size_t series : order) {
      const double y = std::max(std::min(ends[series].y, lowest), free);
      free = y + kPitch;
      lowest += kPitch;
      const double x = x_.to() + 16;
      svg_.line(ends[series], {x - 6, y},
                fmt::format("{} stroke-width='1' stroke-dasharray='1 3'", coloured(series)));
      svg_.marker({x, y}, series, false);
      svg_.text({x + 10, y + 4}, Anchor::start, " class='heading label'",
                shortened(runs_[series].label, kLongestLabel));
      svg_.text({x + 10, y + 19}, Anchor::start, " class='quiet'",
                fmt::format("peak {}/s", format_rate(peak(runs_[series]))));
    }
  }

  void loss() {
    double most = 0.01;
    for (const Run& run : runs_)
      for (const Step* step : drawn(run)) most = std::max(most, step->lost_share());
    const Axis y = Axis::linear(0, std::min(round_up(most), 1.0), kLossTop + kLossHeight, kLossTop);
    panel("Requests lost", y, labels(y, [](double share) { return fmt::format("{:.3g} %", share * 100); }),
          false);
    for (std::size_t series = 0; series < runs_.size(); ++series) {
      std::vector<Point> points;
      for (const Step* step : drawn(runs_[series]))
        points.push_back({x_.at(step->sent_rate()), y.at(step->lost_share())});
      if (points.empty()) continue;
      std::vector<Point> area = points;
      area.push_back({points.back().x, y.from()});
      area.push_back({points.front().x, y.from()});
      svg_.polygon(area, fmt::format(" class='lost' data-run='{}' fill='{}' fill-opacity='0.15'", series,
                                     series_colour(series)));
      curve(points, series, "loss", " stroke-width='2'");
    }
  }

  void latency() {
    Range range;
    for (const Run& run : runs_)
      for (const Step* step : drawn(run))
        for (const Line& line : kLines) range.take(step->response_time.*line.value);
    range = range.padded(1.15);
    const Axis y = Axis::logarithmic(range.low, range.high, kLatencyTop + kLatencyHeight, kLatencyTop);
    panel("Response time of answered requests", y, labels(y, time_label), true);
    for (std::size_t series = 0; series < runs_.size(); ++series) {
      for (const Line& line : kLines) {
        std::vector<Point> points;
        for (const Step* step : drawn(runs_[series]))
          if (step->response_time.count > 0)
            points.push_back({x_.at(step->sent_rate()), y.at(step->response_time.*line.value)});
        curve(points, series, "latency", line.stroke);
        if (line.value == &Latency::p50 || points.size() == 1)
          for (const Point p : points) svg_.marker(p, series, false);
        // A single rate has no lines to tell the quantiles apart.
        if (points.size() == 1)
          svg_.text({points[0].x + 10, points[0].y + 4}, Anchor::start, " class='quiet'", line.name);
      }
    }
    double x = x_.to();
    for (auto line = kLines.rbegin(); line != kLines.rend(); ++line) {
      svg_.text({x, kLatencyTop - 12}, Anchor::end, " class='quiet'", line->name);
      x -= text_width(line->name, 12) + 4;
      const std::array<Point, 2> sample{{{x - 26, kLatencyTop - 16}, {x, kLatencyTop - 16}}};
      svg_.polyline(sample, fmt::format(" class='key' stroke='#5a5a5a'{}", line->stroke));
      x -= 44;
    }
  }

  std::span<const Run> runs_;
  Svg svg_;
  Axis x_;
};

}  // namespace

std::string load_curve_svg(std::span<const Run> runs, std::string_view title) {
  std::string made{title};
  if (made.empty()) {
    for (const Run& run : runs) made += (made.empty() ? "" : ", ") + run.label;
    made += " under load";
  }
  return Picture{runs, shortened(made, 80)}.draw();
}

}  // namespace wiretime::report
