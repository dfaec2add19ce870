// SPDX-License-Identifier: BSD-3-Clause
#include "os/udp_socket.hpp"

#include <fmt/format.h>
#include <linux/net_tstamp.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

// Room for a timestamp (three timespecs) and one address report, and for what a newer kernel may add.
constexpr std::size_t kControlBytes = 256;

bool is_link_local(const IpAddress& a) {
  if (a.family == Family::ipv4) return a.bytes[0] == 169 && a.bytes[1] == 254;
  return a.family == Family::ipv6 && a.bytes[0] == 0xFE && (a.bytes[1] & 0xC0U) == 0x80U;
}

template <typename T>
T control_data(const cmsghdr& header) {
  T value{};
  std::memcpy(&value, CMSG_DATA(&header), sizeof value);
  return value;
}

std::optional<WallTime> to_time(const timespec& t) {
  if (t.tv_sec == 0 && t.tv_nsec == 0) return std::nullopt;
  return WallTime{std::chrono::seconds{t.tv_sec} + Nanoseconds{t.tv_nsec}};
}

bool is_stamp(const cmsghdr& header, int type) {
  return header.cmsg_level == SOL_SOCKET && header.cmsg_type == type;
}

std::optional<WallTime> software_stamp(const cmsghdr& header) {
  if (!is_stamp(header, SCM_TIMESTAMPING) && !is_stamp(header, SCM_TIMESTAMPNS)) return std::nullopt;
  return to_time(control_data<timespec>(header));  // SCM_TIMESTAMPING: the first of three is software's
}

std::optional<WallTime> hardware_stamp(const cmsghdr& header) {
  if (!is_stamp(header, SCM_TIMESTAMPING)) return std::nullopt;
  return to_time(control_data<std::array<timespec, 3>>(header)[2]);
}

// Of the interface, where an error message tells it.
unsigned interface_of(const cmsghdr& header) {
  if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO)
    return static_cast<unsigned>(control_data<in_pktinfo>(header).ipi_ifindex);
  if (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_PKTINFO)
    return control_data<in6_pktinfo>(header).ipi6_ifindex;
  return 0;
}

void read_control(const cmsghdr& header, Datagram& out) {
  if (is_stamp(header, SCM_TIMESTAMPING) || is_stamp(header, SCM_TIMESTAMPNS)) {
    out.received = software_stamp(header);
    if (const auto time = hardware_stamp(header)) {
      if (!out.hardware) out.hardware.emplace();
      out.hardware->time = *time;
    }
  } else if (is_stamp(header, SCM_TIMESTAMPING_PKTINFO)) {
    const auto info = control_data<scm_ts_pktinfo>(header);
    if (!out.hardware) out.hardware.emplace();
    out.hardware->interface_index = info.if_index;
    out.hardware->length = info.pkt_length;
  } else if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO) {
    const auto info = control_data<in_pktinfo>(header);
    out.destination = to_ip(info.ipi_addr);
    out.local = to_ip(info.ipi_spec_dst);
    out.interface_index = static_cast<unsigned>(info.ipi_ifindex);
  } else if (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_PKTINFO) {
    const auto info = control_data<in6_pktinfo>(header);
    out.destination = to_ip(info.ipi6_addr);
    out.local = out.destination;
    out.interface_index = info.ipi6_ifindex;
  }
}

template <typename Info>
void put_control(msghdr& message, int level, int type, const Info& info) {
  // Appended: what is there so far ends at msg_controllen.
  auto* const header =
      reinterpret_cast<cmsghdr*>(static_cast<std::byte*>(message.msg_control) + message.msg_controllen);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
  message.msg_controllen += CMSG_SPACE(sizeof info);
}

UdpSocket::SendResult send_message(int fd, const msghdr& header) noexcept {
  using SendResult = UdpSocket::SendResult;
  for (;;) {
    if (sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return SendResult::sent;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == ENOBUFS ? SendResult::would_block : SendResult::failed;
  }
}

}  // namespace

struct ReceiveBatch::Storage {
  struct Slot {
    alignas(cmsghdr) std::array<std::byte, kControlBytes> control;
    std::array<std::byte, kMaxLength> payload;
    SocketAddress peer;
    iovec vector;
  };
  std::array<Slot, kMessages> slots;
  std::array<mmsghdr, kMessages> headers;
  std::array<Datagram, kMessages> datagrams;
  std::array<TransmitStamp, kMessages> stamps;
};

ReceiveBatch::ReceiveBatch() : storage_(std::make_unique<Storage>()) {}
ReceiveBatch::ReceiveBatch(ReceiveBatch&&) noexcept = default;
ReceiveBatch& ReceiveBatch::operator=(ReceiveBatch&&) noexcept = default;
ReceiveBatch::~ReceiveBatch() = default;

SocketResult<UdpSocket> UdpSocket::open(const Endpoint& bind_to, const UdpOptions& options) {
  const bool v6 = bind_to.address.family == Family::ipv6;
  auto fd = make_socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, describe_listener("UDP", bind_to));
  if (!fd) return tl::make_unexpected(fd.error());
  UdpSocket socket{std::move(*fd), v6 ? Family::ipv6 : Family::ipv4};
  if (auto bound = bind_to_interface(socket.fd(), options.bind_device); !bound)
    return tl::make_unexpected(bound.error());
  socket.apply(options);

  auto endpoint = bind_to;
  if (v6 && is_link_local(endpoint.address) && endpoint.scope == 0 && !options.bind_device.empty())
    endpoint.scope = if_nametoindex(options.bind_device.c_str());
  const auto address = to_system(endpoint);
  if (bind(socket.fd(), &address.base, system_length(socket.family_)) != 0)
    return tl::make_unexpected(explain_bind("UDP", bind_to, errno));
  return socket;
}

bool UdpSocket::connect(const Endpoint& peer) noexcept {
  const auto address = to_system(peer);
  return ::connect(fd_.get(), &address.base, system_length(family_)) == 0;
}

// Everything here improves the service but is no reason to refuse it, so refusals are not errors.
void UdpSocket::apply(const UdpOptions& options) {
  const int fd = fd_.get();
  const bool v6 = family_ == Family::ipv6;
  if (options.reuse_address) set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (v6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  if (options.free_bind) set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
  if (options.packet_info) {
    if (v6)
      set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else
      set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
  if (options.timestamps) {
    constexpr int kReceive = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    constexpr int kHardware = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE |
                              SOF_TIMESTAMPING_OPT_CMSG | SOF_TIMESTAMPING_OPT_PKTINFO |
                              SOF_TIMESTAMPING_OPT_TX_SWHW;
    const int wanted = options.stamp_sends ? kReceive | SOF_TIMESTAMPING_TX_SOFTWARE : kReceive;
    const int more = options.stamp_sends ? kHardware | SOF_TIMESTAMPING_TX_HARDWARE : kHardware;
    hardware_ = options.hardware && set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, wanted | more);
    has_timestamps_ = hardware_ || set_option(fd, SOL_SOCKET, SO_TIMESTAMPING, wanted) ||
                      set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  }
  if (options.dscp != 0) {
    const int traffic_class = static_cast<int>((options.dscp & 63U) << 2);
    if (v6)
      set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
    else
      set_option(fd, IPPROTO_IP, IP_TOS, traffic_class);
  }
  if (options.receive_buffer > 0 && !set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, options.receive_buffer))
    set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
}

int UdpSocket::receive_into(ReceiveBatch& batch, int flags) noexcept {
  auto& s = *batch.storage_;
  for (std::size_t i = 0; i < ReceiveBatch::kMessages; ++i) {
    auto& slot = s.slots[i];
    slot.vector = {slot.payload.data(), slot.payload.size()};
    auto& header = s.headers[i].msg_hdr;
    header = {};
    header.msg_name = &slot.peer;
    header.msg_namelen = sizeof slot.peer;
    header.msg_iov = &slot.vector;
    header.msg_iovlen = 1;
    header.msg_control = slot.control.data();
    header.msg_controllen = slot.control.size();
  }
  return recvmmsg(fd_.get(), s.headers.data(), ReceiveBatch::kMessages, MSG_DONTWAIT | flags, nullptr);
}

Result<std::span<Datagram>> UdpSocket::receive_batch(ReceiveBatch& batch) {
  auto& s = *batch.storage_;
  const int n = receive_into(batch, 0);
  if (n < 0) {
    if (errno == EBADF || errno == ENOTSOCK || errno == EFAULT || errno == EINVAL)
      return fail("cannot receive on a UDP socket: " + errno_text());
    return std::span<Datagram>{};
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    auto& header = s.headers[i].msg_hdr;
    auto& out = s.datagrams[i];
    out = {};
    out.payload = std::span{s.slots[i].payload}.first(s.headers[i].msg_len);
    out.peer = from_system(s.slots[i].peer);
    out.truncated = (header.msg_flags & MSG_TRUNC) != 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c))
      read_control(*c, out);
    if (out.hardware && out.hardware->time == WallTime{}) out.hardware.reset();
  }
  return std::span{s.datagrams}.first(static_cast<std::size_t>(n));
}

std::span<TransmitStamp> UdpSocket::transmit_stamps(ReceiveBatch& batch) noexcept {
  auto& s = *batch.storage_;
  const int n = receive_into(batch, MSG_ERRQUEUE);
  std::size_t count = 0;
  for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n); ++i) {
    auto& header = s.headers[i].msg_hdr;
    if ((header.msg_flags & MSG_TRUNC) != 0) continue;
    std::optional<WallTime> software, hardware;
    unsigned interface_index = 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
      if (is_stamp(*c, SCM_TIMESTAMPING) || is_stamp(*c, SCM_TIMESTAMPNS)) software = software_stamp(*c);
      if (is_stamp(*c, SCM_TIMESTAMPING)) hardware = hardware_stamp(*c);
      interface_index = std::max(interface_index, interface_of(*c));
    }
    const auto frame = std::span{s.slots[i].payload}.first(s.headers[i].msg_len);
    // The kernel tells of each in a message of its own.
    if (const auto sent = hardware ? hardware : software)
      s.stamps[count++] = {frame, *sent, hardware.has_value(), interface_index};
  }
  return std::span{s.stamps}.first(count);
}

UdpSocket::SendResult UdpSocket::send(std::span<const std::byte> message, const Endpoint& to,
                                      const IpAddress& from, unsigned interface_index,
                                      bool stamped) noexcept {
  auto peer = to_system(to);
  iovec vector{const_cast<std::byte*>(message.data()), message.size()};  // sendmsg does not write
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint32_t))>
      control{};
  msghdr header{};
  header.msg_control = control.data();
  header.msg_name = &peer;
  header.msg_namelen = system_length(family_);
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  const unsigned through = is_link_local(to.address) ? interface_index : 0;
  const bool has_source = from.family == family_ && !from.is_unspecified() && !from.is_multicast();
  if (has_source || through != 0) {
    if (family_ == Family::ipv6) {
      in6_pktinfo info{};
      if (has_source) std::memcpy(&info.ipi6_addr, from.bytes.data(), 16);
      info.ipi6_ifindex = through;
      put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
    } else {
      in_pktinfo info{};
      if (has_source) std::memcpy(&info.ipi_spec_dst, from.bytes.data(), 4);
      info.ipi_ifindex = static_cast<int>(through);
      put_control(header, IPPROTO_IP, IP_PKTINFO, info);
    }
  }
  if (!stamped) return send_message(fd_.get(), header);
  constexpr std::uint32_t kSoftware = SOF_TIMESTAMPING_TX_SOFTWARE;
  constexpr std::uint32_t kBoth = kSoftware | SOF_TIMESTAMPING_TX_HARDWARE;
  const std::uint32_t wanted = hardware_ ? kBoth : kSoftware;
  put_control(header, SOL_SOCKET, SO_TIMESTAMPING, wanted);
  const auto result = send_message(fd_.get(), header);
  // Kernels before 4.7 do not know the request.
  return result == SendResult::failed && errno == EINVAL ? send(message, to, from, interface_index) : result;
}

UdpSocket::SendResult UdpSocket::send(std::span<const std::byte> message) noexcept {
  iovec vector{const_cast<std::byte*>(message.data()), message.size()};
  msghdr header{};  // no address: some systems refuse one on a connected socket
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  return send_message(fd_.get(), header);
}

}  // namespace wiretime::os
