// SPDX-License-Identifier: BSD-3-Clause
// wireload-plot: pictures and tables of what wireload and perf/compare wrote.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "perf/report/bars.hpp"
#include "perf/report/json.hpp"
#include "perf/report/load_curve.hpp"
#include "perf/report/text.hpp"

namespace wiretime::report {

namespace {

constexpr std::string_view kUsage =
    "usage: wireload-plot curves [--title TEXT] -o FILE.svg RUN.json ...\n"
    "       wireload-plot bars -o FILE.svg COMPARISON.json\n"
    "       wireload-plot table RUN.json ...\n";

struct Arguments {
  std::string command;
  std::string title;
  std::string output;
  std::vector<std::string> inputs;
};

Result<Arguments> parse(const std::vector<std::string>& words) {
  if (words.empty()) return fail("expected curves, bars or table, found nothing");
  Arguments out;
  out.command = words[0];
  if (out.command != "curves" && out.command != "bars" && out.command != "table")
    return fail(fmt::format("expected curves, bars or table, found {}", words[0]));
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool title = words[i] == "--title" && out.command == "curves";
    if (title || (words[i] == "-o" && out.command != "table")) {
      if (i + 1 == words.size()) return fail(fmt::format("{}: expected a value, found nothing", words[i]));
      (title ? out.title : out.output) = words[i + 1];
      ++i;
    } else if (words[i].starts_with("-")) {
      return fail(fmt::format("{}: expected an option of {}, found an unknown one", words[i], out.command));
    } else {
      out.inputs.push_back(words[i]);
    }
  }
  if (out.inputs.empty()) return fail("expected a JSON file, found none");
  if (out.command == "bars" && out.inputs.size() > 1)
    return fail(fmt::format("expected one JSON file, found {}", out.inputs.size()));
  if (out.command != "table" && out.output.empty()) return fail("-o: expected a file to write, found none");
  return out;
}

Result<std::string> contents(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
  if (!file.is_open() || file.bad())
    return fail(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  return text;
}

Result<std::vector<Run>> runs_of(const std::vector<std::string>& paths) {
  std::vector<Run> runs;
  for (const std::string& path : paths) {
    const auto text = contents(path);
    if (!text) return tl::make_unexpected(text.error());
    auto run = run_from_json(*text, path);
    if (!run) return tl::make_unexpected(run.error());
    runs.push_back(std::move(*run));
  }
  return runs;
}

Result<std::string> picture(const Arguments& arguments) {
  if (arguments.command == "curves")
    return runs_of(arguments.inputs).map([&](const auto& runs) {
      return load_curve_svg(runs, arguments.title);
    });
  return contents(arguments.inputs[0])
      .and_then([&](const std::string& text) { return comparison_from_json(text, arguments.inputs[0]); })
      .map(bars_svg);
}

Result<std::string> tables(const Arguments& arguments) {
  return runs_of(arguments.inputs).map([](const auto& runs) {
    std::string out;
    for (const Run& run : runs) {
      if (!out.empty()) out += '\n';
      out += final_table(run);
    }
    return out;
  });
}

int run(const std::vector<std::string>& words) {
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h")) {
    fmt::print("{}", kUsage);
    return 0;
  }
  const auto complain = [](const std::string& message) {
    fmt::print(stderr, "wireload-plot: {}\n", message);
    return 1;
  };
  const auto arguments = parse(words);
  if (!arguments) {
    complain(arguments.error().message);
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  const auto text = arguments->command == "table" ? tables(*arguments) : picture(*arguments);
  if (!text) return complain(text.error().message);
  if (arguments->output.empty()) {
    fmt::print("{}", *text);
    return 0;
  }
  std::ofstream file{arguments->output, std::ios::binary};
  file << *text;
  file.close();
  return file ? 0
              : complain(fmt::format("{}: cannot be written: {}", arguments->output, std::strerror(errno)));
}

}  // namespace

}  // namespace wiretime::report

int main(int argc, char** argv) {
  return wiretime::report::run({argv + 1, argv + argc});
}
