// SPDX-License-Identifier: BSD-3-Clause
// UDP sockets of the NTP service, its sources and the command port: batches in by recvmmsg with the kernel's
// receive time and the address each message came to, messages out by sendmsg from a chosen address, with the
// kernel's transmit time afterwards (Documentation/networking/timestamping.rst). Control thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/time.hpp"
#include "os/socket.hpp"

namespace wiretime::os {

struct UdpOptions {
  std::string bind_device;     // interface name; empty: all
  bool timestamps = true;      // kernel software receive times
  bool stamp_sends = false;    // and transmit times of every message
  bool hardware = false;       // both of the hardware too, where it has been told to stamp (stamping.hpp)
  bool packet_info = true;     // local address and interface of each message
  bool v6only = true;          // IPv6 sockets take no IPv4
  bool reuse_address = false;  // true would let a second instance take the same port
  bool free_bind = false;      // bind although the address is not on this host yet
  unsigned dscp = 0;           // 0..63
  int receive_buffer = 0;      // bytes; 0: system default
};

// A receive timestamp of the network interface. (Not inside Datagram: clang 14 could not make an optional of
// it.)
struct HardwareReceipt {
  WallTime time;  // on the clock of that interface
  unsigned interface_index = 0;
  unsigned length = 0;  // bytes of the frame, without its checksum
};

// One message; the payload lives in the ReceiveBatch until its next use, and may be overwritten by the
// answer.
struct Datagram {
  std::span<std::byte> payload;
  Endpoint peer;
  IpAddress destination;  // in the packet's header; broadcast or multicast show here. Unspecified: not known
  IpAddress local;        // our own address to answer from; equal to destination for unicast
  unsigned interface_index = 0;
  std::optional<WallTime> received;  // CLOCK_REALTIME when the kernel took it from the driver
  std::optional<HardwareReceipt> hardware;
  bool truncated = false;  // longer than kMaxLength: the payload holds its beginning
};

// When the kernel handed one of our messages to the device. The frame ends with that message, whatever
// headers the link has; it lives as a Datagram's payload does.
struct TransmitStamp {
  std::span<const std::byte> frame;
  WallTime sent;  // CLOCK_REALTIME; the interface's clock if `hardware`
  bool hardware = false;
  unsigned interface_index = 0;  // where it left; 0: not known
};

// Buffers for one receive call, shared by all sockets of a thread.
class ReceiveBatch {
 public:
  static constexpr std::size_t kMessages = 64;
  static constexpr std::size_t kMaxLength = 2048;

  ReceiveBatch();
  ReceiveBatch(ReceiveBatch&&) noexcept;
  ReceiveBatch& operator=(ReceiveBatch&&) noexcept;
  ~ReceiveBatch();

 private:
  friend class UdpSocket;
  struct Storage;
  std::unique_ptr<Storage> storage_;
};

class UdpSocket {
 public:
  [[nodiscard]] static SocketResult<UdpSocket> open(const Endpoint& bind_to, const UdpOptions& options);

  // From now on only messages from `peer` come in. False: no way there (errno says why).
  [[nodiscard]] bool connect(const Endpoint& peer) noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] Endpoint local() const noexcept { return bound_endpoint(fd_.get()); }
  [[nodiscard]] Family family() const noexcept { return family_; }
  // False when timestamps were asked for and the kernel refused: stamp in the callback instead.
  [[nodiscard]] bool has_timestamps() const noexcept { return has_timestamps_; }

  // What is waiting, at most kMessages; empty when nothing is. One call per readiness: poll again for more
  // (simulators hand out one message per poll). An asynchronous ICMP error counts as nothing waiting.
  [[nodiscard]] Result<std::span<Datagram>> receive_batch(ReceiveBatch& batch);

  // The transmit times that wait in the socket's error queue. Call this only when a watcher is told `error`
  // or `priority`, and before receive_batch: the kernel stamps a message before the device has it, so its
  // time is here before its answer.
  [[nodiscard]] std::span<TransmitStamp> transmit_stamps(ReceiveBatch& batch) noexcept;

  enum class SendResult : std::uint8_t { sent, would_block, failed };  // failed: errno says why
  // `from`: Datagram::local, or unspecified for the kernel's choice. `interface_index` counts only towards
  // link-local peers: any other answer follows the routing table, also when that is asymmetric. `stamped`:
  // the transmit time of this one message is wanted.
  SendResult send(std::span<const std::byte> message, const Endpoint& to, const IpAddress& from = {},
                  unsigned interface_index = 0, bool stamped = false) noexcept;
  // To the connected peer.
  SendResult send(std::span<const std::byte> message) noexcept;
  SendResult send_stamped(std::span<const std::byte> message, const Endpoint& to) noexcept {
    return send(message, to, {}, 0, true);
  }

 private:
  UdpSocket(FileDescriptor fd, Family family) : fd_(std::move(fd)), family_(family) {}
  void apply(const UdpOptions& options);
  [[nodiscard]] int receive_into(ReceiveBatch& batch, int flags) noexcept;

  FileDescriptor fd_;
  Family family_;
  bool has_timestamps_ = false;
  bool hardware_ = false;
};

}  // namespace wiretime::os
