// SPDX-License-Identifier: BSD-3-Clause
#include "status/exposition.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace wiretime::status {

namespace {
// HELP text escapes backslash and newline, label values also the double quote.
void append_escaped(std::string& out, std::string_view text, bool quote) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quote) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}
}  // namespace

void Exposition::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  header_ = fmt::format("# HELP {} ", name);
  append_escaped(header_, help, false);
  header_ += fmt::format("\n# TYPE {} {}\n", name, type == MetricType::counter ? "counter" : "gauge");
}

void Exposition::series(Labels labels) {
  text_ += header_;
  header_.clear();
  text_ += name_;
  char separator = '{';
  for (const Label& label : labels) {
    text_ += separator;
    text_ += label.name;
    text_ += "=\"";
    append_escaped(text_, label.value, true);
    text_ += '"';
    separator = ',';
  }
  if (separator == ',') text_ += '}';
  text_ += ' ';
}

void Exposition::sample(Labels labels, double value) {
  series(labels);
  if (std::isnan(value)) {
    text_ += "NaN\n";
  } else if (std::isinf(value)) {
    text_ += value > 0 ? "+Inf\n" : "-Inf\n";
  } else {
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
  }
}

void Exposition::integer(Labels labels, std::uint64_t value) {
  series(labels);
  fmt::format_to(std::back_inserter(text_), "{}\n", value);
}

}  // namespace wiretime::status
