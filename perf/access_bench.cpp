// SPDX-License-Identifier: BSD-3-Clause
// What `chronyc allow` costs the control thread when the list is a full routing table: the change of the
// rules, the compiled list that workers get, and the bytes of both. Per list size of IPv4 rules, a fifth as
// many for IPv6.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>

#include "routing_table.hpp"

using namespace wiretime;

namespace {

ntp::AccessRules rules_of_size(std::size_t size) {
  ntp::AccessRules rules;
  rules.apply(perf::routing_table({size, size / 5}));
  return rules;
}

std::size_t allocated() {
  const auto m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

void change(benchmark::State& state) {
  const std::size_t before = allocated();
  auto rules = rules_of_size(static_cast<std::size_t>(state.range(0)));
  const std::size_t with_rules = allocated();
  auto list = std::make_unique<ntp::AccessList>(rules);
  const std::size_t with_list = allocated();
  std::uint32_t subnet = 0;
  for (auto _ : state) {
    ++subnet;
    rules.set(*IpPrefix::of(IpAddress::v4(0x0A00'0000U + (subnet % 65536) * 256), 24), subnet % 2 == 0,
              false);
    list = std::make_unique<ntp::AccessList>(rules);
    benchmark::DoNotOptimize(list);
  }
  state.counters["rules MB"] = static_cast<double>(with_rules - before) / 1e6;
  state.counters["list MB"] = static_cast<double>(with_list - with_rules) / 1e6;
}

BENCHMARK(change)->Arg(1)->Arg(1000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
