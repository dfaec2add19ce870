// SPDX-License-Identifier: BSD-3-Clause
// Ports that the kernel does not own: the worker is the whole host there.
#include "net/neighbor_frames.hpp"
#include "ring_port.hpp"

using namespace wiretime;
using dpdk::test::Serving;
using net::test::arp_request;
using net::test::Bytes;
using net::test::checksums_right;
using net::test::echo_message;
using net::test::expected_advertisement;
using net::test::icmp_frame;
using net::test::ip_frame;
using net::test::solicitation_message;
using net::test::solicitation_spec;
using net::test::Spec;
using wiretime::test::frame_with;
using wiretime::test::ntp_request;

namespace {

struct Owned : Serving {
  explicit Owned(const std::string& name, std::optional<std::uint16_t> vlan = std::nullopt) : Serving(name) {
    owned.neighbor = net::test::server();
    owned.neighbor.vlan = vlan;
    owned.serving = fixture.ours;
    auto nobody = std::make_unique<server::Tables>();  // the kernel's addresses are not ours here
    nobody->access = fixture.tables.access;
    channels.tables.publish(std::move(nobody));
    queue = port.queue(fixture.state);
    queue->owned = &owned;
    queue->announce = &announce;
    start();
  }

  dpdk::OwnedPort owned;
  std::atomic<bool> announce{false};
};

}  // namespace

// Bus addresses are virtual ones here. What a card is told decides where it writes.
TEST_CASE("a buffer that a card may be told of lies where its bus address says") {
  (void)dpdk::test::eal();
  const auto pool = dpdk::make_packet_pool("bus", 1023, SOCKET_ID_ANY, dpdk::PoolLayout::device);
  REQUIRE(pool);
  unsigned wrong = 0;
  rte_mempool_obj_iter(
      pool->get(),
      [](rte_mempool*, void* count, void* object, unsigned) {
        const auto* m = static_cast<const rte_mbuf*>(object);
        *static_cast<unsigned*>(count) += m->buf_iova != reinterpret_cast<std::uintptr_t>(m->buf_addr);
      },
      &wrong);
  CHECK(wrong == 0);
}

TEST_CASE("ARP, neighbour solicitation and ping are answered beside NTP in one burst") {
  Owned s{"neighbors"};
  const IpAddress v6 = net::test::ip("2001:db8::1");
  s.port.give(arp_request());
  s.port.give(frame_with({}, ntp_request()));
  s.port.give(icmp_frame(solicitation_spec(v6), solicitation_message(v6, false)));
  s.port.give(icmp_frame({}, echo_message(false)));
  CHECK(s.worker.walk() == 4);
  CHECK(s.count(Verdict::arp_answered) == 1);
  CHECK(s.count(Verdict::answered) == 1);
  CHECK(s.count(Verdict::nd_answered) == 1);
  CHECK(s.count(Verdict::echo_answered) == 1);

  CHECK(s.port.take()->at(21) == std::byte{2});  // ARP reply
  CHECK(s.port.take().has_value());
  CHECK(s.port.take() == expected_advertisement(v6));  // longer than what asked for it
  CHECK(checksums_right(*s.port.take(), 14, 64));
  CHECK(s.count(server::Stamp::receive_daemon) == 1);  // stamps count NTP only
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("neighbour answers are rationed, NTP is not") {
  Owned s{"rationed"};
  for (unsigned i = 0; i < 300; ++i) {
    s.port.give(arp_request());
    s.port.give(frame_with({}, ntp_request()));
    s.worker.walk();
    while (s.port.take()) {
    }
  }
  CHECK(s.count(Verdict::neighbor_rate_limited) > 0);
  CHECK(s.count(Verdict::arp_answered) + s.count(Verdict::neighbor_rate_limited) == 300);
  CHECK(s.count(Verdict::answered) == 300);
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("other people's frames on our wire are counted as what they are") {
  Owned s{"strangers"};
  s.port.give(arp_request("192.0.2.9"));
  Spec tcp;
  tcp.protocol = net::protocol::kTcp;
  s.port.give(ip_frame(tcp, Bytes(20)));
  s.worker.walk();
  CHECK(s.count(Verdict::not_ip) == 1);
  CHECK(s.count(Verdict::not_udp) == 1);
  CHECK_FALSE(s.port.take());
}

TEST_CASE("with a vlan configured only frames with exactly that tag are ours") {
  Owned s{"tagged", std::uint16_t{7}};
  const auto with_tags = [](std::vector<std::pair<std::uint16_t, std::uint16_t>> tags) {
    Spec spec;
    spec.tags = std::move(tags);
    return frame_with(spec, ntp_request());
  };
  s.port.give(with_tags({}));
  s.port.give(with_tags({{0x8100, 8}}));
  s.port.give(with_tags({{0x8100, 0x6007}}));  // priority bits do not count
  s.worker.walk();
  CHECK(s.count(Verdict::not_our_address) == 2);
  CHECK(s.count(Verdict::answered) == 1);
  CHECK(s.port.take());
  CHECK_FALSE(s.port.take());
}

TEST_CASE("every address is announced once when asked to") {
  Owned s{"announces"};
  CHECK_FALSE(s.port.take());
  s.announce = true;
  s.worker.keep_house();
  s.worker.keep_house();
  const auto advertisement = s.port.take();
  REQUIRE(advertisement);
  CHECK(load_u8(advertisement->data() + 54) == 136);
  const auto arp = s.port.take();
  REQUIRE(arp);
  CHECK(load_be16(arp->data() + 12) == 0x0806);
  CHECK(load_u8(arp->data()) == 0xFF);
  CHECK_FALSE(s.port.take());
  CHECK(s.port.buffers_out() == 0);
}

TEST_CASE("NTP for somebody else's address is counted as that, not as what neighbour traffic it is not") {
  Owned s{"reasons"};
  Spec spec;
  spec.to = net::test::ip("192.0.2.77");
  s.port.give(frame_with(spec, ntp_request()));
  CHECK(s.worker.walk() == 1);
  CHECK(s.count(Verdict::not_our_address) == 1);
  CHECK_FALSE(s.port.take().has_value());
}
