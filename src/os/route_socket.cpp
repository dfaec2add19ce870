// SPDX-License-Identifier: BSD-3-Clause
#include "os/route_socket.hpp"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

// Family-specific header and attributes behind the netlink header; large enough for the requests above.
class Message {
 public:
  template <typename Header>
  Message(std::uint16_t type, std::uint16_t flags, const Header& header) noexcept {
    head_.nlmsg_type = type;
    head_.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    append(&header, sizeof header);
  }

  void attribute(std::uint16_t type, const void* data, std::size_t size) noexcept {
    const rtattr header{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    append(&header, sizeof header);
    append(data, size);
  }
  void attribute(std::uint16_t type, std::uint32_t value) noexcept { attribute(type, &value, sizeof value); }
  void attribute(std::uint16_t type, const IpAddress& address) noexcept {
    attribute(type, address.bytes.data(), address.bit_length() / 8);
  }

  [[nodiscard]] std::span<const std::byte> bytes() noexcept {
    head_.nlmsg_len = static_cast<std::uint32_t>(size_);
    std::memcpy(buffer_.data(), &head_, sizeof head_);
    return {buffer_.data(), size_};
  }

 private:
  void append(const void* data, std::size_t size) noexcept {
    std::memcpy(buffer_.data() + size_, data, size);
    size_ += NLMSG_ALIGN(size);
  }

  nlmsghdr head_{};
  std::array<std::byte, 256> buffer_{};
  std::size_t size_ = NLMSG_HDRLEN;
};

int exchange(int fd, Message message) noexcept {
  const auto request = message.bytes();
  if (send(fd, request.data(), request.size(), 0) < 0) return errno;
  std::array<std::byte, 4096> answer;
  ssize_t size = 0;
  do {
    size = recv(fd, answer.data(), answer.size(), 0);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno;
  nlmsghdr head{};
  nlmsgerr error{};
  if (static_cast<std::size_t>(size) < NLMSG_LENGTH(sizeof error)) return EPROTO;
  std::memcpy(&head, answer.data(), sizeof head);
  std::memcpy(&error, answer.data() + NLMSG_HDRLEN, sizeof error);
  return head.nlmsg_type == NLMSG_ERROR ? -error.error : EPROTO;
}

unsigned char system_family(const IpAddress& address) noexcept {
  return address.family == Family::ipv6 ? AF_INET6 : AF_INET;
}

}  // namespace

Result<RouteSocket> RouteSocket::open() {
  FileDescriptor fd{socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)};
  if (!fd.valid()) return fail("cannot open a netlink socket: " + errno_text());
  set_close_on_exec(fd.get());
  return RouteSocket{std::move(fd)};
}

int RouteSocket::bring_up(unsigned interface, std::span<const std::byte> mac) const noexcept {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(interface);
  link.ifi_flags = link.ifi_change = IFF_UP;
  Message message{RTM_NEWLINK, 0, link};
  message.attribute(IFLA_ADDRESS, mac.data(), mac.size());
  return exchange(fd_.get(), message);
}

int RouteSocket::add_address(unsigned interface, const IpAddress& address,
                             unsigned prefix_length) const noexcept {
  ifaddrmsg head{};
  head.ifa_family = system_family(address);
  head.ifa_prefixlen = static_cast<unsigned char>(prefix_length);
  head.ifa_flags = IFA_F_NODAD;
  head.ifa_index = interface;
  Message message{RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, head};
  message.attribute(IFA_LOCAL, address);
  message.attribute(IFA_ADDRESS, address);
  if (const auto broadcast = subnet_broadcast(address, prefix_length))
    message.attribute(IFA_BROADCAST, *broadcast);
  return exchange(fd_.get(), message);
}

int RouteSocket::add_default_route(unsigned interface, const IpAddress& gateway,
                                   std::uint32_t metric) const noexcept {
  rtmsg head{};
  head.rtm_family = system_family(gateway);
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = RTPROT_STATIC;
  head.rtm_scope = RT_SCOPE_UNIVERSE;
  head.rtm_type = RTN_UNICAST;
  Message message{RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, head};
  message.attribute(RTA_GATEWAY, gateway);
  message.attribute(RTA_OIF, interface);
  message.attribute(RTA_PRIORITY, metric);
  return exchange(fd_.get(), message);
}

}  // namespace wiretime::os
