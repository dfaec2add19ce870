// SPDX-License-Identifier: BSD-3-Clause
// When interleaved replies of kernel sockets left, by the kernel's stamps or the NIC's, which come after the
// replies: what is remembered of an exchange (RFC 9769 section 3) becomes what they say. Control thread;
// pure.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/time.hpp"
#include "ntp/association_event.hpp"
#include "ntp/exchanges.hpp"

namespace wiretime::control {

class ReplyStamps {
 public:
  // `reply` is on its way and remembered at `entry`, which outlives this object.
  void expect(std::span<const std::byte> reply, ntp::ExchangeLine::Entry* entry, std::uint8_t epoch) noexcept;
  // The reply that `frame` ends with left at `transmit`. False: it is not awaited, or known better already.
  bool left(std::span<const std::byte> frame, NtpTimestamp transmit, ntp::StampSource source) noexcept;
  // Who said when the reply left that is remembered so.
  [[nodiscard]] ntp::StampSource source_of(ntp::ExchangeLine::Entry entry) const noexcept;

 private:
  struct Reply {
    NtpTimestamp receive{};  // its receive timestamp
    std::size_t length = 0;  // 0: none
    ntp::ExchangeLine::Entry* place = nullptr;
    ntp::ExchangeLine::Entry entry = 0;
    std::uint8_t epoch = 0;
    ntp::StampSource source = ntp::StampSource::daemon;
  };
  static constexpr std::size_t kReplies =
      256;  // a client asks again after seconds; beyond that many it is told less well

  std::array<Reply, kReplies> replies_{};  // ring
  std::size_t next_ = 0;
};

}  // namespace wiretime::control
