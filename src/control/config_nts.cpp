// SPDX-License-Identifier: BSD-3-Clause
// Directives about Network Time Security, client and server (RFC 8915).
#include <algorithm>

#include "control/config_directives.hpp"

namespace wiretime::control {

namespace {

void read_aeads(Arguments& args, Settings& settings) {
  settings.nts_aeads.clear();
  do {
    const auto id = args.integer<unsigned>(1, 65535);
    auto& ids = settings.nts_aeads;
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) args.reject("each AEAD number once");
    ids.push_back(id);
  } while (!args.at_end());
}

// [SET] PATH
void read_trusted_certs(Arguments& args, Settings& settings) {
  TrustedCerts certs;
  certs.path = args.word("a certificate file or directory");
  if (!args.at_end()) {
    const auto set = parse_natural(certs.path);
    if (!set || *set > 0xFFFFFFFF) {
      args.reject("a certificate set number from 0 to 4294967295");
      return;
    }
    certs.set = static_cast<std::uint32_t>(*set);
    certs.path = args.path();
  }
  settings.nts_trusted_certs.push_back(std::move(certs));
}

}  // namespace

std::span<const Directive> nts_directives() {
  static constexpr Directive kRows[] = {
      {"ntsaeads", read_aeads, Effect::later},
      {"ntsdumpdir", [](Arguments& a, Settings& s) { s.nts_dump_directory = a.path(); }, Effect::later},
      {"ntsrefresh", [](Arguments& a, Settings& s) { s.nts_refresh = a.whole_seconds(); }, Effect::later},
      {"ntstrustedcerts", read_trusted_certs, Effect::later, Repeat::accumulate},
      {"nosystemcert", [](Arguments&, Settings& s) { s.no_system_cert = true; }, Effect::later},
      {"nocerttimecheck", [](Arguments& a, Settings& s) { s.no_cert_time_check = a.count(); }, Effect::later},
      {"ntsport", [](Arguments& a, Settings& s) { s.nts_port = a.port(); }, Effect::later},
      {"ntsservercert", [](Arguments& a, Settings& s) { s.nts_server_certs.push_back(a.path()); },
       Effect::later, Repeat::accumulate},
      {"ntsserverkey", [](Arguments& a, Settings& s) { s.nts_server_keys.push_back(a.path()); },
       Effect::later, Repeat::accumulate},
      {"ntsprocesses", [](Arguments& a, Settings& s) { s.nts_processes = a.integer<unsigned>(0, 1000); },
       Effect::later},
      {"maxntsconnections",
       [](Arguments& a, Settings& s) { s.nts_max_connections = a.integer<unsigned>(1, 1'000'000); },
       Effect::later},
      {"ntsntpserver", [](Arguments& a, Settings& s) { s.nts_ntp_server = a.host(); }, Effect::later},
      {"ntsrotate", [](Arguments& a, Settings& s) { s.nts_rotate = a.whole_seconds(); }, Effect::later},
      {"ntsratelimit", [](Arguments& a, Settings& s) { s.nts_rate_limit = read_rate_limit(a, 6, false); },
       Effect::later},
  };
  return kRows;
}

}  // namespace wiretime::control
