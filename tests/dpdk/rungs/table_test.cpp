// SPDX-License-Identifier: BSD-3-Clause
// Not a test: prints what README's table of rungs says. perf/rungs runs it.
#include <fmt/format.h>

#include "catch.hpp"
#include "rungs/measurements.hpp"

using namespace wiretime;
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
  using clock::TransmitRung;
  row("transmit", "launch time", "half load", served(replying(TransmitRung::launch))->transmit, "mean 10 ns");
  row("transmit", "launch time", "95 % of 10 Gbit/s",
      served(full_wire(replying(TransmitRung::launch)), kFullSeconds)->transmit, "mean 10 ns");
  const RigConfig predicted = replying(TransmitRung::predicted);
  const char* const wanted = "median 50 ns, p99 500 ns";
  row("transmit", "predicted", "half load", served(predicted)->transmit, wanted);
  row("transmit", "predicted", "95 % of 10 Gbit/s", served(full_wire(predicted), kFullSeconds)->transmit,
      wanted);
  row("transmit", "predicted", "the same, often interrupted",
      served(interrupted(full_wire(predicted)), kFullSeconds)->transmit, wanted);
  row("transmit", "predicted", "full load, 25 Gbit/s", served(full_worker(predicted), kFullSeconds)->transmit,
      wanted);
  const RigConfig plain = replying(TransmitRung::plain);
  row("transmit", "plain TSC", "half load", served(plain)->transmit, "");
  row("transmit", "plain TSC", "full load, 25 Gbit/s", served(full_worker(plain), kFullSeconds)->transmit,
      "");
  RigConfig interleaved = predicted;
  interleaved.interleaved = true;
  const auto rig = served(interleaved);
  row("transmit", "interleaved, measured", "half load", rig->measured, "mean 10 ns");
  row("transmit", "interleaved, all", "half load", rig->interleaved, "");
  const ServoResult phc = servo();
  fmt::print(
      "| NIC clock | our servo | 1 ms, 20 ppm off at first | {} RMS | {} | {} | {} | 100 ns RMS, one step "
      "|\n",
      nanoseconds(phc.errors.rms()), nanoseconds(phc.errors.median()), nanoseconds(phc.errors.quantile(0.99)),
      nanoseconds(phc.errors.most()));
}
