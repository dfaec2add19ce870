// SPDX-License-Identifier: BSD-3-Clause
// Between a port that the kernel does not own and the kernel; a socket pair stands for the tap.
#include "dpdk/exception_path.hpp"

#include <poll.h>

#include <sys/socket.h>

#include <csignal>

#include "net/neighbor_frames.hpp"
#include "ring_port.hpp"

using namespace wiretime;
using dpdk::ExceptionPath;
using dpdk::KernelFrame;
using dpdk::test::Serving;
using net::test::arp_request;
using net::test::Bytes;
using net::test::echo_message;
using net::test::icmp_frame;
using net::test::ip_frame;
using net::test::Spec;
using wiretime::test::frame_with;
using wiretime::test::ntp_request;

namespace {

Bytes tcp_frame(Spec spec = {}) {
  spec.protocol = net::protocol::kTcp;
  return ip_frame(spec, Bytes(40, std::byte{7}));
}

Bytes ntp_response(std::uint16_t to_port) {
  Bytes message = ntp_request();
  message[0] = std::byte{0x24};  // version 4, mode 4
  Spec spec;
  spec.source_port = 123;
  spec.destination_port = to_port;
  return frame_with(spec, message);
}

Bytes arp_reply() {
  Bytes frame = arp_request();
  store_be16(frame.data() + 20, net::arp::kReply);
  std::copy_n(net::test::server().mac.begin(), 6, frame.begin());
  return frame;
}

struct Joined : Serving {
  explicit Joined(const std::string& name, std::optional<std::uint16_t> vlan = std::nullopt,
                  dpdk::ExceptionRates rates = {})
      : Serving(name) {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) == 0);
    kernel = os::FileDescriptor{ends[1]};
    owned.neighbor = net::test::server();
    owned.neighbor.vlan = vlan;
    owned.serving = fixture.ours;
    queue = port.queue(fixture.state);
    queue->owned = &owned;
    ExceptionPath::Options options;
    options.vlan = vlan;
    options.pool = queue->pool;
    options.ring_size = 128;
    options.rates = rates;
    auto made = ExceptionPath::create(os::Tap{os::FileDescriptor{ends[0]}, "wt9"}, options);
    REQUIRE(made);
    path = std::move(*made);
    queue->kernel = &path->lane(0);
    start();
  }

  // What the kernel has been given and has not read.
  [[nodiscard]] std::optional<Bytes> kernel_reads() const {
    Bytes frame(4096);
    const ssize_t size = read(kernel.get(), frame.data(), frame.size());
    if (size < 0) return std::nullopt;
    frame.resize(static_cast<std::size_t>(size));
    return frame;
  }
  void kernel_sends(const Bytes& frame) const {
    REQUIRE(write(kernel.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()));
  }
  [[nodiscard]] bool woken() const {
    pollfd wakeup{path->descriptors()[1], POLLIN, 0};
    return poll(&wakeup, 1, 0) == 1;
  }
  // How often since this was asked last.
  [[nodiscard]] std::uint64_t wakeups() const {
    std::uint64_t count = 0;
    return read(path->descriptors()[1], &count, sizeof count) == sizeof count ? count : 0;
  }
  [[nodiscard]] std::uint64_t frames(KernelFrame ended) const {
    return path->counts()[static_cast<std::size_t>(ended)];
  }

  os::FileDescriptor kernel;
  dpdk::OwnedPort owned;
  std::unique_ptr<ExceptionPath> path;
};

}  // namespace

TEST_CASE("the kernel gets what the worker does not answer, and nothing that it answers") {
  Joined s{"sorts"};
  const Bytes reply = arp_reply(), tcp = tcp_frame(), response = ntp_response(40000),
              served_port = ntp_response(123);
  for (const Bytes& frame : {arp_request(), frame_with({}, ntp_request()),
                             icmp_frame({}, echo_message(false)), reply, tcp, response, served_port})
    s.port.give(frame);
  CHECK(s.worker.walk() == 7);
  CHECK(s.woken());
  s.path->carry();
  CHECK_FALSE(s.woken());
  CHECK(s.kernel_reads() == reply);
  CHECK(s.kernel_reads() == tcp);
  CHECK(s.kernel_reads() == response);
  CHECK(s.kernel_reads() == served_port);
  CHECK_FALSE(s.kernel_reads());
  CHECK(s.count(Verdict::answered) == 1);
  CHECK(s.count(Verdict::arp_answered) == 1);
  CHECK(s.count(Verdict::echo_answered) == 1);
  CHECK(s.count(Verdict::ntp_mode_response) == 1);
  CHECK(s.frames(KernelFrame::to_kernel) == 4);
  for (int i = 0; i < 3; ++i) CHECK(s.port.take());
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE(
    "a control thread that sleeps is woken once, however much comes, and not at all for what workers "
    "answer") {
  Joined s{"wakes"};
  const auto walk_with = [&](const Bytes& frame, unsigned count) {
    for (unsigned i = 0; i < count; ++i) s.port.give(frame);
    REQUIRE(s.worker.walk() == count);
    return s.wakeups();
  };
  CHECK(walk_with(frame_with({}, ntp_request()), 20) == 0);
  for (int sleep = 0; sleep < 3; ++sleep) {
    CHECK(walk_with(tcp_frame(), 20) == 1);
    CHECK(walk_with(arp_reply(), 20) == 0);  // it is on its way
    s.path->carry();
    CHECK(s.wakeups() == 0);
    while (s.kernel_reads()) {
    }
  }
}

TEST_CASE("what is broken, refused or another station's is not for the kernel") {
  Joined s{"keeps_out"};
  Bytes stray = tcp_frame();
  stray[0] = std::byte{0x02};
  stray[5] = std::byte{0x77};
  Bytes echo_of_ours = tcp_frame();
  std::copy_n(net::test::server().mac.begin(), 6, echo_of_ours.begin() + 6);
  Bytes control = ntp_request();
  control[0] = std::byte{0x26};  // mode 6
  for (const Bytes& frame : {stray, echo_of_ours, frame_with({}, control), Bytes(10)}) s.port.give(frame);
  CHECK(s.worker.walk() == 4);
  CHECK_FALSE(s.woken());
  s.path->carry();
  CHECK_FALSE(s.kernel_reads());
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("what the kernel sends is on the wire after the worker's housekeeping, padded to the minimum") {
  Joined s{"sends"};
  const Bytes tcp = tcp_frame();
  Bytes bare(42, std::byte{9});
  s.kernel_sends(tcp);
  s.kernel_sends(bare);
  s.path->carry();
  CHECK_FALSE(s.port.take());
  s.worker.keep_house();
  CHECK(s.port.take() == tcp);
  bare.resize(60);
  CHECK(s.port.take() == bare);
  CHECK(s.frames(KernelFrame::from_kernel) == 2);
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("the tag of the port's VLAN comes off towards the kernel and goes on towards the wire") {
  Joined s{"tagged_path", std::uint16_t{7}};
  Spec tagged;
  tagged.tags = {{0x8100, 7}};
  s.port.give(tcp_frame(tagged));
  s.port.give(tcp_frame());  // another VLAN's
  s.worker.walk();
  s.path->carry();
  CHECK(s.kernel_reads() == tcp_frame());
  CHECK_FALSE(s.kernel_reads());

  s.kernel_sends(tcp_frame());
  s.path->carry();
  s.worker.keep_house();
  CHECK(s.port.take() == tcp_frame(tagged));
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("a flood of other frames does not keep the answers of our own servers away") {
  dpdk::ExceptionRates rates;
  rates.ordinary = 1;
  rates.burst = 4;
  Joined s{"flooded", std::nullopt, rates};
  for (unsigned i = 0; i < 20; ++i) s.port.give(tcp_frame());
  s.port.give(ntp_response(40000));
  s.port.give(arp_reply());
  CHECK(s.worker.walk() == 22);
  s.path->carry();
  CHECK(s.frames(KernelFrame::to_kernel) == 6);
  CHECK(s.frames(KernelFrame::to_kernel_rate_limited) == 16);
  CHECK(s.count(Verdict::not_udp) == 20);
  for (int i = 0; i < 4; ++i) CHECK(s.kernel_reads() == tcp_frame());
  CHECK(s.kernel_reads() == ntp_response(40000));
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("a control thread that does not come costs the kernel's frames, not the worker's buffers") {
  dpdk::ExceptionRates rates;
  rates.burst = 10'000;
  Joined s{"behind", std::nullopt, rates};
  unsigned given = 0;
  // More than the pool of 255 has.
  for (; given < 600; ++given) {
    s.port.give(tcp_frame());
    s.worker.walk();
  }
  s.port.give(frame_with({}, ntp_request()));
  s.worker.walk();
  CHECK(s.count(Verdict::answered) == 1);
  CHECK(s.frames(KernelFrame::to_kernel_queue_full) > 0);
  for (int i = 0; i < 100; ++i) {
    s.path->carry();
    while (s.kernel_reads()) {
    }
  }
  CHECK(s.frames(KernelFrame::to_kernel) + s.frames(KernelFrame::to_kernel_queue_full) == 600);
  CHECK_FALSE(s.woken());
  while (s.port.take()) {
  }
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("a kernel that does not take frames, and a worker that does not, are counted") {
  Joined s{"refusals"};
  s.kernel.reset();
  s.port.give(tcp_frame());
  s.worker.walk();
  std::signal(SIGPIPE, SIG_IGN);
  s.path->carry();
  CHECK(s.frames(KernelFrame::to_kernel_refused) == 1);
  CHECK(s.port.buffers_out() == 0);

  Joined slow{"slow_worker"};
  for (int i = 0; i < 300; ++i) {
    slow.kernel_sends(tcp_frame());
    slow.path->carry();
  }
  CHECK(slow.frames(KernelFrame::from_kernel_queue_full) > 0);
  CHECK(slow.frames(KernelFrame::from_kernel) == 0);
  slow.path.reset();
  CHECK(slow.port.buffers_out() == 0);
}

TEST_CASE("frames of the kernel for a link without a peer are dropped, not kept for later") {
  Joined s{"no_peer"};
  std::atomic<bool> serve{false};
  dpdk::PortQueue q = *s.queue;
  q.serve = &serve;
  dpdk::Worker worker{1, server::WorkerIdle::spin, s.channels, s.offsets};
  worker.add_queue(q);
  s.kernel_sends(tcp_frame());
  s.path->carry();
  worker.keep_house();
  CHECK(s.frames(KernelFrame::from_kernel_unsent) == 1);
  serve = true;
  worker.keep_house();
  CHECK_FALSE(s.port.take());
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("every way a frame for the kernel can end has a name of its own") {
  CHECK(dpdk::name(KernelFrame::to_kernel) == "to_kernel");
  CHECK(dpdk::name(KernelFrame::from_kernel_unsent) == "from_kernel_unsent");
  CHECK(dpdk::name(KernelFrame::from_kernel_rate_limited) == "from_kernel_rate_limited");
}
