// SPDX-License-Identifier: BSD-3-Clause
#include "perf/report/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>

namespace wiretime::report {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kNoLimit = std::numeric_limits<double>::max();
constexpr std::string_view kSchema = "wireload-run-1";
constexpr std::array<std::string_view, 5> kModes{"sweep", "rate", "flood", "overload", "window"};

struct Quantile {
  const char* key;
  double Latency::*value;
};
constexpr std::array<Quantile, 6> kQuantiles{{{"p50", &Latency::p50},
                                              {"p90", &Latency::p90},
                                              {"p99", &Latency::p99},
                                              {"p99_9", &Latency::p99_9},
                                              {"p99_99", &Latency::p99_99},
                                              {"max", &Latency::max}}};

struct StepCount {
  const char* key;
  std::uint64_t Step::*value;
};
constexpr std::array<StepCount, 7> kStepCounts{{{"sent", &Step::sent},
                                                {"not_sent", &Step::not_sent},
                                                {"answered", &Step::answered},
                                                {"lost", &Step::lost},
                                                {"invalid", &Step::invalid},
                                                {"kiss", &Step::kiss},
                                                {"checked", &Step::checked}}};

Json json_of(const Latency& latency) {
  Json j;
  for (const auto& [key, value] : kQuantiles) j[key] = latency.*value;
  j["count"] = latency.count;
  return j;
}

Json json_of(const Step& step) {
  Json j;
  j["offered_rate"] = step.offered_rate;
  j["seconds"] = step.seconds;
  for (const auto& [key, value] : kStepCounts) j[key] = step.*value;
  j["invalid_reasons"] = Json::array();
  for (const Reason& r : step.invalid_reasons)
    j["invalid_reasons"].push_back({{"name", r.name}, {"count", r.count}});
  if (step.round_trip)
    j["round_trip"] = {{"before", step.round_trip->before}, {"after", step.round_trip->after}};
  j["response_time"] = json_of(step.response_time);
  j["receive_to_transmit"] = json_of(step.receive_to_transmit);
  return j;
}

std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 40;
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  const std::string text = value.dump(-1, ' ', true);
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

// One object of the text and where it stands. The first error of the whole text is kept, later ones follow
// from it.
class Reader {
 public:
  Reader(const Json& object, std::string where, std::string& error)
      : object_{object}, where_{std::move(where)}, error_{error} {
    if (!object.is_object()) fail("", "an object", shown(object));
  }

  void known(std::initializer_list<std::string_view> keys) {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        fail(Json(key.substr(0, 40)).dump(-1, ' ', true), "a known key", shown(value));
    }
  }

  void number(const char* key, double& out, double most = kNoLimit) {
    const Json* const value = member(key);
    if (value == nullptr) return;
    if (!value->is_number() || value->get<double>() < 0 || value->get<double>() > most)
      return fail(key, most < kNoLimit ? fmt::format("a number from 0 to {}", most) : "a number from 0 up",
                  shown(*value));
    out = value->get<double>();
  }

  void count(const char* key, std::uint64_t& out) {
    const Json* const value = member(key);
    if (value == nullptr) return;
    if (!value->is_number_unsigned()) return fail(key, "a count", shown(*value));
    out = value->get<std::uint64_t>();
  }

  void text(const char* key, std::string& out) {
    const Json* const value = member(key);
    if (value == nullptr) return;
    if (!value->is_string()) return fail(key, "a string", shown(*value));
    out = value->get<std::string>();
  }

  void optional_text(const char* key, std::string& out) {
    if (object_.is_object() && object_.contains(key)) text(key, out);
  }

  template <typename F>
  void object(const char* key, F read) {
    if (const Json* const value = member(key)) read(Reader{*value, path(key), error_});
  }

  template <typename F>
  void optional_object(const char* key, F read) {
    if (object_.is_object() && object_.contains(key)) object(key, read);
  }

  template <typename T, typename F>
  void list(const char* key, std::vector<T>& out, F read) {
    const Json* const value = member(key);
    if (value == nullptr) return;
    if (!value->is_array()) return fail(key, "an array", shown(*value));
    for (std::size_t i = 0; i < value->size(); ++i)
      read(Reader{(*value)[i], fmt::format("{}[{}]", path(key), i), error_}, out.emplace_back());
  }

  void fail(const char* key, std::string_view expected, std::string_view found) {
    fail(std::string{key}, expected, found);
  }
  void fail(const std::string& key, std::string_view expected, std::string_view found) {
    if (!error_.empty()) return;
    const std::string at = path(key);
    error_ = fmt::format("{}{}expected {}, found {}", at, at.empty() ? "" : ": ", expected, found);
  }

 private:
  const Json* member(const char* key) {
    if (!object_.is_object()) return nullptr;
    const auto it = object_.find(key);
    if (it == object_.end()) fail(key, "a value", "nothing");
    return it == object_.end() ? nullptr : &*it;
  }

  [[nodiscard]] std::string path(const std::string& key) const {
    return where_.empty() || key.empty() ? where_ + key : where_ + "." + key;
  }

  const Json& object_;
  std::string where_;
  std::string& error_;
};

void read(Reader r, Latency& latency) {
  r.known({"p50", "p90", "p99", "p99_9", "p99_99", "max", "count"});
  double before = 0;
  for (const auto& [key, value] : kQuantiles) {
    r.number(key, latency.*value);
    if (latency.*value < before)
      r.fail(key, fmt::format("at least the quantile before it, {}", before),
             fmt::format("{}", latency.*value));
    before = latency.*value;
  }
  r.count("count", latency.count);
}

void read(Reader r, Step& step) {
  r.known({"offered_rate", "seconds", "sent", "not_sent", "answered", "lost", "invalid", "kiss", "checked",
           "invalid_reasons", "round_trip", "response_time", "receive_to_transmit"});
  r.number("offered_rate", step.offered_rate);
  r.number("seconds", step.seconds);
  for (const auto& [key, value] : kStepCounts) r.count(key, step.*value);
  if (step.lost > step.sent)
    r.fail("lost", fmt::format("at most sent, {}", step.sent), fmt::format("{}", step.lost));
  r.list("invalid_reasons", step.invalid_reasons, [](Reader reason, Reason& out) {
    reason.known({"name", "count"});
    reason.text("name", out.name);
    reason.count("count", out.count);
  });
  r.optional_object("round_trip", [&](Reader trip) {
    trip.known({"before", "after"});
    RoundTrip& out = step.round_trip.emplace();
    trip.number("before", out.before);
    trip.number("after", out.after);
  });
  r.object("response_time", [&](Reader latency) { read(std::move(latency), step.response_time); });
  r.object("receive_to_transmit",
           [&](Reader latency) { read(std::move(latency), step.receive_to_transmit); });
}

void read(Reader r, Run& run) {
  r.known(
      {"schema", "label", "mode", "target", "port", "started", "machine", "clients", "check_share", "steps"});
  std::string schema{kSchema};
  r.text("schema", schema);
  if (schema != kSchema) r.fail("schema", fmt::format("\"{}\"", kSchema), shown(Json(schema)));
  r.text("label", run.label);
  run.mode = kModes[0];
  r.text("mode", run.mode);
  if (std::find(kModes.begin(), kModes.end(), run.mode) == kModes.end())
    r.fail("mode", "sweep, rate, flood, overload or window", shown(Json(run.mode)));
  r.text("target", run.target);
  r.text("port", run.port);
  r.text("started", run.started);
  r.text("machine", run.machine);
  r.count("clients", run.clients);
  r.number("check_share", run.check_share, 1);
  r.list("steps", run.steps, [](Reader step, Step& out) { read(std::move(step), out); });
}

void read(Reader r, Bar& bar) {
  r.known({"name", "median", "min", "max", "rounds"});
  r.text("name", bar.name);
  r.number("median", bar.median);
  r.number("min", bar.min);
  r.number("max", bar.max);
  r.count("rounds", bar.rounds);
  if (bar.median < bar.min || bar.median > bar.max)
    r.fail("median", fmt::format("a number from min, {}, to max, {}", bar.min, bar.max),
           fmt::format("{}", bar.median));
}

void read(Reader r, Link& link) {
  r.known({"name", "bars", "ceiling", "reference"});
  r.text("name", link.name);
  r.list("bars", link.bars, [](Reader bar, Bar& out) { read(std::move(bar), out); });
  r.text("ceiling", link.ceiling);
  r.optional_text("reference", link.reference);
  const auto is_bar = [&](const std::string& name) {
    return std::any_of(link.bars.begin(), link.bars.end(), [&](const Bar& bar) { return bar.name == name; });
  };
  if (!link.ceiling.empty() && !is_bar(link.ceiling))
    r.fail("ceiling", "the name of a bar", shown(Json(link.ceiling)));
  if (!link.reference.empty() && !is_bar(link.reference))
    r.fail("reference", "the name of a bar", shown(Json(link.reference)));
}

void read(Reader r, Comparison& comparison) {
  r.known({"title", "date", "machine", "links"});
  r.text("title", comparison.title);
  r.text("date", comparison.date);
  r.text("machine", comparison.machine);
  r.list("links", comparison.links, [](Reader link, Link& out) { read(std::move(link), out); });
}

template <typename T>
Result<T> from_json(std::string_view text, std::string_view file) {
  Json json;
  try {
    json = Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& e) {
    const std::size_t end = std::min(e.byte > 0 ? e.byte - 1 : 0, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    return wiretime::fail(end == text.size()
                              ? fmt::format("{}:{}: expected JSON, found the end of the file", file, line)
                              : fmt::format("{}:{}: expected JSON, found byte {:#04x} at offset {}", file,
                                            line, static_cast<unsigned char>(text[end]), end));
  } catch (const Json::exception&) {
    return wiretime::fail(fmt::format("{}: expected numbers that a double holds, found a larger one", file));
  }
  T out;
  std::string error;
  read(Reader{json, "", error}, out);
  if (!error.empty()) return wiretime::fail(fmt::format("{}: {}", file, error));
  return out;
}

}  // namespace

std::string to_json(const Run& run) {
  Json j;
  j["schema"] = kSchema;
  j["label"] = run.label;
  j["mode"] = run.mode;
  j["target"] = run.target;
  j["port"] = run.port;
  j["started"] = run.started;
  j["machine"] = run.machine;
  j["clients"] = run.clients;
  j["check_share"] = run.check_share;
  j["steps"] = Json::array();
  for (const Step& step : run.steps) j["steps"].push_back(json_of(step));
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Run> run_from_json(std::string_view text, std::string_view file) {
  return from_json<Run>(text, file);
}

Result<Comparison> comparison_from_json(std::string_view text, std::string_view file) {
  return from_json<Comparison>(text, file);
}

}  // namespace wiretime::report
