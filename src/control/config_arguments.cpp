// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wiretime::control {

namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_name_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z') || c == '-' || c == '_' || c == '.';
}

}  // namespace

bool is_interface_name(std::string_view word) {
  constexpr std::size_t kLongest = 15;  // IFNAMSIZ less its terminator
  return !word.empty() && word.size() <= kLongest && word != "." && word != ".." &&
         word.find_first_of("/:") == std::string_view::npos;
}

bool is_host(std::string_view word) {
  if (IpAddress::parse(word)) return true;
  const std::size_t percent = word.find('%');
  if (percent != std::string_view::npos) {
    const auto address = IpAddress::parse(word.substr(0, percent));
    return address && address->family == Family::ipv6 && is_interface_name(word.substr(percent + 1));
  }
  constexpr std::size_t kLongest = 253;
  if (word.empty() || word.size() > kLongest || word.front() == '-' || word.front() == '.') return false;
  if (!std::all_of(word.begin(), word.end(), is_name_character)) return false;
  // No top-level domain is a number: this is an address with a slip in it.
  if (word.back() == '.') word.remove_suffix(1);
  const std::size_t dot = word.rfind('.');
  const auto last = word.substr(dot == std::string_view::npos ? 0 : dot + 1);
  return last.find_first_not_of(kDigits) != std::string_view::npos;
}

void Arguments::set_error(std::string_view expected, std::string_view found) {
  if (error_) return;
  const std::string_view gap = option_.empty() ? "" : " ";
  error_ = fmt::format("{}{}{}: expected {}, found {}", directive_, gap, option_, expected, found);
}

void Arguments::reject(std::string_view expected) {
  reject(expected, "");
}

void Arguments::reject(std::string_view expected, std::string_view hint) {
  set_error(expected, fmt::format("{}{}", quoted(words_[next_ - 1]), hint));
}

void Arguments::reject_value(std::string_view expected, std::string_view found) {
  set_error(expected, quoted(found));
}

void Arguments::finish() {
  leave_option();
  if (!at_end()) set_error("the end of the line", quoted(words_[next_]));
}

std::string Arguments::word(std::string_view expected) {
  if (error_) return {};
  if (next_ == words_.size()) {
    set_error(expected, "the end of the line");
    return {};
  }
  return words_[next_++];
}

bool Arguments::take(std::string_view keyword) {
  if (at_end() || !equal_ignoring_case(words_[next_], keyword)) return false;
  ++next_;
  return true;
}

std::int64_t Arguments::integer_between(std::int64_t low, std::int64_t high) {
  const bool endless = high == std::numeric_limits<std::int32_t>::max() || high == INT64_MAX;
  const std::string expected = !endless   ? fmt::format("a whole number from {} to {}", low, high)
                               : low < -1 ? std::string{"a whole number"}
                                          : fmt::format("a whole number, {} or more", low);
  const std::string text = word(expected);
  const auto value = parse_integer(text);
  if (value && *value >= low && *value <= high) return *value;
  reject(expected);
  return std::clamp<std::int64_t>(0, low, high);
}

double Arguments::real() {
  const auto value = parse_real(word("a number"));
  if (!value) reject("a number");
  return value.value_or(0.0);
}

double Arguments::real_from(double low) {
  const std::string expected = fmt::format("a number, {} or more", low);
  const auto value = parse_real(word(expected));
  if (value && *value >= low) return *value;
  reject(expected);
  return low;
}

double Arguments::real_between(double low, double high) {
  const std::string expected = fmt::format("a number from {} to {}", low, high);
  const auto value = parse_real(word(expected));
  if (value && *value >= low && *value <= high) return *value;
  reject(expected);
  return low;
}

double Arguments::time(bool may_be_negative) {
  constexpr double kLongest = 2147483647.0;  // 68 years
  const std::string_view expected = may_be_negative ? "seconds, such as -0.0002" : "seconds, 0 or more";
  const auto value = parse_real(word(expected));
  if (value && (may_be_negative || *value >= 0.0) && *value <= kLongest && *value >= -kLongest) return *value;
  reject(expected);
  return 0.0;
}

std::chrono::seconds Arguments::whole_seconds(std::int64_t low) {
  return std::chrono::seconds{integer_between(low, std::numeric_limits<std::int32_t>::max())};
}

std::string Arguments::path() {
  return word("a path");
}

std::string Arguments::host() {
  constexpr std::string_view kExpected = "a host name or IP address";
  const std::string text = word(kExpected);
  if (!is_host(text)) reject(kExpected);
  return text;
}

std::string Arguments::interface(std::optional<std::string> (*other)(std::string_view)) {
  constexpr std::string_view kExpected = "a network interface name such as eth0";
  const std::string text = word(kExpected);
  if (other != nullptr)
    if (auto device = other(text)) return std::move(*device);
  if (!is_interface_name(text)) reject(kExpected);
  return text;
}

IpAddress Arguments::address() {
  constexpr std::string_view kExpected = "an IPv4 or IPv6 address";
  const auto parsed = IpAddress::parse(word(kExpected));
  if (!parsed) reject(kExpected);
  return parsed.value_or(IpAddress{});
}

}  // namespace wiretime::control
