// SPDX-License-Identifier: BSD-3-Clause
// `chronyc clients` over all client tables as if they were one: a global index is a slot of the tables laid
// end to end, a client whose packets reached several workers is shown once, with its counts added up. A
// page starts where the last one ended, without a search. chronyc takes one that is not full for the last and
// passes over records without an address: so one that would take too long to fill is filled up with these.
// Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ntp/client_table.hpp"
#include "status/report.hpp"

namespace wiretime::control {

struct ClientLog {
  const ntp::ClientTable* table;
  bool of_commands = false;  // else of NTP requests
};

class ClientListing {
 public:
  // `logs`: the same in every call, in the same order, but more may follow. `uptime`: the tables' clock now,
  // 1/16 s. `reset`: the clients returned count from zero again.
  [[nodiscard]] status::ClientPage page(std::span<const ClientLog> logs, std::uint32_t first_index,
                                        std::uint32_t max_records, std::uint32_t min_hits, bool reset,
                                        std::uint32_t uptime);

 private:
  // The counts at the last reset: tables are their owners' to write. 12 bytes a slot, from the first reset
  // on.
  struct Baseline {
    std::uint32_t client = 0;  // a hash of the address; 0: none
    std::uint32_t hits = 0;
    std::uint32_t drops = 0;
  };
  struct Slot {
    std::size_t log = 0;
    std::size_t slot = 0;
  };

  struct Wanted {
    std::uint32_t hits = 0;         // in all logs of a kind
    std::uint32_t hits_in_one = 1;  // that a client with so many has at least in one of them
    bool reset = false;
    std::uint32_t uptime = 0;
  };

  void visit(std::span<const ClientLog> logs, Slot where, const Wanted& wanted, status::ClientPage& page);
  [[nodiscard]] ntp::ClientRecord since_reset(Slot where, ntp::ClientRecord record) const;
  void reset(std::span<const ClientLog> logs, const IpAddress& client);

  std::vector<std::vector<Baseline>> baselines_;  // by log
};

[[nodiscard]] status::ClientLogUse client_log_use(std::span<const ClientLog> logs);

}  // namespace wiretime::control
