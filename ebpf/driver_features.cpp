// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/driver_features.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

namespace wiretime {

namespace {

// linux/netdev.h; Debian 12's headers do not have it yet.
constexpr std::uint8_t kDevGet = 1;
constexpr std::uint16_t kIfindex = 1;
constexpr std::uint16_t kXdpFeatures = 3;
constexpr std::uint64_t kBasic = 1, kRedirect = 2, kZeroCopy = 8;
constexpr std::uint16_t kReceiveMetadataFeatures = 5;
constexpr std::uint64_t kReceiveTimestamp = 1;
constexpr std::uint16_t kSocketFeatures = 6;
constexpr std::uint64_t kTransmitTimestamp = 1, kLaunchTime = 4;
constexpr std::string_view kFamilyName{"netdev", sizeof "netdev"};  // with its end

constexpr std::size_t kHeaders = NLMSG_HDRLEN + GENL_HDRLEN;
constexpr std::size_t kAttributeHeader = sizeof(nlattr);

template <typename T>
std::optional<T> load(std::span<const std::byte> bytes) {
  T value{};
  if (bytes.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// The attribute's value in a message of generic netlink; empty when the message is an error or has none.
std::span<const std::byte> attribute(std::span<const std::byte> message, std::uint16_t wanted) {
  const auto header = load<nlmsghdr>(message);
  if (!header || header->nlmsg_type == NLMSG_ERROR || message.size() < kHeaders) return {};
  auto rest = message.subspan(kHeaders);
  while (const auto a = load<nlattr>(rest)) {
    if (a->nla_len < kAttributeHeader || a->nla_len > rest.size()) return {};
    if ((a->nla_type & NLA_TYPE_MASK) == wanted)
      return rest.subspan(kAttributeHeader, a->nla_len - kAttributeHeader);
    const std::size_t step = (std::size_t{a->nla_len} + 3) & ~std::size_t{3};
    if (step >= rest.size()) return {};
    rest = rest.subspan(step);
  }
  return {};
}

struct Request {
  std::uint16_t family;
  std::uint8_t command;
  std::uint16_t attribute;
  std::span<const std::byte> value;
};

// The kernel answers a request without NLM_F_DUMP at once and in one message.
std::span<const std::byte> ask(int fd, const Request& request, std::span<std::byte> answer) {
  std::array<std::byte, 64> message{};
  const std::size_t length = kHeaders + kAttributeHeader + request.value.size();
  if (length > message.size()) return {};
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(length);
  header.nlmsg_type = request.family;
  header.nlmsg_flags = NLM_F_REQUEST;
  genlmsghdr command{};
  command.cmd = request.command;
  command.version = 1;
  nlattr a{};
  a.nla_type = request.attribute;
  a.nla_len = static_cast<std::uint16_t>(kAttributeHeader + request.value.size());
  std::memcpy(message.data(), &header, sizeof header);
  std::memcpy(message.data() + NLMSG_HDRLEN, &command, sizeof command);
  std::memcpy(message.data() + kHeaders, &a, sizeof a);
  std::memcpy(message.data() + kHeaders + kAttributeHeader, request.value.data(), request.value.size());
  if (send(fd, message.data(), length, 0) < 0) return {};
  const auto got = recv(fd, answer.data(), answer.size(), 0);
  return got > 0 ? answer.first(static_cast<std::size_t>(got)) : answer.first(0);
}

}  // namespace

std::optional<DriverFeatures> read_driver_features(std::span<const std::byte> answer) {
  const auto receive = load<std::uint64_t>(attribute(answer, kReceiveMetadataFeatures));
  if (!receive) return std::nullopt;
  const auto xdp = load<std::uint64_t>(attribute(answer, kXdpFeatures)).value_or(0);
  const auto socket = load<std::uint64_t>(attribute(answer, kSocketFeatures)).value_or(0);
  DriverFeatures features;
  features.native_xdp = (xdp & (kBasic | kRedirect)) == (kBasic | kRedirect);
  features.zero_copy = (xdp & kZeroCopy) != 0;
  features.receive_stamps = (*receive & kReceiveTimestamp) != 0;
  features.transmit_stamps = (socket & kTransmitTimestamp) != 0;
  features.launch_time = (socket & kLaunchTime) != 0;
  return features;
}

std::optional<DriverFeatures> driver_features(unsigned ifindex) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
  if (fd < 0) return std::nullopt;
  std::array<std::byte, 8192> buffer;
  std::optional<DriverFeatures> features;
  const auto family =
      load<std::uint16_t>(attribute(ask(fd,
                                        {GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME,
                                         std::as_bytes(std::span{kFamilyName.data(), kFamilyName.size()})},
                                        buffer),
                                    CTRL_ATTR_FAMILY_ID));
  if (family) {
    const std::uint32_t index = ifindex;
    features = read_driver_features(
        ask(fd, {*family, kDevGet, kIfindex, std::as_bytes(std::span{&index, 1})}, buffer));
  }
  close(fd);
  return features;
}

}  // namespace wiretime
