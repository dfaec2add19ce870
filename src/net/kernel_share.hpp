// SPDX-License-Identifier: BSD-3-Clause
// On a port that the kernel does not own: which of the frames that the worker does not answer are for the
// kernel's interface there, and which of these must get through when somebody floods the port with the
// others. Worker threads; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/verdict.hpp"
#include "net/neighbor.hpp"

namespace wiretime::net {

enum class KernelShare : std::uint8_t {
  none,      // broken, refused, or another station's
  vital,     // ARP, neighbour discovery, answers of NTP servers: what our own time hangs on
  ordinary,  // TCP, ICMP, other UDP: ssh, NTS-KE, DNS
};

// Of a frame with the verdict of server::answer, or for ARP and ICMP of answer_neighbor. Never a reply.
[[nodiscard]] KernelShare kernel_share(std::span<const std::byte> frame, Verdict verdict,
                                       const OwnAddresses& own) noexcept;

}  // namespace wiretime::net
