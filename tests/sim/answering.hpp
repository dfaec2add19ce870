// SPDX-License-Identifier: BSD-3-Clause
// Hosts that answer: the daemon's own answering code (server::handler) behind simulated addresses, and a
// server whose clock is given by formula: the simulated world's source of time, or of lies.
#pragma once

#include <map>
#include <optional>

#include "clock/snapshot.hpp"
#include "ntp/access_list.hpp"
#include "server/handler.hpp"
#include "sim/network.hpp"

namespace wiretime::sim {

class Answering {
 public:
  Answering(const ntp::AccessRules& rules, std::uint64_t seed);

  // The reply, complete but for leaving at `transmit`; nothing if the handler does not answer.
  [[nodiscard]] std::optional<Packet> answer(const Packet& request, const clock::TimeSnapshot& snapshot,
                                             NtpTimestamp receive, NtpTimestamp transmit);

 private:
  server::Tables tables_;
  server::WorkerState state_;
};

struct ServerConfig {
  double offset = 0;      // s, the server's clock is ahead by this
  double frequency = 0;   // s/s, and fast by this
  double jump_at = 1e18;  // s of true time, when its clock jumps
  double jump = 0;        // s
  double root_delay = 0;
  double root_dispersion = 1e-6;
  std::uint8_t stratum = 1;
  double leap_at = 1e18;  // s of true time, when a leap second is inserted that it announces before
  // s, mean time between reading the transmit stamp and the packet's departure. A client in interleaved mode
  // is told the latter.
  double transmit_lag = 0;
};

class ReferenceServer {
 public:
  ReferenceServer(const ServerConfig& config, const IpAddress& address, WallTime start, Timeline& timeline,
                  Network& network, std::uint64_t seed);
  ReferenceServer(const ReferenceServer&) = delete;
  ReferenceServer& operator=(const ReferenceServer&) = delete;

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] ServerConfig& config() { return config_; }

 private:
  // RFC 9769: what the next interleaved reply to a client needs.
  struct Last {
    NtpTimestamp receive{};
    NtpTimestamp transmit{};  // when the reply left
  };

  void receive(const Packet& packet);
  [[nodiscard]] NtpTimestamp read(double later) const;
  [[nodiscard]] clock::TimeSnapshot snapshot() const;
  void interleave(const Packet& request, Packet& reply, NtpTimestamp left);

  ServerConfig config_;
  IpAddress address_;
  WallTime start_;
  Timeline& timeline_;
  Network& network_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> exponential_{1.0};
  Answering answering_;
  std::map<IpAddress, Last> last_;
};

[[nodiscard]] ntp::AccessRules everybody();

}  // namespace wiretime::sim
