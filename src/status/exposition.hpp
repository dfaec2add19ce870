// SPDX-License-Identifier: BSD-3-Clause
// Writer for the Prometheus text exposition format 0.0.4: families with HELP and TYPE, samples with escaped
// label values. Pure; any thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace wiretime::status {

struct Label {
  std::string_view name;
  std::string_view value;
};
using Labels = std::initializer_list<Label>;

enum class MetricType : std::uint8_t { gauge, counter };

class Exposition {
 public:
  // Starts a family; its samples must follow directly. Counters' names end in _total. A family without
  // samples is not written.
  void family(std::string_view name, MetricType type, std::string_view help);

  void sample(Labels labels, double value);
  template <std::unsigned_integral U>  // exact, unlike through a double
  void sample(Labels labels, U value) {
    integer(labels, value);
  }

  // A family of one sample without labels.
  template <typename Value>
  void single(std::string_view name, MetricType type, std::string_view help, Value value) {
    family(name, type, help);
    sample({}, value);
  }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  void integer(Labels labels, std::uint64_t value);
  void series(Labels labels);

  std::string text_;
  std::string header_;  // of the family that has no sample yet
  std::string name_;
};

}  // namespace wiretime::status
