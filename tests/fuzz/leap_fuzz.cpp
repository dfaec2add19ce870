// SPDX-License-Identifier: BSD-3-Clause
// libFuzzer target for the clock's small files: the first byte chooses which, the rest is the file.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "clock/leap.hpp"
#include "clock/temperature.hpp"
#include "require.hpp"

using namespace wiretime;
using namespace wiretime::clock;

namespace {

void check(const Result<LeapTable>& table) {
  if (!table) {
    require(!table.error().message.empty());
    return;
  }
  const auto& entries = table->entries();
  require(!entries.empty());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LeapTable::Entry& e = entries[i];
    require(e.from == start_of_day(e.from));
    require(table->tai_offset(e.from) == e.tai_offset);
    require(table->leap_at_end_of_day(e.from - Nanoseconds{1}) == e.leap);
    if (i == 0) continue;
    require(entries[i - 1].from < e.from && e.leap != Leap::none);
    require(table->last_before(e.from)->from == e.from);
  }
  static_cast<void>(table->plausible());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // A heap copy of the exact size lets the address sanitizer see every byte read too many.
  std::vector<std::byte> bytes(size - 1);
  if (size > 1) std::memcpy(bytes.data(), data + 1, size - 1);
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  switch (data[0] % 4) {
    case 0:
      check(LeapTable::from_tzif(bytes));
      break;
    case 1:
      check(LeapTable::from_list(text));
      break;
    case 2:
      if (const auto curve = TemperatureCurve::points(text); !curve) require(!curve.error().message.empty());
      break;
    default:
      if (const auto t = parse_temperature(text)) require(std::isfinite(*t));
  }
  return 0;
}
