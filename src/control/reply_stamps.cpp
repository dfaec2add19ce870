// SPDX-License-Identifier: BSD-3-Clause
#include "control/reply_stamps.hpp"

#include "ntp/packet.hpp"

namespace wiretime::control {

using Entry = ntp::ExchangeLine::Entry;

void ReplyStamps::expect(std::span<const std::byte> reply, Entry* entry, std::uint8_t epoch) noexcept {
  replies_[next_++ % kReplies] = {ntp::timestamp(reply.data(), ntp::offset::kReceive),
                                  reply.size(),
                                  entry,
                                  *entry,
                                  epoch,
                                  ntp::StampSource::daemon};
}

bool ReplyStamps::left(std::span<const std::byte> frame, NtpTimestamp transmit,
                       ntp::StampSource source) noexcept {
  for (Reply& r : replies_) {
    if (r.length == 0 || r.length > frame.size()) continue;
    const std::byte* const reply = frame.data() + (frame.size() - r.length);
    if (ntp::timestamp(reply, ntp::offset::kReceive) != r.receive) continue;
    if (source <= r.source || *r.place != r.entry) return false;
    const Entry better = ntp::ExchangeLine::entry(r.receive, transmit, r.epoch);
    if (!ntp::ExchangeLine::is_reply(better)) return false;
    *r.place = r.entry = better;
    r.source = source;
    return true;
  }
  return false;
}

ntp::StampSource ReplyStamps::source_of(Entry entry) const noexcept {
  for (const Reply& r : replies_)
    if (r.length != 0 && r.entry == entry) return r.source;
  return ntp::StampSource::daemon;
}

}  // namespace wiretime::control
