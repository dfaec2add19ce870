// SPDX-License-Identifier: BSD-3-Clause
// libFuzzer target for the command port: first byte chooses the privilege, the rest is one request datagram.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/bytes.hpp"
#include "status/cmdmon.hpp"
#include "tests/unit/status/fake_report.hpp"

using namespace wiretime;
using namespace wiretime::status;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto privilege = (data[0] & 1) != 0 ? Privilege::full : Privilege::monitor;
  // A heap copy of the exact size lets the address sanitizer see every byte read too many.
  std::vector<std::byte> request(size - 1);
  if (size > 1) std::memcpy(request.data(), data + 1, size - 1);

  fake::FakeReport report;
  fake::RecordingExecutor executor;
  const Reply reply = handle(request, privilege, OpenCommands::stable(), report, executor);
  const auto bytes = reply.bytes();

  if (bytes.size() > request.size()) std::abort();
  if (!bytes.empty() && bytes.size() < kReplyHeader) std::abort();
  if (!bytes.empty() && load_be32(bytes.data() + 16) != load_be32(request.data() + 8)) std::abort();
  if (executor.commands.size() > 1) std::abort();
  if (privilege == Privilege::monitor && !executor.commands.empty()) std::abort();
  return 0;
}
