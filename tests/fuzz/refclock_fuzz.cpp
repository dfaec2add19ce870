// SPDX-License-Identifier: BSD-3-Clause
// libFuzzer target for what other programs write for reference clocks: the first byte chooses SOCK or SHM and
// whether the clock gives pulses only, the rest is one message. What is read goes through clock::Refclock.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "clock/refclock_format.hpp"

using namespace wiretime;
using namespace wiretime::clock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // A heap copy of the exact size lets the address sanitizer see every byte read too many.
  std::vector<std::byte> message(size - 1);
  if (size > 1) std::memcpy(message.data(), data + 1, size - 1);

  std::optional<ClockReading> reading;
  if ((data[0] & 2) == 0) {
    reading = parse_sock_message(message);
  } else if (message.size() >= sizeof(ShmSegment)) {
    ShmSegment segment;
    std::memcpy(&segment, message.data(), sizeof segment);
    reading = decode_shm(segment);
  }
  if (!reading) return 0;

  RefclockConfig config;
  config.pps = (data[0] & 1) != 0;
  Refclock clock{config};
  Refclock::Context context;
  context.now = reading->system;
  context.leap = Leap::none;
  if (clock.add(*reading, context) != ReadingVerdict::taken) return 0;
  const auto sample = clock.poll().sample;
  if (!sample || !std::isfinite(sample->offset) || sample->leap == Leap::unsynchronised) std::abort();
  if ((config.pps || reading->pulse) && std::fabs(sample->offset) > 0.5) std::abort();
  return 0;
}
