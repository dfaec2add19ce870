// SPDX-License-Identifier: BSD-3-Clause
// One upstream source: the client's or peer's half of NTP as a state machine (RFC 5905 sections 8 to 14, RFC
// 9769 for interleaved mode). Events in, actions out; the owner has the socket, the timer, the clock and the
// randomness. Control thread. Shape learned from ntpd-rs, rules from the RFCs and from what chronyd does.
//
// The owner carries out the returned actions in order. After Send it calls transmitted() (or send_failed()),
// after SampleTaken it calls judged(), and whenever the clock is corrected it calls shift().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "ntp/association_event.hpp"
#include "ntp/association_measure.hpp"
#include "ntp/client_request.hpp"
#include "ntp/poll_schedule.hpp"
#include "ntp/source_options.hpp"

namespace wiretime::ntp {

inline constexpr double kMaxServerInterval = 4.0;  // s a server may take to answer
inline constexpr double kMaxRootDistance = 16.0;   // s, RFC 5905's MAXDISP
inline constexpr std::uint8_t kMaxStratum = 16;    // unsynchronised

enum class Connectivity : std::uint8_t { online, offline, burst_online, burst_offline };

struct LocalClock {
  double precision = 1e-7;  // s: what reading the clock costs or resolves
  std::int8_t log2_precision = -23;
};

// The last exchange and the counts, for `chronyc ntpdata`. Signs as in clock::Sample.
struct AssociationReport {
  Reply last{};  // the last reply that passed tests 1 to 5
  IpAddress local{};
  double offset = 0;           // of the last reply that passed tests 6 and 7 as well, s
  double peer_delay = 0;       // s
  double peer_dispersion = 0;  // s
  double response_time = 0;    // s the source took to answer
  std::uint16_t tests = 0;     // ten bits: 1 2 3 5 6 7 A B C D from the highest; 1 is passed
  bool interleaved = false;
  bool authenticated = false;
  StampSource transmit_stamp = StampSource::daemon;
  StampSource receive_stamp = StampSource::daemon;
  std::uint32_t transmitted = 0;
  std::uint32_t received = 0;
  std::uint32_t received_valid = 0;                // tests 1 to 5
  std::uint32_t received_good = 0;                 // all tests
  std::array<std::uint32_t, 3> transmit_stamps{};  // by StampSource
  std::array<std::uint32_t, 3> receive_stamps{};
  std::array<std::uint32_t, kRefusalCount> refused{};  // by Refusal: the first test that failed
};

class Association {
 public:
  Association(const SourceOptions& options, const LocalClock& clock) noexcept;

  // --- events
  [[nodiscard]] Actions start(
      const Moment& now);  // also when the source got a new address; offline stays offline
  [[nodiscard]] Actions timer(const Moment& now);
  // The last Send has left at `stamp`, by our own clock reading.
  void transmitted(const LocalStamp& stamp) noexcept;
  // The kernel's or the NIC's stamp for a packet of ours, which ends `frame`; also after its reply.
  void transmit_stamp(std::span<const std::byte> frame, const LocalStamp& stamp) noexcept;
  [[nodiscard]] Actions send_failed(const Moment& now);
  // From the source's address and port. In symmetric mode only what wants() says, the rest are requests.
  [[nodiscard]] Actions receive(const Moment& now, const Reception& reception);
  [[nodiscard]] bool wants(std::span<const std::byte> packet) const noexcept;
  [[nodiscard]] Actions judged(const Moment& now, const Judgement& judgement);

  // --- commands
  [[nodiscard]] Actions go_online(const Moment& now);
  [[nodiscard]] Actions go_offline();  // a burst is let run to its end
  // Stops after `good` samples or `total` requests. Nothing happens in symmetric mode or during a burst.
  [[nodiscard]] Actions burst(const Moment& now, unsigned good, unsigned total);
  [[nodiscard]] Actions reset_poll(const Moment& now);  // back to minpoll, at once
  void set_min_poll(int poll) noexcept { schedule_.set_min_poll(poll); }
  void set_max_poll(int poll) noexcept { schedule_.set_max_poll(poll); }
  void set_max_delay(double seconds) noexcept { options_.max_delay = seconds; }
  void set_min_stratum(unsigned stratum) noexcept { options_.min_stratum = stratum; }
  void set_offset_correction(double seconds) noexcept { options_.offset_correction = seconds; }
  // Before start(): how it is to start.
  void begin_offline(bool offline) noexcept {
    connectivity_ = offline ? Connectivity::offline : Connectivity::online;
  }
  // After start(): what an earlier run of the program knew.
  void restore(std::uint8_t reach, std::uint8_t stratum, clock::Leap leap) noexcept;
  void set_selected(bool selected) noexcept { selected_ = selected; }

  // --- the clock
  // At `at` (clock before the change) the clock was advanced by `offset_change` seconds and its frequency
  // raised by `frequency_change` (s/s): kept stamps move to where the corrected clock would have put them.
  void shift(WallTime at, double frequency_change, double offset_change) noexcept;
  // The clock jumped by an unknown amount: stamps from before are worthless.
  void clock_lost() noexcept;

  // --- state
  [[nodiscard]] const SourceOptions& options() const noexcept { return options_; }
  [[nodiscard]] Connectivity connectivity() const noexcept { return connectivity_; }
  [[nodiscard]] bool denied() const noexcept { return denied_; }
  [[nodiscard]] const PollSchedule& schedule() const noexcept { return schedule_; }
  [[nodiscard]] const ReachRegister& reach() const noexcept { return reach_; }
  // False once maxunreach polls in a row went unanswered: no longer to be selected.
  [[nodiscard]] bool may_be_selected() const noexcept { return reach_.missed() <= options_.max_unreach; }
  // Monotonic: of the last and the next request.
  [[nodiscard]] std::optional<Nanoseconds> last_sent_at() const noexcept { return last_sent_at_; }
  [[nodiscard]] std::optional<Nanoseconds> sends_next_at() const noexcept { return transmit_at_; }
  [[nodiscard]] const AssociationReport& report() const noexcept { return report_; }

 private:
  // Our last packet.
  struct Sent {
    RequestStamps wire{};
    LocalStamp stamp{};
    bool interleaved = false;
    bool awaits_reply = false;
    bool presend = false;
  };
  // What the last accepted packet left for the next exchange.
  struct Previous {
    LocalStamp local_transmit{};  // our packet it answered
    NtpTimestamp request{};       // that packet's transmit timestamp on the wire
    NtpTimestamp remote_receive{};
    NtpTimestamp remote_transmit{};
    LocalStamp local_receive{};
    bool known = false;       // there was such a packet
    bool measurable = false;  // and it passed tests 6 and 7: its stamps may be used
  };
  // One received packet on its way through the tests.
  struct Judged : PacketJudged {
    bool valid = false;  // tests 1 to 5
    std::uint16_t tests = 0;
    std::optional<Refusal> refusal{};  // the first
    void test(unsigned bit, bool passed, Refusal why) noexcept;
  };

  // association.cpp: sending and commands
  void transmit(const Moment& now, Actions& actions);
  void advance_burst() noexcept;
  void advance_presend() noexcept;
  [[nodiscard]] bool bursting() const noexcept {
    return connectivity_ == Connectivity::burst_online || connectivity_ == Connectivity::burst_offline;
  }
  [[nodiscard]] bool interleave_next() const noexcept;
  [[nodiscard]] RequestStamps next_stamps(const Moment& now, bool interleaved) const noexcept;
  [[nodiscard]] Send make_packet(const Moment& now, const RequestStamps& stamps) const noexcept;
  void count_missed_poll(Actions& actions);
  void note_reach(bool answered, Actions& actions);
  [[nodiscard]] int current_poll() const noexcept;
  [[nodiscard]] double delay_after_sending() const noexcept;
  [[nodiscard]] double delay_after_reply(const Moment& now) const noexcept;
  void send_in(const Moment& now, double seconds);
  [[nodiscard]] Nanoseconds apart_from_others(const Moment& now, Nanoseconds wanted) const;
  void send_sooner(const Moment& now);
  void take_offline(Actions& actions);
  void forget_exchange() noexcept;
  void start_sending(const Moment& now);
  void end_burst(const Moment& now, Actions& actions);
  [[nodiscard]] Actions finish(Actions actions);

  // association_receive.cpp: what comes back
  [[nodiscard]] std::optional<Refusal> malformed(const Reception& reception) const noexcept;
  [[nodiscard]] Judged judge_header(const Reception& reception) const noexcept;
  [[nodiscard]] bool handle_kiss(const Moment& now, Judged& judged, Actions& actions);
  void take_sample(const Moment& now, const Reception& reception, Judged& judged, Actions& actions);
  [[nodiscard]] bool uses_previous_request(const Judged& judged) const noexcept;
  [[nodiscard]] std::optional<Refusal> fails_test_a(const Judged& judged, const Measurement& m,
                                                    double precision, double response_time) const noexcept;
  [[nodiscard]] bool peer_missed_response(const Judged& judged, double peer_delay) const noexcept;
  [[nodiscard]] bool loops_to_us(const Moment& now, const Reception& reception,
                                 const Reply& reply) const noexcept;
  void remember(const Reception& reception, const Judged& judged) noexcept;
  void remember_unanswered(const Reception& reception, const Judged& judged) noexcept;
  void update_status(const Judged& judged, Actions& actions);
  [[nodiscard]] std::uint8_t status_stratum(const Reply& reply) const noexcept;
  void refuse(Refusal why) noexcept { ++report_.refused[static_cast<std::size_t>(why)]; }

  SourceOptions options_;
  LocalClock clock_;
  PollSchedule schedule_;
  ReachRegister reach_{};
  AssociationReport report_{};
  Connectivity connectivity_;
  bool selected_ = false;
  bool denied_ = false;
  double skew_;

  Sent sent_{};
  Previous previous_{};
  unsigned unanswered_ = 0;         // packets sent since the last valid one came in
  unsigned unanswered_before_ = 0;  // the same, as it was when that one came in
  unsigned presend_left_ = 0;       // warm-up packets of this poll still to be answered
  int remote_poll_;                 // log2 seconds, as the source says
  int poll_before_;                 // ours, when the last valid packet came in
  std::uint8_t remote_stratum_ = kMaxStratum;
  clock::Leap remote_leap_ = clock::Leap::unsynchronised;
  int sent_poll_ = kHighestPoll;               // that the running interval was made from
  std::optional<Nanoseconds> last_sent_at_{};  // monotonic

  std::optional<Nanoseconds> transmit_at_{};      // monotonic
  std::optional<Nanoseconds> close_socket_at_{};  // monotonic
  std::optional<Nanoseconds> announced_{};        // what the last SetTimer said
};

}  // namespace wiretime::ntp
