// SPDX-License-Identifier: BSD-3-Clause
// What goes into an Association and what comes out: events' arguments and actions as values, and the names of
// everything a received packet can be refused for. Control thread; no sockets, no clocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "clock/sample.hpp"
#include "clock/snapshot.hpp"
#include "ntp/client_request.hpp"
#include "ntp/packet.hpp"

namespace wiretime::ntp {

enum class StampSource : std::uint8_t { daemon, kernel, hardware };

// As chronyc ntpdata and the measurements log show it.
[[nodiscard]] constexpr char stamp_letter(StampSource source) noexcept {
  constexpr std::string_view kLetters = "DKH";
  return kLetters[static_cast<std::size_t>(source)];
}

// When a packet left or came in, on the local (cooked) clock.
struct LocalStamp {
  WallTime time{};
  double error = 0;  // s, bound
  StampSource source = StampSource::daemon;
};

// Comes with every event.
struct Moment {
  Nanoseconds monotonic{0};               // CLOCK_MONOTONIC, as EventLoop::now()
  WallTime wall{};                        // local (cooked) clock
  std::array<std::uint64_t, 3> random{};  // fresh for each event, unpredictable to others
  clock::Reference reference{};           // what we are synchronised to, now
  // Monotonic, ascending: when other sources were asked last and will be next, as far as that is near. They
  // are kept apart.
  std::span<const Nanoseconds> sends{};
};

enum class AuthResult : std::uint8_t { none, passed, failed };

struct Reception {
  std::span<const std::byte> bytes;
  LocalStamp stamp;
  IpAddress local;  // address the packet came to
  AuthResult authentication = AuthResult::none;
  std::optional<std::uint32_t>
      own_refid;  // refid others show when synchronised to `local`; empty: we serve nobody
};

// What the statistics say about the sample of the last SampleTaken.
struct Judgement {
  bool delay_ratio_ok = true;      // test B: maxdelayratio
  bool delay_deviation_ok = true;  // test C: maxdelaydevratio, maxdelayquant
  std::optional<int> poll{};       // log2 s, the adaptation's choice (polltarget); empty: only poll_change
  double poll_change = 0;          // fractions of a poll
  double skew = 0;                 // of the source's frequency now, s/s
};

// --- actions, in the order to carry them out --------------------------------------------------------------

enum class SocketUse : std::uint8_t {
  fresh,   // close the association's socket, open a new one on a random port, connected to the source
  server,  // the NTP server socket, from port 123: symmetric mode
};
// Transmit `bytes` now, then report transmitted() or send_failed().
struct Send {
  std::array<std::byte, kHeaderLength> bytes{};
  SocketUse socket = SocketUse::fresh;
};
// Replaces the association's one timer; empty: no timer.
struct SetTimer {
  std::optional<Nanoseconds> at;  // CLOCK_MONOTONIC
};
struct CloseSocket {};
// Give it to the filter and the statistics, then call judged().
struct SampleTaken {
  clock::Sample sample;
};
// After each poll's outcome is known.
struct StatusUpdate {
  std::uint8_t stratum = 16;  // what selection should use: minstratum and copy applied
  clock::Leap leap = clock::Leap::unsynchronised;
  std::uint8_t reach = 0;
  bool synchronised = false;           // the packet passed tests 1 to 7; else stratum and leap did not change
  std::optional<std::uint32_t> refid;  // option copy: the source's own
};
struct Unreachable {
  enum class Reason : std::uint8_t { no_answer, denied };
  // no_answer: nothing from a synchronised source for eight polls, resolve again or replace; denied: replace,
  // polling has ended.
  Reason reason = Reason::no_answer;
};
// For the log; what there is to do about it has been done.
struct KissReceived {
  std::array<char, 4> code{};
};
// For the measurements log: a packet from the source, whatever came of it; AssociationReport::tests has what
// the tests made of it. Comes after SampleTaken, so that its judgement is among them.
struct PacketJudged {
  Reply reply{};
  WallTime time{};             // local: middle of the exchange; of its arrival when nothing was measured
  double offset = 0;           // s
  double peer_delay = 0;       // s
  double peer_dispersion = 0;  // s
  bool interleaved = false;
  bool synced = false;  // passed tests 1 to 7
  StampSource transmit_stamp = StampSource::daemon;
  StampSource receive_stamp = StampSource::daemon;
};
struct WentOffline {};  // auto_offline, or a burst of an offline source is over

using Action = std::variant<Send, SetTimer, CloseSocket, SampleTaken, StatusUpdate, Unreachable, KissReceived,
                            PacketJudged, WentOffline>;
using Actions = std::vector<Action>;

// --- refusals ---------------------------------------------------------------------------------------------

// X(name, text): the digits and letters are chronyc ntpdata's tests.
#define WIRETIME_REFUSALS(X)                                                                              \
  X(length, "shorter than 48 bytes or not a multiple of 4")                                               \
  X(version, "version 0 or above 4")                                                                      \
  X(mode, "mode does not answer ours")                                                                    \
  X(duplicate, "1: same timestamps as the packet before")                                                 \
  X(origin, "2: does not answer our last request")                                                        \
  X(answered, "2: our last request was answered before")                                                  \
  X(timestamps, "3: a timestamp is missing")                                                              \
  X(authentication, "5: not authenticated as configured")                                                 \
  X(unsynchronised, "6: source is not synchronised")                                                      \
  X(root_distance, "7: source's root distance is 16 s or more")                                           \
  X(previous_exchange, "interleaved, but the exchange before gives no times")                             \
  X(presend, "A: only a warm-up packet")                                                                  \
  X(delay, "A: round trip longer than maxdelay")                                                          \
  X(response_time, "A: source took over 4 s, or sent before it received")                                 \
  X(missed_response, "A: peer's times show a packet is missing between them")                             \
  X(delay_ratio, "B: round trip too long beside the shortest")                                            \
  X(delay_deviation, "C: round trip above maxdelayquant, or longer than the offset's deviation explains") \
  X(loop, "D: source is synchronised to us, or is us")                                                    \
  X(kiss_rate, "kiss RATE: we ask too often")                                                             \
  X(kiss_deny, "kiss DENY or RSTR: we are not served")                                                    \
  X(kiss_other, "another kiss code")

enum class Refusal : std::uint8_t {
#define X(name, text) name,
  WIRETIME_REFUSALS(X)
#undef X
      kCount
};
inline constexpr std::size_t kRefusalCount = static_cast<std::size_t>(Refusal::kCount);

[[nodiscard]] constexpr std::string_view describe(Refusal refusal) noexcept {
  constexpr std::array<std::string_view, kRefusalCount> kTexts{
#define X(name, text) text,
      WIRETIME_REFUSALS(X)
#undef X
  };
  return kTexts[static_cast<std::size_t>(refusal)];
}

}  // namespace wiretime::ntp
