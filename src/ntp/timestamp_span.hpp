// SPDX-License-Identifier: BSD-3-Clause
// How far back the replies go that a server remembers for clients in interleaved mode. Entries do not say of
// when they are, so one reply of each second is watched until its place is taken: what is found is no more
// than the span, and less only by what a sample misses. Control thread; pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "ntp/exchanges.hpp"

namespace wiretime::ntp {

class TimestampSpan {
 public:
  static constexpr std::size_t kWatched = 256;

  // About once a second. `newest`: where a reply was remembered last; null: nowhere yet. `now`: monotonic.
  void look(Nanoseconds now, ExchangeLine::Entry* newest);

  // Of the oldest reply that is still remembered, and of the newest.
  struct Ends {
    Nanoseconds oldest;
    Nanoseconds newest;
  };
  [[nodiscard]] std::optional<Ends> ends() const;  // nullopt: none was seen

 private:
  struct Watched {
    ExchangeLine::Entry* place;
    ExchangeLine::Entry entry;
    Nanoseconds since;
  };
  void make_room();

  std::vector<Watched> watched_;  // the oldest first; the newest stays, whatever became of it
};

}  // namespace wiretime::ntp
