// SPDX-License-Identifier: BSD-3-Clause
// Directives about the daemon's own process, those chrony has withdrawn, and the look-up over all tables.
#include <array>

#include "control/config_directives.hpp"

namespace wiretime::control {

namespace {

void skip_arguments(Arguments& args, Settings&) {
  while (!args.at_end()) args.word("");
}

void read_pid_file(Arguments& args, Settings& settings) {
  const std::string path = args.path();
  settings.pid_file = path == "/" ? "" : path;
}

using Table = std::span<const Directive> (*)();

constexpr std::array<Table, 9> kTables{source_directives,  selection_directives, clock_directives,
                                       nts_directives,     server_directives,    access_directives,
                                       monitor_directives, process_directives,   dataplane_directives};

}  // namespace

std::span<const Directive> process_directives() {
  static constexpr Directive kRows[] = {
      {"include", nullptr, Effect::now, Repeat::accumulate},
      {"confdir", nullptr, Effect::now, Repeat::accumulate},
      {"pidfile", read_pid_file},
      {"user", [](Arguments& a, Settings& s) { s.user = a.word("a user name"); }},
      {"lock_all", [](Arguments&, Settings& s) { s.lock_memory = true; }},
      {"sched_priority",
       [](Arguments& a, Settings& s) { s.scheduler_priority = a.integer<unsigned>(0, 100); }},
      {"dumponexit", skip_arguments, Effect::silent, Repeat::accumulate},
      {"commandkey", skip_arguments, Effect::withdrawn, Repeat::accumulate},
      {"generatecommandkey", skip_arguments, Effect::withdrawn, Repeat::accumulate},
      {"linux_freq_scale", skip_arguments, Effect::withdrawn, Repeat::accumulate},
      {"linux_hz", skip_arguments, Effect::withdrawn, Repeat::accumulate},
  };
  return kRows;
}

const Directive* find_directive(std::string_view name) {
  if (equal_ignoring_case(name, "ntscachedir")) name = "ntsdumpdir";  // its older name
  for (const auto table : kTables)
    for (const auto& row : table())
      if (equal_ignoring_case(row.name, name)) return &row;
  return nullptr;
}

std::vector<std::string_view> directive_names() {
  std::vector<std::string_view> names;
  for (const auto table : kTables)
    for (const auto& row : table()) names.push_back(row.name);
  return names;
}

}  // namespace wiretime::control
