// SPDX-License-Identifier: BSD-3-Clause
// Not a test: prints what README's table of rungs says. perf/rungs runs it.
#include <fmt/format.h>

#include "catch.hpp"
#include "rungs/measurements.hpp"

using namespace wiretime::dpdk::test;

namespace {

std::string nanoseconds(double seconds) {
  const double ns = seconds * 1e9;
  return ns < 100   ? fmt::format("{:.1f} ns", ns)
         : ns < 1e4 ? fmt::format("{:.0f} ns", ns)
                    : fmt::format("{:.1f} us", ns / 1e3);
}

void row(const char* stamp, const char* rung, const char* what, const Errors& e, const char* wanted) {
  fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} |\n", stamp, rung, what, nanoseconds(e.mean()),
             nanoseconds(e.median()), nanoseconds(e.quantile(0.99)), nanoseconds(e.most()), wanted);
  std::fflush(stdout);
}

}  // namespace

TEST_CASE("table", "[.table]") {
  fmt::print(
      "| stamp | rung | where | mean | median | p99 | most | wanted |\n|---|---|---|---|---|---|---|---|\n");
  row("receive", "NIC hardware", "NIC of our own", served(own_nic(FrameMark::nic))->receive,
      "mean 10 ns, most 100 ns");
  row("receive", "XDP program", "AF_XDP", served(kernel_nic(FrameMark::program))->receive, "");
  row("receive", "TSC", "NIC of our own", served(own_nic(FrameMark::none))->receive, "");
  row("receive", "TSC", "AF_XDP", served(kernel_nic(FrameMark::none))->receive, "");
  const ServoResult phc = servo();
  fmt::print(
      "| NIC clock | our servo | 1 ms, 20 ppm off at first | {} RMS | {} | {} | {} | 100 ns RMS, one step "
      "|\n",
      nanoseconds(phc.errors.rms()), nanoseconds(phc.errors.median()), nanoseconds(phc.errors.quantile(0.99)),
      nanoseconds(phc.errors.most()));
}
