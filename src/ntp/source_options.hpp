// SPDX-License-Identifier: BSD-3-Clause
// What a server, pool or peer line says about the exchange with one source, as the association needs it
// (chrony's names and defaults). Control thread; plain values. Options that only concern statistics or
// selection are not here: key, nts, prefer, trust, require, noselect, filter, minsamples, maxsamples,
// polltarget, maxdelayratio, maxdelaydevratio, maxdelayquant, mindelay, asymmetry.
#pragma once

#include <cstdint>
#include <optional>

namespace wiretime::ntp {

enum class SourceKind : std::uint8_t {
  server,  // we are its client: mode 3 out, mode 4 in
  peer,    // symmetric active: mode 1 out, mode 1 (it peers with us too) or 2 (it only answers) in
};

struct SourceOptions {
  SourceKind kind = SourceKind::server;
  std::uint8_t version = 4;  // 1..4

  int min_poll = 6;                     // log2 seconds, -7..24
  int max_poll = 10;                    // log2 seconds, >= min_poll
  std::optional<int> presend_min_poll;  // shortest poll that gets extra packets first
  bool iburst = false;                  // server only, as burst
  bool burst = false;
  bool offline = false;            // starts offline
  bool auto_offline = false;       // a request that cannot be sent takes the source offline
  unsigned max_unreach = 100'000;  // polls without an answer for which selection may still use the source

  bool xleave = false;  // version 4 only
  bool copy = false;    // pass on the source's own refid and stratum as ours

  unsigned min_stratum = 0;
  double max_delay = 3.0;          // s; a longer round trip gives no sample
  double offset_correction = 0.0;  // s, added to every measured offset

  bool require_authentication = false;  // packets without AuthResult::passed fail test 5
};

}  // namespace wiretime::ntp
