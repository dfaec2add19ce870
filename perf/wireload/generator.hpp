// SPDX-License-Identifier: BSD-3-Clause
// The one core that sends requests and checks replies. run() is what DPDK's lcore executes, once for each
// step; between steps everything here is the control thread's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "perf/wireload/pacer.hpp"
#include "perf/wireload/sampler.hpp"
#include "perf/wireload/tally.hpp"
#include "perf/wireload/window.hpp"
#include "perf/wireload/wire.hpp"

namespace wiretime::load {

struct StepPlan {
  double rate = 0;      // requests a second; 0: as many as possible
  unsigned window = 0;  // above 0: so many under way, whatever the rate
  double seconds = 0;
};

class Generator {
 public:
  static constexpr unsigned kBurst = 32;

  // `seed` keys order, cookies and mix. `stop`: ends a step before its time.
  Generator(Wire& wire, const Path& path, const Clients& clients, const Options& options, std::uint64_t seed,
            const std::atomic<bool>& stop);

  // One step, to its last reply or until none is to be expected. `clock`: our time.
  void run(const StepPlan& plan, const OwnClock& clock) noexcept;

  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }
  [[nodiscard]] const Live& live() const noexcept { return live_; }

 private:
  template <bool kIpv6, bool kInterleaved>
  void run_as(const StepPlan& plan) noexcept;
  template <bool kIpv6, bool kInterleaved>
  unsigned send(unsigned wanted, const Pacer* pacer, std::uint64_t now) noexcept;
  template <bool kIpv6, bool kInterleaved>
  void write(unsigned slot, std::uint64_t due) noexcept;
  template <bool kIpv6>
  unsigned receive() noexcept;
  template <bool kIpv6>
  void take(const std::byte* frame, std::size_t length, std::uint64_t now) noexcept;
  void record(Finding finding, const Reading& reading) noexcept;
  void choose_client(unsigned slot) noexcept;
  [[nodiscard]] std::optional<BadPacket> kind_of(std::uint64_t sequence) const noexcept;
  [[nodiscard]] unsigned fill_stash(unsigned wanted) noexcept;
  void empty_stash() noexcept;
  void adapt_check_share(std::uint64_t now, bool pressed) noexcept;
  void publish() noexcept;
  [[nodiscard]] std::uint64_t nanoseconds(std::uint64_t ticks) const noexcept {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks) * ns_per_tick_ >> 32);
  }

  Wire& wire_;
  const Path path_;
  const Clients& clients_;
  const std::atomic<bool>& stop_;
  const double ticks_per_second_;
  const std::uint64_t ns_per_tick_;  // 2^-32 ns
  const std::uint64_t seed_;
  const bool interleaved_;
  const Mix mix_;
  const double wait_;  // s
  const std::optional<double> check_;
  ClientOrder order_;
  Cookie cookie_;
  RequestWriter writer_;
  Answered answered_;
  std::vector<LastReply> last_replies_;  // interleaved mode
  Verifier verifier_;
  Window window_;

  std::uint64_t sequence_ = 0;  // of the next request
  std::uint64_t replies_ = 0;   // of this step, one for each request answered

  Sampler sampler_{1.0};
  AutomaticShare automatic_{0};
  bool adapts_ = false;  // in this step
  std::uint64_t adapted_at_ = 0;
  std::uint64_t published_at_ = 0;
  std::uint64_t adapted_replies_ = 0;

  // Buffers to send from, and what the burst in hand puts into them.
  std::array<rte_mbuf*, kBurst> stash_{};
  unsigned stashed_ = 0;
  std::array<std::uint64_t, kBurst> sequences_{};
  std::array<std::uint32_t, kBurst> asking_{};

  Tally tally_;
  Live live_;
};

}  // namespace wiretime::load
