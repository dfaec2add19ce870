// SPDX-License-Identifier: BSD-3-Clause
#include "deploy/doctor/metrics_page.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace wiretime::doctor {

namespace {

constexpr auto kNowhere = std::string_view::npos;
constexpr std::string_view kNameEnds = "{ \t";

// Takes `key="value"` off the front of `rest`, with its escapes undone.
std::optional<std::pair<std::string, std::string>> take_label(std::string_view& rest) {
  const auto equals = rest.find('=');
  if (equals == 0 || equals == kNowhere || equals + 1 >= rest.size() || rest[equals + 1] != '"')
    return std::nullopt;
  std::string value;
  for (std::size_t i = equals + 2; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      std::pair<std::string, std::string> label{rest.substr(0, equals), std::move(value)};
      rest.remove_prefix(i + 1);
      return label;
    }
    if (rest[i] == '\\' && ++i < rest.size())
      value += rest[i] == 'n' ? '\n' : rest[i];
    else if (i < rest.size())
      value += rest[i];
  }
  return std::nullopt;
}

// Takes "{a="b",c="d"}" off the front.
bool take_labels(std::string_view& rest, std::map<std::string, std::string>& labels) {
  rest.remove_prefix(1);
  while (!rest.empty() && rest.front() != '}') {
    auto label = take_label(rest);
    if (!label) return false;
    labels.insert(std::move(*label));
    if (!rest.empty() && rest.front() == ',') rest.remove_prefix(1);
  }
  if (rest.empty()) return false;
  rest.remove_prefix(1);
  return true;
}

// A time stamp may follow.
std::optional<double> take_value(std::string_view rest) {
  const auto begin = rest.find_first_not_of(" \t");
  if (begin == kNowhere || begin == 0) return std::nullopt;
  rest.remove_prefix(begin);
  const std::string word{rest.substr(0, rest.find_first_of(" \t"))};
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (end != word.c_str() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string Sample::label(const std::string& key) const {
  const auto found = labels.find(key);
  return found == labels.end() ? std::string{} : found->second;
}

std::optional<Sample> read_sample(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::nullopt;
  Sample sample;
  const auto end = line.find_first_of(kNameEnds);
  if (end == 0 || end == kNowhere) return std::nullopt;
  sample.name = line.substr(0, end);
  line.remove_prefix(end);
  if (line.front() == '{' && !take_labels(line, sample.labels)) return std::nullopt;
  const auto value = take_value(line);
  if (!value) return std::nullopt;
  sample.value = *value;
  return sample;
}

std::vector<Sample> read_metrics(std::string_view page) {
  std::vector<Sample> samples;
  while (!page.empty()) {
    const auto end = std::min(page.find('\n'), page.size());
    if (auto sample = read_sample(page.substr(0, end))) samples.push_back(std::move(*sample));
    page.remove_prefix(std::min(end + 1, page.size()));
  }
  return samples;
}

Result<std::string_view> body_of(std::string_view response) {
  constexpr std::string_view kProtocol = "HTTP/1.";
  constexpr std::string_view kHeadEnds = "\r\n\r\n";
  const auto head = response.find(kHeadEnds);
  if (response.substr(0, kProtocol.size()) != kProtocol || head == kNowhere)
    return fail("what answers is no web server");
  const auto status = response.find(' ');
  if (status > head || response.substr(status + 1, 4) != "200 ")
    return fail("it has no metrics: " + std::string{response.substr(0, response.find('\r'))});
  return response.substr(head + kHeadEnds.size());
}

}  // namespace wiretime::doctor
