// SPDX-License-Identifier: BSD-3-Clause
// The kernel's answer about a driver, as it is and broken.
#include "ebpf/driver_features.hpp"

#include <linux/netlink.h>

#include <cstring>
#include <random>
#include <vector>

#include "catch.hpp"

namespace wiretime {
namespace {

using Bytes = std::vector<std::byte>;

template <typename T>
void put(Bytes& out, T value) {
  const auto bytes = std::as_bytes(std::span{&value, 1});
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <typename T>
void put_attribute(Bytes& out, std::uint16_t type, T value) {
  put(out, static_cast<std::uint16_t>(4 + sizeof value));
  put(out, type);
  put(out, value);
}

// As Linux 6.18 answers for veth: ifindex, XDP features, then those of metadata.
Bytes answer(std::uint16_t message_type = 0x20, std::uint64_t features = 7, std::uint64_t xdp = 0x23,
             std::uint64_t socket = 0) {
  Bytes out;
  put(out, nlmsghdr{60, message_type, 0, 0, 0});
  put(out, std::uint32_t{0x101});  // genlmsghdr
  put_attribute(out, 1, std::uint32_t{4});
  put_attribute(out, 3, xdp);
  put_attribute(out, 5, features);
  put_attribute(out, 6, socket);
  return out;
}

}  // namespace

TEST_CASE("what a driver can do for XDP is read from the kernel's answer") {
  const auto veth = read_driver_features(answer());
  REQUIRE(veth);
  CHECK(veth->native_xdp);
  CHECK_FALSE(veth->zero_copy);
  CHECK(veth->receive_stamps);
  CHECK_FALSE(veth->transmit_stamps);
  CHECK_FALSE(veth->launch_time);
  CHECK_FALSE(read_driver_features(answer(0x20, 0))->receive_stamps);
  // As Linux 6.14 says of igc.
  const auto igc = read_driver_features(answer(0x20, 1, 0x7B, 5));
  REQUIRE(igc);
  CHECK((igc->native_xdp && igc->zero_copy && igc->transmit_stamps && igc->launch_time));
  // Programs that cannot redirect are of no use to us.
  CHECK_FALSE(read_driver_features(answer(0x20, 1, 1))->native_xdp);
}

TEST_CASE("an answer without it, refused, or cut off anywhere says nothing") {
  CHECK_FALSE(read_driver_features(answer(NLMSG_ERROR)));
  const Bytes whole = answer();
  const std::size_t end = whole.size() - 12;  // of the attribute
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const Bytes cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)};
    CHECK(read_driver_features(cut).has_value() == (length >= end));
  }
  Bytes endless = whole;
  endless[20] = std::byte{0};  // an attribute shorter than its header
  CHECK_FALSE(read_driver_features(endless));
}

TEST_CASE("random answers are read to their end at most") {
  std::mt19937 random{5};
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random() % 96);
    for (std::byte& b : bytes) b = std::byte(random() % 16);
    const auto features = read_driver_features(bytes);
    if (features) CHECK(bytes.size() >= 32);  // two headers, an attribute's and its value
  }
}

}  // namespace wiretime
