// SPDX-License-Identifier: BSD-3-Clause
#include "rungs/processor.hpp"

#include "os/tsc.hpp"

namespace wiretime {

namespace {

dpdk::test::Processor* running = nullptr;

}  // namespace

Ticks os::read_tsc() noexcept {
  return running->read();
}

namespace dpdk::test {

Processor::Processor(double hz, std::uint64_t seed) : random_{seed} {
  hertz = hz;
  running = this;
}

Processor::~Processor() {
  running = nullptr;
}

Ticks Processor::read() noexcept {
  const Ticks t = ticks();
  std::uniform_real_distribution<double> share;
  now += work * (0.95 + 0.1 * share(random_));
  if (share(random_) < interruptions * work) now += interruption * share(random_);
  return t;
}

}  // namespace dpdk::test
}  // namespace wiretime
