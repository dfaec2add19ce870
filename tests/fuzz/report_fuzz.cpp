// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as the JSON of a run or a comparison: one printable error, or a table, a picture and a run that
// is the same once written and read.
#include <cstdint>
#include <string>

#include "perf/report/bars.hpp"
#include "perf/report/json.hpp"
#include "perf/report/load_curve.hpp"
#include "perf/report/text.hpp"
#include "require.hpp"

using namespace wiretime;
using namespace wiretime::report;

namespace {

void require_error(const Error& error) {
  require(error.message.starts_with("fuzz:"));
  require(error.message.find("expected ") != std::string::npos);
  require(error.message.find(", found ") != std::string::npos);
  for (const char c : error.message) require(static_cast<unsigned char>(c) >= 0x20);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  const auto run = run_from_json(text, "fuzz");
  if (run) {
    const auto back = run_from_json(to_json(*run), "fuzz");
    require(back && *back == *run);
    require(!final_table(*run).empty());
    require(load_curve_svg({&*run, 1}, "").ends_with("</svg>\n"));
  } else {
    require_error(run.error());
  }
  const auto comparison = comparison_from_json(text, "fuzz");
  if (comparison)
    require(bars_svg(*comparison).ends_with("</svg>\n"));
  else
    require_error(comparison.error());
  return 0;
}
