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
Bytes answer(std::uint16_t message_type = 0x20, std::uint64_t features = 7) {
  Bytes out;
  put(out, nlmsghdr{60, message_type, 0, 0, 0});
  put(out, std::uint32_t{0x101});  // genlmsghdr
  put_attribute(out, 1, std::uint32_t{4});
  put_attribute(out, 3, std::uint64_t{0x23});
  put_attribute(out, 5, features);
  put_attribute(out, 6, std::uint64_t{0});
  return out;
}

}  // namespace

TEST_CASE("what a driver gives XDP programs of a frame is read from the kernel's answer") {
  CHECK(receive_metadata_features(answer()) == 7U);
  CHECK(receive_metadata_features(answer(0x20, 0)) == 0U);
}

TEST_CASE("an answer without it, refused, or cut off anywhere says nothing") {
  CHECK_FALSE(receive_metadata_features(answer(NLMSG_ERROR)));
  const Bytes whole = answer();
  const std::size_t end = whole.size() - 12;  // of the attribute
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const Bytes cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)};
    CHECK(receive_metadata_features(cut).has_value() == (length >= end));
  }
  Bytes endless = whole;
  endless[20] = std::byte{0};  // an attribute shorter than its header
  CHECK_FALSE(receive_metadata_features(endless));
}

TEST_CASE("random answers are read to their end at most") {
  std::mt19937 random{5};
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random() % 96);
    for (std::byte& b : bytes) b = std::byte(random() % 16);
    const auto features = receive_metadata_features(bytes);
    if (features) CHECK(bytes.size() >= 32);  // two headers, an attribute's and its value
  }
}

}  // namespace wiretime
