// SPDX-License-Identifier: BSD-3-Clause
#include "ntp/timestamp_span.hpp"

#include <algorithm>

namespace wiretime::ntp {

void TimestampSpan::look(Nanoseconds now, ExchangeLine::Entry* newest) {
  if (newest == nullptr) return;
  const ExchangeLine::Entry entry = ExchangeLine::seen(newest);
  const bool same = !watched_.empty() && watched_.back().place == newest && watched_.back().entry == entry;
  const auto gone = [](const Watched& w) { return ExchangeLine::seen(w.place) != w.entry; };
  if (same) {
    watched_.erase(std::remove_if(watched_.begin(), watched_.end() - 1, gone), watched_.end() - 1);
    return;
  }
  watched_.erase(std::remove_if(watched_.begin(), watched_.end(), gone), watched_.end());
  if (watched_.size() == kWatched) make_room();
  watched_.push_back({newest, entry, now});
}

// Without the one that the rest best does without: it came soonest after the one before it.
void TimestampSpan::make_room() {
  auto least = watched_.begin() + 1;
  for (auto w = least; w + 1 != watched_.end(); ++w)
    if (w->since - (w - 1)->since < least->since - (least - 1)->since) least = w;
  watched_.erase(least);
}

std::optional<TimestampSpan::Ends> TimestampSpan::ends() const {
  if (watched_.empty()) return std::nullopt;
  return Ends{watched_.front().since, watched_.back().since};
}

}  // namespace wiretime::ntp
