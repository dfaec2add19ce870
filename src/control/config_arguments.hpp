// SPDX-License-Identifier: BSD-3-Clause
// The words behind a directive, taken one by one with their expected type. The first failure sticks: later
// calls return zero values, at_end() turns true and error() holds the message, so that a directive's reader
// is straight-line code. What it filled in is thrown away with the error.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/ip_address.hpp"
#include "control/config_tokens.hpp"

namespace wiretime::control {

class Arguments {
 public:
  // words[0] is the directive's own name.
  Arguments(std::string_view directive, std::vector<std::string> words)
      : directive_(directive), words_(std::move(words)) {}

  [[nodiscard]] bool at_end() const { return error_.has_value() || next_ == words_.size(); }

  // The next word; `expected` is for the message when there is none.
  std::string word(std::string_view expected);
  // Takes the next word if it is `keyword`, in any case.
  bool take(std::string_view keyword);

  template <typename T>
  T integer(T low, T high) {
    static_assert(std::is_integral_v<T>);
    return static_cast<T>(integer_between(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
  }
  // 0 or more, with an upper limit no one needs.
  template <typename T = unsigned>
  T count() {
    return static_cast<T>(integer_between(0, std::numeric_limits<std::int32_t>::max()));
  }
  int any_integer() {
    return integer<int>(-std::numeric_limits<int>::max(), std::numeric_limits<int>::max());
  }
  std::uint16_t port(std::uint16_t low = 0) { return integer<std::uint16_t>(low, 65535); }
  double real();
  double real_from(double low);
  double real_between(double low, double high);
  std::chrono::duration<double> seconds() { return std::chrono::duration<double>{time(false)}; }
  std::chrono::duration<double> signed_seconds() { return std::chrono::duration<double>{time(true)}; }
  std::chrono::seconds whole_seconds(std::int64_t low = 0);
  std::string path();
  std::string host();  // host name or numeric address, perhaps with %interface
  // A network interface's name, or what else is taken for a device.
  std::string interface(std::optional<std::string> (*other)(std::string_view) = nullptr);
  IpAddress address();

  template <typename E>
  E one_of(std::initializer_list<std::pair<std::string_view, E>> choices) {
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.push_back(choice.first);
    const std::string text = word(enumerate(names));
    for (const auto& choice : choices)
      if (equal_ignoring_case(text, choice.first)) return choice.second;
    reject(enumerate(names));
    return E{};
  }

  // Fails at the last word taken: "expected <expected>, found <that word>".
  void reject(std::string_view expected);
  // The same with a hint behind, "(did you mean ...?)".
  void reject(std::string_view expected, std::string_view hint);
  // Fails with something that is not the last word taken.
  void reject_value(std::string_view expected, std::string_view found);
  // Fails unless every word was taken.
  void finish();

  // Inside an option of the directive, messages name both.
  void enter_option(std::string_view option) { option_ = option; }
  void leave_option() { option_.clear(); }

  // A directive that can be given once for each of several things says for which one this line is.
  void set_scope(std::string_view scope) { scope_ = scope; }
  [[nodiscard]] const std::string& scope() const { return scope_; }

  void warn(std::string text) { warnings_.push_back(std::move(text)); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  [[nodiscard]] const std::optional<std::string>& error() const { return error_; }

 private:
  std::int64_t integer_between(std::int64_t low, std::int64_t high);
  double time(bool may_be_negative);
  void set_error(std::string_view expected, std::string_view found);

  std::string directive_;
  std::vector<std::string> words_;
  std::size_t next_ = 1;
  std::string option_;
  std::string scope_;
  std::vector<std::string> warnings_;
  std::optional<std::string> error_;
};

// True for a host name or a numeric address with an optional %interface.
[[nodiscard]] bool is_host(std::string_view word);
[[nodiscard]] bool is_interface_name(std::string_view word);

}  // namespace wiretime::control
