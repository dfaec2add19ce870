// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_include.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace wiretime::control {

namespace {

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

// Matches `c` against the set at pattern[at] == '['; returns the position after the set, or nullopt with
// `inside` untouched when the bracket is never closed (it then stands for itself).
std::optional<std::size_t> match_set(std::string_view pattern, std::size_t at, char c, bool& inside) {
  std::size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    const char low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      high = pattern[i + 1];
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    found = found || (byte >= static_cast<unsigned char>(low) && byte <= static_cast<unsigned char>(high));
  }
  if (i >= pattern.size()) return std::nullopt;
  inside = found != negated;
  return i + 1;
}

// Matches one pattern element that is not '*' against `c`; returns the next position, or nullopt.
std::optional<std::size_t> match_one(std::string_view pattern, std::size_t at, char c) {
  if (pattern[at] == '?') return at + 1;
  if (pattern[at] == '[') {
    bool inside = false;
    if (const auto next = match_set(pattern, at, c, inside)) return inside ? next : std::nullopt;
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  return pattern[at] == c ? std::optional{at + 1} : std::nullopt;
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + '/' + name;
}

// Appends to `found` what one path component matches below each of `bases`.
Result<std::vector<std::string>> expand_component(const std::vector<std::string>& bases,
                                                  std::string_view component, bool first_wildcard,
                                                  const ConfigReader& reader) {
  std::vector<std::string> found;
  for (const auto& base : bases) {
    const auto names = reader.list(base.empty() ? "." : base);
    if (!names && first_wildcard) return fail(fmt::format("{}: {}", base, names.error().message));
    if (!names) continue;  // an earlier wildcard matched something that is not a directory
    for (const auto& name : *names)
      if (matches_pattern(component, name)) found.push_back(join_path(base, name));
  }
  return found;
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view name) {
  if (!name.empty() && name.front() == '.' && (pattern.empty() || pattern.front() != '.')) return false;
  std::size_t p = 0;
  std::size_t n = 0;
  std::optional<std::size_t> star;  // position after the last '*', to come back to
  std::size_t star_n = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_n = n;
      continue;
    }
    const auto next = p < pattern.size() ? match_one(pattern, p, name[n]) : std::nullopt;
    if (next) {
      p = *next;
      ++n;
    } else if (star) {
      p = *star;
      n = ++star_n;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<std::vector<std::string>> expand_include(const std::string& pattern, const ConfigReader& reader) {
  if (!has_wildcard(pattern)) return std::vector<std::string>{pattern};
  std::vector<std::string> bases{pattern.front() == '/' ? "/" : ""};
  bool wildcard_seen = false;
  for (std::size_t begin = 0; begin < pattern.size();) {
    const std::size_t end = std::min(pattern.find('/', begin), pattern.size());
    const std::string component = pattern.substr(begin, end - begin);
    begin = end + 1;
    if (component.empty()) continue;
    if (!wildcard_seen && !has_wildcard(component)) {
      bases.front() = join_path(bases.front(), component);
      continue;
    }
    auto found = expand_component(bases, component, !wildcard_seen, reader);
    if (!found) return found;
    bases = std::move(*found);
    wildcard_seen = true;
  }
  std::sort(bases.begin(), bases.end());
  return bases;
}

std::vector<std::string> merge_directories(const std::vector<std::string>& directories,
                                           std::string_view suffix, const ConfigReader& reader) {
  std::map<std::string, std::string> path_of;  // by file name
  for (const auto& directory : directories) {
    const auto names = reader.list(directory);
    if (!names) continue;
    for (const auto& name : *names) {
      const bool has_suffix = name.size() > suffix.size() && name.front() != '.' &&
                              std::string_view{name}.substr(name.size() - suffix.size()) == suffix;
      if (has_suffix) path_of.emplace(name, join_path(directory, name));
    }
  }
  std::vector<std::string> paths;
  for (const auto& entry : path_of) paths.push_back(entry.second);
  return paths;
}

}  // namespace wiretime::control
