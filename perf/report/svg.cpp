// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wiretime::report {

namespace {

constexpr std::array<std::string_view, 7> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                   "#e69f00", "#56b4e9", "#444444"};

constexpr std::string_view kStyle =
    "text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:12px;fill:#222}"
    ".title{font-size:18px;font-weight:600}.heading{font-size:13px;font-weight:600}.quiet{fill:#5a5a5a}"
    ".grid{stroke:#e2e2e2}.axis{stroke:#8a8a8a}.ideal{stroke:#8a8a8a;stroke-dasharray:5 4}"
    "polyline{fill:none;stroke-linejoin:round;stroke-linecap:round}";

// Bytes of the UTF-8 sequence at the start of text, 0 where there is none (RFC 3629: no overlong form, no
// surrogate).
std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t n = first >= 0xc2 && first <= 0xdf   ? 2
                        : (first & 0xf0) == 0xe0         ? 3
                        : first >= 0xf0 && first <= 0xf4 ? 4
                                                         : 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))
    return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return n;
}

// What XML cannot hold becomes a question mark.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = std::max<std::size_t>(utf8_length(text), 1);
    const std::string_view character = text.substr(0, n);
    const bool broken = utf8_length(text) == 0 || static_cast<unsigned char>(text[0]) < 0x20 ||
                        text[0] == 0x7f || character == "\xef\xbf\xbe" || character == "\xef\xbf\xbf";
    if (broken)
      out += '?';
    else if (character == "&")
      out += "&amp;";
    else if (character == "<")
      out += "&lt;";
    else if (character == ">")
      out += "&gt;";
    else
      out += character;
    text.remove_prefix(n);
  }
  return out;
}

std::string joined(std::span<const Point> points) {
  std::string out;
  for (const Point p : points) out += fmt::format("{}{:.1f},{:.1f}", out.empty() ? "" : " ", p.x, p.y);
  return out;
}

}  // namespace

std::string_view series_colour(std::size_t series) noexcept {
  return kColours[series % kColours.size()];
}

double text_width(std::string_view text, double font_size) noexcept {
  const auto characters =
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xc0') != '\x80'; });
  return static_cast<double>(characters) * font_size * 0.62;
}

std::string shortened(std::string_view text, std::size_t most) {
  std::size_t characters = 0;
  std::size_t cut = 0;  // where the last character that leaves room for the ellipsis ends
  for (std::size_t at = 0; at < text.size(); ++characters) {
    if (characters + 1 == most) cut = at;
    at += std::max<std::size_t>(utf8_length(text.substr(at)), 1);
  }
  return characters <= most ? std::string{text} : std::string{text.substr(0, cut)} + "\u2026";
}

Svg::Svg(double width, double height, std::string_view title, std::string_view description)
    : out_{fmt::format(
          "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:.0f} {1:.0f}' width='{0:.0f}' "
          "height='{1:.0f}' role='img'>\n<title>{2}</title>\n<desc>{3}</desc>\n<style>{4}</style>\n"
          "<rect class='card' width='{0:.0f}' height='{1:.0f}' rx='6' fill='#ffffff'/>\n",
          width, height, escaped(title), escaped(description), kStyle)} {}

void Svg::line(Point from, Point to, std::string_view attributes) {
  out_ += fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}'{}/>\n", from.x, from.y, to.x,
                      to.y, attributes);
}

void Svg::polyline(std::span<const Point> points, std::string_view attributes) {
  out_ += fmt::format("<polyline points='{}'{}/>\n", joined(points), attributes);
}

void Svg::polygon(std::span<const Point> points, std::string_view attributes) {
  out_ += fmt::format("<polygon points='{}'{}/>\n", joined(points), attributes);
}

void Svg::rect(Point corner, double width, double height, std::string_view attributes) {
  out_ += fmt::format("<rect x='{:.1f}' y='{:.1f}' width='{:.1f}' height='{:.1f}'{}/>\n", corner.x, corner.y,
                      width, height, attributes);
}

void Svg::text(Point at, Anchor anchor, std::string_view attributes, std::string_view content) {
  constexpr std::array<std::string_view, 3> kAnchors{"", " text-anchor='middle'", " text-anchor='end'"};
  out_ += fmt::format("<text x='{:.1f}' y='{:.1f}'{}{}>{}</text>\n", at.x, at.y,
                      kAnchors[static_cast<std::size_t>(anchor)], attributes, escaped(content));
}

void Svg::marker(Point at, std::size_t series, bool hollow) {
  const std::string style = fmt::format(" class='marker' fill='{}' stroke='{}' stroke-width='1.5'",
                                        hollow ? "#ffffff" : series_colour(series), series_colour(series));
  const auto [x, y] = at;
  switch (series % 4) {
    case 0:
      out_ += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3.5'{}/>\n", x, y, style);
      break;
    case 1:
      rect({x - 3, y - 3}, 6, 6, style);
      break;
    case 2:
      polygon(std::array<Point, 3>{{{x, y - 4}, {x + 4, y + 3}, {x - 4, y + 3}}}, style);
      break;
    default:
      polygon(std::array<Point, 4>{{{x, y - 4.5}, {x + 4.5, y}, {x, y + 4.5}, {x - 4.5, y}}}, style);
      break;
  }
}

std::string Svg::finish() && {
  return std::move(out_) + "</svg>\n";
}

}  // namespace wiretime::report
