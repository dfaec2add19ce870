// SPDX-License-Identifier: BSD-3-Clause
// `chronyc clients` over all client tables as if they were one: a global index is a slot of the tables laid
// end to end, a client whose packets reached several workers is shown once, with its counts added up. Control
// thread.
#pragma once

#include <cstdint>
#include <span>

#include "ntp/client_table.hpp"
#include "status/report.hpp"

namespace wiretime::control {

// Slots looked at for one page; a longer search goes on with the client's next request.
inline constexpr std::uint32_t kClientSlotsPerPage = 16384;

// `uptime`: the tables' clock now, 1/16 s. `reset`: the clients returned count from zero again.
[[nodiscard]] status::ClientPage client_page(std::span<ntp::ClientTable* const> tables,
                                             std::uint32_t first_index, std::uint32_t max_records,
                                             std::uint32_t min_hits, bool reset, std::uint32_t uptime);

[[nodiscard]] status::ClientLogUse client_log_use(std::span<ntp::ClientTable* const> tables);

}  // namespace wiretime::control
