// SPDX-License-Identifier: BSD-3-Clause
// NTP over kernel sockets: loopback, hosts without a data plane, and whatever a data plane passes on. One
// more transport around server::handle, with the kernel's receive times and CLOCK_REALTIME. Control thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "clock/snapshot.hpp"
#include "control/hardware_stamps.hpp"
#include "control/reply_stamps.hpp"
#include "os/event_loop.hpp"
#include "os/udp_socket.hpp"
#include "server/tables.hpp"
#include "server/worker_state.hpp"

namespace wiretime::control {

struct NtpEndpointSettings {
  std::uint16_t port = 123;             // 0: never open
  std::optional<IpAddress> address_v4;  // not given: every address
  std::optional<IpAddress> address_v6;
  std::string device;
  unsigned dscp = 0;
};

class NtpEndpoints {
 public:
  using SnapshotSource = std::function<clock::TimeSnapshot()>;
  // What the kernel's clock says, to the time that is served.
  using Correction = std::function<WallTime(WallTime)>;
  // A packet that send() sent, with what the link put before it, and when the kernel let go of it.
  using StampReceiver = std::function<void(std::span<const std::byte> frame, const KernelStamp& sent)>;
  // A symmetric packet that may come from a configured peer; true: it did, and was taken.
  using PeerReceiver = std::function<bool(const os::Datagram&)>;

  // `loop`, `tables` and `state` outlive this object. `snapshot` is asked once for each batch.
  NtpEndpoints(os::EventLoop& loop, const RcuPointer<server::Tables>& tables, server::WorkerState& state,
               SnapshotSource snapshot, NtpEndpointSettings settings);
  NtpEndpoints(const NtpEndpoints&) = delete;
  NtpEndpoints& operator=(const NtpEndpoints&) = delete;
  ~NtpEndpoints();

  // Opens the family's socket unless it is open or the port is 0.
  [[nodiscard]] os::SocketResult<void> open(Family family);
  [[nodiscard]] bool is_open(Family family) const;

  // Before sockets are opened; outlives this object.
  void use_hardware(HardwareStamps& stamps) { hardware_ = &stamps; }

  // Requests that come in through these interfaces are copies: an af_packet data plane answers them.
  void leave_to_data_plane(std::vector<unsigned> interface_indices) {
    data_plane_interfaces_ = std::move(interface_indices);
  }

  [[nodiscard]] std::vector<os::Endpoint> listening() const;

  void follow_sources(Correction correction, PeerReceiver peers, StampReceiver stamps) {
    correction_ = std::move(correction);
    peers_ = std::move(peers);
    stamps_ = std::move(stamps);
  }
  // From the port we serve. False: not open, or not sent.
  [[nodiscard]] bool send(const os::Endpoint& to, std::span<const std::byte> message);

 private:
  struct Listener {
    os::UdpSocket socket;
    os::EventLoop::WatchId watch;
  };
  [[nodiscard]] const std::optional<Listener>& listener(Family family) const {
    return family == Family::ipv6 ? v6_ : v4_;
  }
  void receive(Family family, os::Ready ready);
  [[nodiscard]] KernelStamp received_at(const os::Datagram& datagram);
  [[nodiscard]] NtpTimestamp served_time(WallTime kernel) const {
    return NtpTimestamp::from(correction_ ? correction_(kernel) : kernel);
  }
  [[nodiscard]] Verdict answer(os::UdpSocket& socket, os::Datagram& datagram,
                               const clock::TimeSnapshot& snapshot);

  os::EventLoop& loop_;
  const RcuPointer<server::Tables>& tables_;
  server::WorkerState& state_;
  SnapshotSource snapshot_;
  NtpEndpointSettings settings_;
  std::vector<unsigned> data_plane_interfaces_;
  Correction correction_;
  PeerReceiver peers_;
  StampReceiver stamps_;
  HardwareStamps* hardware_ = nullptr;
  ReplyStamps reply_stamps_;
  os::ReceiveBatch batch_;
  std::optional<Listener> v4_;
  std::optional<Listener> v6_;
};

// Whether a datagram may be a request at all, by its addresses: nullopt, or the reason why not.
[[nodiscard]] std::optional<Verdict> refuse_by_address(const os::Datagram& datagram,
                                                       std::uint16_t our_port) noexcept;

}  // namespace wiretime::control
