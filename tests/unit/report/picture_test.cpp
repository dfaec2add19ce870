// SPDX-License-Identifier: BSD-3-Clause
// Pictures are tested for what they hold and where, not byte by byte.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "catch.hpp"
#include "perf/report/axis.hpp"
#include "perf/report/bars.hpp"
#include "perf/report/load_curve.hpp"
#include "perf/report/svg.hpp"
#include "samples.hpp"

using namespace wiretime::report;

namespace {

struct Tag {
  std::string name;
  std::string attributes;
  std::string text;  // up to the next tag

  [[nodiscard]] std::string attribute(const std::string& key) const {
    const auto at = attributes.find(" " + key + "='");
    if (at == std::string::npos) return "";
    const auto from = at + key.size() + 3;
    return attributes.substr(from, attributes.find('\'', from) - from);
  }
  [[nodiscard]] double number(const std::string& key) const {
    return std::strtod(attribute(key).c_str(), nullptr);
  }
};

// Opening tags in order. Tags that do not match, stray markup and nan or inf in a number fail the test.
std::vector<Tag> tags_of(const std::string& svg) {
  std::vector<Tag> tags;
  std::vector<std::string> open;
  std::size_t at = 0;
  while ((at = svg.find('<', at)) != std::string::npos) {
    const std::size_t end = svg.find('>', at);
    REQUIRE(end != std::string::npos);
    std::string inside = svg.substr(at + 1, end - at - 1);
    REQUIRE(inside.find('<') == std::string::npos);
    const std::size_t next = svg.find('<', end);
    if (inside[0] == '/') {
      REQUIRE_FALSE(open.empty());
      REQUIRE(open.back() == inside.substr(1));
      open.pop_back();
    } else {
      const bool closed = inside.back() == '/';
      if (closed) inside.pop_back();
      const std::size_t space = std::min(inside.find(' '), inside.size());
      tags.push_back({inside.substr(0, space), inside.substr(space), svg.substr(end + 1, next - end - 1)});
      REQUIRE(std::count(inside.begin(), inside.end(), '\'') % 2 == 0);
      REQUIRE(inside.find("nan") == std::string::npos);
      REQUIRE(inside.find("inf") == std::string::npos);
      if (!closed) open.push_back(tags.back().name);
    }
    at = end;
  }
  REQUIRE(open.empty());
  return tags;
}

std::vector<Tag> of_class(const std::vector<Tag>& tags, const std::string& name) {
  std::vector<Tag> out;
  std::copy_if(tags.begin(), tags.end(), std::back_inserter(out), [&](const Tag& tag) {
    const std::string classes = " " + tag.attribute("class") + " ";
    return classes.find(" " + name + " ") != std::string::npos;
  });
  return out;
}

std::vector<Point> points_of(const Tag& tag) {
  std::vector<Point> out;
  const std::string text = tag.attribute("points");
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const double x = std::strtod(at, &end);
    const double y = std::strtod(end + 1, &end);
    out.push_back({x, y});
    at = *end == ' ' ? end + 1 : end;
  }
  return out;
}

std::size_t texts(const std::vector<Tag>& tags, const std::string& content) {
  return static_cast<std::size_t>(std::count_if(
      tags.begin(), tags.end(), [&](const Tag& tag) { return tag.name == "text" && tag.text == content; }));
}

// No text, marker or curve leaves the card.
void require_inside(const std::vector<Tag>& tags) {
  const double width = tags[0].number("width");
  const double height = tags[0].number("height");
  const auto inside = [&](double x, double y) { return x >= 0 && x <= width && y >= 0 && y <= height; };
  for (const Tag& tag : tags) {
    CAPTURE(tag.name, tag.attributes, tag.text);
    for (const Point p : points_of(tag)) REQUIRE(inside(p.x, p.y));
    if (tag.name == "line") {
      REQUIRE(inside(tag.number("x1"), tag.number("y1")));
      REQUIRE(inside(tag.number("x2"), tag.number("y2")));
    }
    if (tag.name != "text") continue;
    const double length = text_width(tag.text, tag.attribute("class") == "title" ? 18 : 12);
    const std::string anchor = tag.attribute("text-anchor");
    const double from = tag.number("x") - (anchor == "end" ? length : anchor == "middle" ? length / 2 : 0);
    REQUIRE(inside(from, tag.number("y")));
    REQUIRE(inside(from + length, tag.number("y")));
  }
}

Comparison sample_comparison() {
  return {"Answers",
          "2026-11-23",
          "2 cores",
          {{"memif", {{"testpmd", 1e7, 9e6, 1.1e7, 5}, {"wiretimed", 8e6, 7e6, 9e6, 5}}, "testpmd", ""},
           {"veth",
            {{"testpmd", 1e6, 1e6, 1e6, 5}, {"wiretimed", 9.5e5, 9e5, 1e6, 5}, {"chronyd", 2e5, 1e5, 3e5, 5}},
            "testpmd",
            "chronyd"}}};
}

}  // namespace

TEST_CASE("a load curve has a curve of answers, of loss and four of latency for every run") {
  const std::vector<Run> runs{sample_run("one", 2e5), sample_run("two", 2e6), sample_run("three", 5e6)};
  const std::string svg = load_curve_svg(runs, "Title");
  const auto tags = tags_of(svg);
  require_inside(tags);
  CHECK(tags[0].name == "svg");
  CHECK(of_class(tags, "answers").size() == 3);
  CHECK(of_class(tags, "loss").size() == 3);
  CHECK(of_class(tags, "lost").size() == 3);
  CHECK(of_class(tags, "latency").size() == 12);
  CHECK(of_class(tags, "ideal").size() == 1);
  REQUIRE(of_class(tags, "title").size() == 1);
  CHECK(of_class(tags, "title")[0].text == "Title");
  for (const char* label : {"one", "two", "three", "peak 200.0k/s", "peak 2.00M/s", "10k", "1M", "100 %"})
    CHECK(texts(tags, label) >= 1);
  for (const char* foreign : {"<script", "http://", "https://", "@import", "url(", "href"}) {
    const auto at = svg.find(foreign, svg.find('>'));
    CHECK(at == std::string::npos);
  }
}

TEST_CASE("the curves of runs differ in colour and marker") {
  std::vector<Run> runs;
  for (int i = 0; i < 7; ++i)
    runs.push_back(sample_run(std::string(1, static_cast<char>('a' + i)), 1e5 * (i + 1)));
  const auto tags = tags_of(load_curve_svg(runs, ""));
  std::vector<std::string> colours;
  for (const Tag& curve : of_class(tags, "answers")) colours.push_back(curve.attribute("stroke"));
  std::sort(colours.begin(), colours.end());
  CHECK(std::unique(colours.begin(), colours.end()) == colours.end());
  CHECK(colours.size() == 7);
  CHECK(of_class(tags, "title")[0].text == "a, b, c, d, e, f, g under load");
}

TEST_CASE("answers lie on the ideal line while nothing is lost, and below it afterwards") {
  const std::vector<Run> runs{sample_run("a", 1e6)};
  const auto tags = tags_of(load_curve_svg(runs, ""));
  const Tag ideal = of_class(tags, "ideal")[0];
  const double slope = (ideal.number("y2") - ideal.number("y1")) / (ideal.number("x2") - ideal.number("x1"));
  const auto points = points_of(of_class(tags, "answers")[0]);
  REQUIRE(points.size() == runs[0].steps.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double on_line = ideal.number("y1") + slope * (points[i].x - ideal.number("x1"));
    CAPTURE(i, points[i].x, points[i].y, on_line);
    if (runs[0].steps[i].lost == 0)
      CHECK(std::abs(points[i].y - on_line) < 0.3);
    else
      CHECK(points[i].y > on_line + 1);
  }
}

TEST_CASE("names of curves that end at the same place do not overlap") {
  std::vector<Run> runs;
  for (int i = 0; i < 6; ++i) runs.push_back(sample_run("server " + std::to_string(i), 1e4));
  const auto tags = tags_of(load_curve_svg(runs, ""));
  require_inside(tags);
  std::vector<double> heights;
  for (const Tag& label : of_class(tags, "label")) heights.push_back(label.number("y"));
  std::sort(heights.begin(), heights.end());
  REQUIRE(heights.size() == 6);
  for (std::size_t i = 1; i < heights.size(); ++i) CHECK(heights[i] - heights[i - 1] >= 33.9);
}

TEST_CASE("a step the generator could not fill stands where it sent, hollow, and is explained") {
  std::vector<Run> runs{sample_run("a", 1e8)};
  CHECK(load_curve_svg(runs, "").find("hollow") == std::string::npos);
  Step& last = runs[0].steps.back();
  last.not_sent = last.sent / 2;
  last.sent -= last.not_sent;
  last.answered = last.sent;
  const std::string svg = load_curve_svg(runs, "");
  CHECK(svg.find("hollow: the generator") != std::string::npos);
  const auto markers = of_class(tags_of(svg), "marker");
  CHECK(std::count_if(markers.begin(), markers.end(),
                      [](const Tag& t) { return t.attribute("fill") == "#ffffff"; }) == 1);
}

TEST_CASE("runs without steps, without answers and with a single rate are pictures too") {
  Run empty = sample_run("empty", 1e6);
  empty.steps.clear();
  Run silent = sample_run("silent", 0);
  for (Step& step : silent.steps) step.response_time = {};
  const Run single = sample_run("single", 1e6, 1e5, 1e5);
  Run flood = single;
  flood.steps[0].offered_rate = 0;
  for (const auto& runs :
       {std::vector<Run>{}, {empty}, {silent}, {single}, {flood}, {empty, silent, single, flood}})
    require_inside(tags_of(load_curve_svg(runs, "")));
  CHECK(texts(tags_of(load_curve_svg(std::vector<Run>{single}, "")), "p99.9") == 2);  // key and point
  Run absurd = sample_run("absurd", 1e6);
  absurd.steps[0].seconds = 1e-300;
  absurd.steps[1].seconds = 1e300;
  absurd.steps[2].response_time.p99_99 = absurd.steps[2].response_time.max = 1e308;
  require_inside(tags_of(load_curve_svg(std::vector<Run>{absurd}, "")));
}

TEST_CASE("markup, control characters and broken UTF-8 in names cannot break a picture") {
  std::vector<Run> runs{sample_run("<b>&\"'\x01\xc3(\xff\xed\xa0\x80", 1e6)};
  const std::string svg = load_curve_svg(runs, "a < b & c");
  const auto tags = tags_of(svg);
  CHECK(of_class(tags, "title")[0].text == "a &lt; b &amp; c");
  CHECK(of_class(tags, "label")[0].text ==
        "&lt;b&gt;&amp;\"'?"
        "?(?"
        "???");
  CHECK(shortened("\u00b5\u00b5\u00b5\u00b5", 3) == "\u00b5\u00b5\u2026");
  CHECK(shortened("abc", 3) == "abc");
}

TEST_CASE("bars are as long as their medians, whiskers reach from least to most") {
  const auto tags = tags_of(bars_svg(sample_comparison()));
  require_inside(tags);
  const auto bars = of_class(tags, "bar");
  REQUIRE(bars.size() == 5);
  CHECK(bars[1].number("width") / bars[0].number("width") == Approx(0.8).epsilon(0.002));
  CHECK(bars[4].number("width") / bars[2].number("width") == Approx(0.2).epsilon(0.002));
  const auto whiskers = of_class(tags, "whisker");
  REQUIRE(whiskers.size() == 15);
  const double unit = bars[4].number("width") / 2e5;
  CHECK(whiskers[12].number("x1") - bars[4].number("x") == Approx(1e5 * unit).epsilon(0.01));
  CHECK(whiskers[12].number("x2") - bars[4].number("x") == Approx(3e5 * unit).epsilon(0.01));
}

TEST_CASE("bars print their ratio to the ceiling, and to the reference where there is one") {
  const auto tags = tags_of(bars_svg(sample_comparison()));
  CHECK(texts(tags, "0.80") == 1);
  CHECK(texts(tags, "0.95") == 1);
  CHECK(texts(tags, "4.75") == 1);
  CHECK(texts(tags, "\u00d7 testpmd") == 2);
  CHECK(texts(tags, "\u00d7 chronyd") == 1);
  CHECK(texts(tags, "8.00M") == 1);
  CHECK(texts(tags, "2026-11-23 \u00b7 2 cores") == 1);
}

TEST_CASE("a server has one colour on every link, the ceiling none") {
  const auto bars = of_class(tags_of(bars_svg(sample_comparison())), "bar");
  CHECK(bars[1].attribute("fill") == bars[3].attribute("fill"));
  CHECK(bars[0].attribute("fill") == bars[2].attribute("fill"));
  CHECK(bars[0].attribute("fill") != bars[1].attribute("fill"));
  CHECK(bars[4].attribute("fill") != bars[3].attribute("fill"));
}

TEST_CASE("bars of servers that answered nothing have no length and no ratio of nothing") {
  Comparison comparison = sample_comparison();
  for (Link& link : comparison.links)
    for (Bar& bar : link.bars) bar.median = bar.min = bar.max = 0;
  const auto tags = tags_of(bars_svg(comparison));
  require_inside(tags);
  for (const Tag& bar : of_class(tags, "bar")) CHECK(bar.number("width") == 0);
  for (const Tag& ratio : of_class(tags, "ratio")) CHECK(ratio.text.empty());
}

TEST_CASE("an axis keeps its values in order and inside, and its ticks are round") {
  for (const double high : {1.5, 20.0, 3e3, 1e9}) {
    const Axis axis = Axis::logarithmic(1.2, high, 300, 20);
    double before = 300;
    for (double v = 0.1; v < high * 3; v *= 1.3) {
      const double y = axis.at(v);
      CHECK(y <= before);
      CHECK((y <= 300 && y >= 20));
      before = y;
    }
    for (const double tick : axis.ticks()) CHECK(round_up(tick) == Approx(tick));
  }
  CHECK(Axis::logarithmic(1e4, 1e7, 0, 200).ticks().size() == 4);
  CHECK(Axis::logarithmic(1, 10, 0, 200).ticks() == std::vector<double>{1, 2, 5, 10});
  CHECK(round_up(0.01) == Approx(0.01));
  CHECK(round_up(0.011) == Approx(0.02));
  CHECK(round_up(0.6) == Approx(1));
  CHECK(rate_label(999999) == "1M");
}
