// SPDX-License-Identifier: BSD-3-Clause
// Just enough SVG for charts: text that needs no font or script from elsewhere, on an opaque card, so that it
// reads the same on a light and on a dark page. Coordinates are CSS pixels, y grows downwards.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace wiretime::report {

struct Point {
  double x = 0;
  double y = 0;
};

enum class Anchor { start, middle, end };

// Colours that people with any colour blindness tell apart (Okabe and Ito), marker shapes with them.
[[nodiscard]] std::string_view series_colour(std::size_t series) noexcept;

// An upper bound of what a browser's sans-serif takes, in pixels.
[[nodiscard]] double text_width(std::string_view text, double font_size) noexcept;

// At most `most` characters (not bytes); a longer text ends in an ellipsis.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t most);

class Svg {
 public:
  Svg(double width, double height, std::string_view title, std::string_view description);

  // attributes: as they stand in the tag, " class='grid'".
  void line(Point from, Point to, std::string_view attributes);
  void polyline(std::span<const Point> points, std::string_view attributes);
  void polygon(std::span<const Point> points, std::string_view attributes);
  void rect(Point corner, double width, double height, std::string_view attributes);
  void text(Point at, Anchor anchor, std::string_view attributes, std::string_view content);
  void marker(Point at, std::size_t series, bool hollow);

  [[nodiscard]] std::string finish() &&;

 private:
  std::string out_;
};

}  // namespace wiretime::report
