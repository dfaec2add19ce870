// SPDX-License-Identifier: BSD-3-Clause
// A source's sample history as text, one file a source in dumpdir: chronyd's own layout (versions 4.x,
// "SRC0"), so that a host keeps its history when one daemon takes over from the other. Offsets and times are
// those of the kernel's clock. A last line of ours, which chronyd does not read, tells after a restart
// whether somebody set the clock meanwhile. Control thread; pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "clock/sample.hpp"

namespace wiretime::control {

// What only a step of the kernel's clock changes while the kernel runs.
struct ClockMark {
  std::string boot;  // this run of the kernel
  Nanoseconds wall_minus_monotonic{0};
};

struct SourceDump {
  struct Entry {
    clock::Sample sample;
    double measured_offset = 0;  // s, before the corrections made since
  };

  std::string name = ".";  // as configured; "." for a reference clock
  bool authenticated = false;
  std::uint8_t reach = 0;
  unsigned polls = 0;        // that `reach` tells of, 0..8
  std::uint8_t stratum = 0;  // 0..15
  clock::Leap leap = clock::Leap::none;
  std::vector<Entry> entries;  // oldest first; 1..64
  std::optional<ClockMark> mark;
};

[[nodiscard]] std::string format_dump(const SourceDump& dump);
// Nothing of a file is used that is not sane as a whole. The error says which line and why.
[[nodiscard]] Result<SourceDump> parse_dump(std::string_view text);
// An error says why the samples mean nothing to the kernel's clock as it is now.
[[nodiscard]] Result<void> still_valid(const SourceDump& dump, WallTime now, const ClockMark& mark);

[[nodiscard]] std::string dump_file_name(const IpAddress& address);
[[nodiscard]] std::string dump_file_name(std::uint32_t reference_clock);
// A name that either of them makes: other files in the directory are somebody else's.
[[nodiscard]] bool is_dump_file_name(std::string_view name);

using DumpTexts = std::map<std::string, std::string>;  // by file name

}  // namespace wiretime::control
