// SPDX-License-Identifier: BSD-3-Clause
// What one answering thread owns: its counters, client log and randomness. A DPDK worker has one per port,
// the control thread's kernel sockets have one. The control thread reads the counters and the client log
// live.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/counters.hpp"
#include "base/random.hpp"
#include "base/verdict.hpp"
#include "clock/nic_snapshot.hpp"
#include "ntp/client_table.hpp"
#include "ntp/timestamp_span.hpp"

namespace wiretime::server {

// Where the stamps of answered requests came from: chronyc serverstats' daemon, kernel and hardware rows.
enum class Stamp : std::uint8_t {
  receive_daemon,    // read by this program: TSC at the burst
  receive_kernel,    // by the kernel: socket timestamp or XDP program
  receive_hardware,  // by the NIC
  transmit_daemon,
  transmit_kernel,
  transmit_hardware,
  kCount,
};

// What an answered request had beyond the plain one: rows of chronyc serverstats.
enum class Feature : std::uint8_t {
  authenticated,     // by a MAC
  interleaved,       // told when the reply before left
  exchange_held,     // the first reply in a place where one is remembered
  exchange_evicted,  // took the place of another reply, of which its client is not told then
  kCount,
};

namespace wide {
// This processor has what server/wide_path.hpp needs.
[[nodiscard]] bool available() noexcept;
}  // namespace wide

struct WorkerState {
  // `clients` is null with noclientlog.
  WorkerState(std::string port_name, unsigned worker_number, std::array<std::uint64_t, 2> seed,
              std::unique_ptr<ntp::ClientTable> client_table)
      : port{std::move(port_name)}, worker{worker_number}, random{seed}, clients{std::move(client_table)} {}

  void count(const ntp::ExchangeTally& tally) noexcept {
    if (tally.held != 0) features.add(Feature::exchange_held, tally.held);
    if (tally.evicted != 0) features.add(Feature::exchange_evicted, tally.evicted);
  }

  const std::string port;  // as the operator knows it: "eth1", "kernel", a memif path
  const unsigned worker;   // 0, 1, ... over all data-plane workers; the kernel sockets' state uses 0
  Counters<Verdict> verdicts;
  Counters<Stamp> stamps;
  Counters<Feature> features;
  Counters<clock::StampVerdict> nic_stamps;  // of the frames that came, by what their stamp was worth
  Counters<clock::StampVerdict> xdp_stamps;  // the same of the XDP program's
  // Where a reply was remembered last. Writer: the answering thread; reader: control thread.
  std::atomic<ntp::ExchangeLine::Entry*> newest_exchange{nullptr};
  ntp::TimestampSpan timestamp_span;  // control thread's
  Random random;
  std::unique_ptr<ntp::ClientTable> clients;
  // The port has a way to the kernel, and what comes from Tables::peers takes it. Set before the worker
  // starts.
  bool hands_over_peers = false;
  bool wide = wide::available();  // take frames eight at a time where possible; tests say no
};

}  // namespace wiretime::server
