// SPDX-License-Identifier: BSD-3-Clause
// The table of directives: one row each. The rows live with their readers, grouped by subject; the parser
// only knows rows. To add a directive: a field in Settings, a row here or there, a row in the table test.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/config.hpp"
#include "control/config_arguments.hpp"

namespace wiretime::control {

enum class Effect : std::uint8_t {
  now,        // does what it says
  later,      // read and checked; the function comes with a later version: named in one warning at start
  never,      // accepted so that existing files work; one warning with Directive::note
  withdrawn,  // chrony dropped it long ago: one warning
  silent,     // accepted, means nothing, as in chrony
};

enum class Repeat : std::uint8_t {
  last_wins,   // a second line replaces the first, with a warning that names both places
  accumulate,  // every line counts
};

struct Directive {
  std::string_view name;  // lower case
  // Null for include and confdir, which only the parser itself can act on.
  void (*read)(Arguments&, Settings&);
  Effect effect = Effect::now;
  Repeat repeat = Repeat::last_wins;
  std::string_view note = {};
};

[[nodiscard]] std::span<const Directive> source_directives();     // config_sources.cpp
[[nodiscard]] std::span<const Directive> selection_directives();  // config_selection.cpp
[[nodiscard]] std::span<const Directive> clock_directives();      // config_clock.cpp
[[nodiscard]] std::span<const Directive> nts_directives();        // config_nts.cpp
[[nodiscard]] std::span<const Directive> server_directives();     // config_server.cpp
[[nodiscard]] std::span<const Directive> access_directives();     // config_access.cpp
[[nodiscard]] std::span<const Directive> monitor_directives();    // config_monitor.cpp
[[nodiscard]] std::span<const Directive> process_directives();    // config_process.cpp
[[nodiscard]] std::span<const Directive> dataplane_directives();  // config_dataplane.cpp

// The words behind `dataplane`, as another program's `option` takes them; such a port need not have
// addresses.
[[nodiscard]] Result<server::DataplaneConfig> parse_port(std::string_view text, std::string_view option);

// [DDDD:]BB:DD.F in hexadecimal; lower case with the domain written out.
[[nodiscard]] std::optional<std::string> parse_pci_address(std::string_view text);

// The row of a name in any case, aliases resolved; null when unknown.
[[nodiscard]] const Directive* find_directive(std::string_view name);
[[nodiscard]] std::vector<std::string_view> directive_names();

// Shared by ratelimit, cmdratelimit and ntsratelimit; only the first has kod.
[[nodiscard]] RateLimit read_rate_limit(Arguments& args, int default_interval, bool with_kod);

}  // namespace wiretime::control
