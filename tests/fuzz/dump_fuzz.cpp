// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a file of dumpdir: refused with one printable line, or samples in order that statistics can be
// made of, and what is written of them is read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "clock/source_statistics.hpp"
#include "control/source_dump.hpp"
#include "require.hpp"

using namespace wiretime;
using namespace wiretime::control;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  (void)is_dump_file_name(text);
  const auto dump = parse_dump(text);
  if (!dump) {
    require(!dump.error().message.empty());
    for (const char c : dump.error().message) require(static_cast<unsigned char>(c) >= 0x20);
    return 0;
  }
  require(!dump->entries.empty() && dump->entries.size() <= 64);
  require(!still_valid(*dump, WallTime{}, {}) || dump->entries.back().sample.time == WallTime{});
  const std::string written = format_dump(*dump);
  const auto again = parse_dump(written);
  require(again.has_value() && again->entries.size() == dump->entries.size());
  clock::SourceStatistics statistics{{}};
  for (const auto& entry : again->entries) require(statistics.add(entry.sample));
  return 0;
}
