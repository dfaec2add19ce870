// SPDX-License-Identifier: BSD-3-Clause
// The XDP program run on single frames by the kernel's BPF_PROG_TEST_RUN, with a real AF_XDP socket in its
// map, so that a steered frame ends as XDP_REDIRECT. The kernel refuses to run frames below 14 bytes, and
// programs bound to a device (EINVAL): what these hand on is tested over a wire and, made by hand, in
// tests/dpdk.
#pragma once

#include <linux/bpf.h>

#include "harness.hpp"
#include "unit/net/frames.hpp"
#include "xsk_socket.hpp"

namespace wiretime::test {

using net::test::Bytes;
using net::test::ip;
using net::test::Spec;
using net::test::udp_frame;

struct Outcome {
  std::uint32_t action = 0;
  steer_reason reason = STEER_REASON_COUNT;
  steer_reason stamp = STEER_REASON_COUNT;  // STEER_REASON_COUNT: not stamped at all
  Bytes output;                             // with the metadata in front, if any
};

// The program, attached to the namespace's loopback interface (so in generic mode, stamping in software).
class Program {
 public:
  explicit Program(std::uint16_t port = 123)
      : steering_(attach(port)), fd_(bpf_prog_get_fd_by_id(steering_.program_id())) {}

  void give_socket() {
    const Fd map = program_map(steering_.program_id(), "xsks_map");
    const std::uint32_t queue = 0;
    const int socket = socket_.fd();
    REQUIRE(bpf_map_update_elem(map.get(), &queue, &socket, BPF_ANY) == 0);
  }

  // `metadata`: bytes at the front of `frame` that the driver is to have written as metadata already.
  Outcome run(std::span<const std::byte> frame, std::uint32_t metadata = 0) {
    const auto before = steering_.counters().value();
    Outcome outcome;
    outcome.output.resize(frame.size() + 256);
    xdp_md context{};
    context.data = metadata;
    context.data_end = static_cast<std::uint32_t>(frame.size());
    bpf_test_run_opts options{};
    if (metadata > 0) {
      options.ctx_in = &context;
      options.ctx_size_in = sizeof context;
    }
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = outcome.output.data();
    options.data_size_out = static_cast<std::uint32_t>(outcome.output.size());
    options.repeat = 1;
    REQUIRE(bpf_prog_test_run_opts(fd_.get(), &options) == 0);
    outcome.action = options.retval;
    outcome.output.resize(options.data_size_out);

    const auto after = steering_.counters().value();
    for (unsigned i = 0; i < STEER_REASON_COUNT; ++i) {
      if (after[i] == before[i]) continue;
      REQUIRE(after[i] == before[i] + 1);
      auto& which = i < STEER_stamped_hardware ? outcome.reason : outcome.stamp;
      REQUIRE(which == STEER_REASON_COUNT);
      which = static_cast<steer_reason>(i);
    }
    return outcome;
  }

  bool accepts(std::span<const std::byte> frame, std::uint32_t metadata) const {
    xdp_md context{};
    context.data = metadata;
    context.data_end = static_cast<std::uint32_t>(frame.size());
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.ctx_in = &context;
    options.ctx_size_in = sizeof context;
    return bpf_prog_test_run_opts(fd_.get(), &options) == 0;
  }

  Steering& steering() { return steering_; }

 private:
  static Steering attach(std::uint16_t port) {
    auto attached = Steering::attach({"lo", port, {ip("192.0.2.1"), ip("2001:db8::1"), ip("fe80::1")}});
    if (!attached) throw std::runtime_error(attached.error().message);
    return std::move(*attached);
  }

  Steering steering_;
  Fd fd_;
  XskSocket socket_;
};

inline std::string_view reason_name(steer_reason reason) {
  return reason == STEER_REASON_COUNT ? "none" : name(reason);
}

inline void check(Program& program, std::string_view description, const Bytes& frame, std::uint32_t action,
                  steer_reason reason) {
  INFO(description << ", " << frame.size() << " bytes");
  const Outcome outcome = program.run(frame);
  CHECK(outcome.action == action);
  CHECK(reason_name(outcome.reason) == reason_name(reason));
  const bool steered = action == XDP_REDIRECT;
  CHECK(reason_name(outcome.stamp) == (steered ? "stamped_software" : "none"));
  // Behind the metadata, if any, the frame is as it was.
  const std::size_t metadata = steered ? sizeof(steer_metadata) : 0;
  REQUIRE(outcome.output.size() == metadata + frame.size());
  CHECK(std::equal(frame.begin(), frame.end(),
                   outcome.output.end() - static_cast<std::ptrdiff_t>(frame.size())));
}

inline Spec v4() {
  return {};
}
inline Spec v6() {
  return net::test::ipv6_spec();
}
template <typename Change>
Bytes changed(Spec spec, Change change) {
  change(spec);
  return udp_frame(spec);
}
}  // namespace wiretime::test
