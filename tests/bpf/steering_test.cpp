// SPDX-License-Identifier: BSD-3-Clause
// Attaching: what may be there already, what is left behind, and frames that arrive over a real (veth)
// wire.
#include "ebpf/steering.hpp"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <csignal>
#include <cstring>

#include "ebpf/attached_program.hpp"
#include "ebpf/driver_features.hpp"
#include "ebpf/libbpf_log.hpp"
#include "harness.hpp"
#include "unit/net/frames.hpp"
#include "xsk_socket.hpp"

namespace wiretime::test {
namespace {

using Catch::Matchers::Contains;
using net::test::Bytes;
using net::test::ip;
using net::test::Spec;

SteeringConfig config_for(const char* interface) {
  return {interface, 123, {ip("192.0.2.1"), ip("2001:db8::1")}};
}

std::string error_of(const Result<Steering>& result) {
  return result ? "no error" : result.error().message;
}

// A program of somebody else's, that passes everything.
Fd load_foreign(const char* name) {
  const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  return Fd{bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", code, std::size(code), nullptr)};
}

int netlink_attach(const char* interface, int program, std::uint32_t mode) {
  return bpf_xdp_attach(static_cast<int>(if_nametoindex(interface)), program, mode, nullptr);
}

void send_frame(const char* interface, const Bytes& frame) {
  const Fd packet{socket(AF_PACKET, SOCK_RAW, 0)};
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  REQUIRE(sendto(packet.get(), frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to) ==
          static_cast<ssize_t>(frame.size()));
}

// Frames that reach the kernel's stack on `interface`.
Fd listen_to(const char* interface) {
  Fd packet{socket(AF_PACKET, SOCK_RAW, 0)};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = byte_swap(std::uint16_t{ETH_P_ALL});
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  REQUIRE(bind(packet.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return packet;
}

bool kernel_sees(const Fd& packet, const Bytes& frame) {
  for (;;) {
    pollfd p{packet.get(), POLLIN, 0};
    if (poll(&p, 1, 60'000) <= 0) return false;
    Bytes got(2048);
    const auto size = recv(packet.get(), got.data(), got.size(), 0);
    if (size < 0) return false;
    got.resize(static_cast<std::size_t>(size));
    if (got == frame) return true;
  }
}

// Bound to a device: another one refuses it. (bpf_prog_info names the device of offloaded programs only.)
bool bound_to_device(std::uint32_t program_id) {
  const LibbpfLog quiet;
  const Fd program{bpf_prog_get_fd_by_id(program_id)};
  if (netlink_attach("lo", program.get(), XDP_FLAGS_SKB_MODE) != 0) return true;
  REQUIRE(netlink_attach("lo", -1, XDP_FLAGS_SKB_MODE) == 0);
  return false;
}

void enter(const Steering& steering, const XskSocket& socket) {
  const Fd map = program_map(steering.program_id(), "xsks_map");
  const std::uint32_t queue = 0;
  const int fd = socket.fd();
  REQUIRE(bpf_map_update_elem(map.get(), &queue, &fd, BPF_ANY) == 0);
}

}  // namespace

TEST_CASE("an interface that does not exist is named in the error") {
  CHECK_THAT(error_of(Steering::attach(config_for("wtnowhere"))),
             Contains("wtnowhere: no such network interface"));
}

TEST_CASE("attach puts the program on the interface and detach takes it off") {
  const Wire wire;
  auto steering = Steering::attach(config_for("wtserver"));
  REQUIRE(error_of(steering) == "no error");
  CHECK(steering->mode() == SteeringMode::native);
  CHECK(program_on("wtserver") == steering->program_id());
  steering->detach();
  CHECK(program_on("wtserver") == 0);
  steering->detach();

  SECTION("and so does destruction") {
    { auto again = Steering::attach(config_for("wtserver")).value(); }
    CHECK(program_on("wtserver") == 0);
  }
  SECTION("a moved-from object detaches nothing") {
    auto first = Steering::attach(config_for("wtserver")).value();
    {
      Steering second = std::move(first);
      first.detach();
      CHECK(program_on("wtserver") == second.program_id());
    }
    CHECK(program_on("wtserver") == 0);
  }
}

TEST_CASE(
    "where kernel and driver have the NIC's receive stamp the program attached is bound to the device") {
  const Wire wire;
  const auto steering = Steering::attach(config_for("wtserver"));
  REQUIRE(error_of(steering) == "no error");
  CHECK(bound_to_device(steering->program_id()) == steering->no_hardware_time().empty());
  // What attach() says is not all there is: this driver has it, so nothing less will do.
  const auto features = driver_features(if_nametoindex("wtserver"));
  if (features && features->receive_stamps) CHECK(bound_to_device(steering->program_id()));
  CHECK(steering->limitation().empty());
}

TEST_CASE("a driver without the NIC's receive stamp gets the plain program and a reason") {
  shell("ip tuntap add dev wttap mode tap");
  {
    const auto steering = Steering::attach(config_for("wttap"));
    REQUIRE(error_of(steering) == "no error");
    CHECK(steering->mode() == SteeringMode::native);
    CHECK_FALSE(bound_to_device(steering->program_id()));
    if (driver_features(if_nametoindex("wttap")))
      CHECK(steering->no_hardware_time() == "the driver gives XDP programs no hardware receive time");
  }
  shell("ip link del wttap");
}

TEST_CASE("a driver that refuses native XDP gets generic mode and a reason") {
  const Wire wire;
  shell("ip link set wtclient mtu 9000");
  shell("ip link set wtserver mtu 9000");
  auto steering = Steering::attach(config_for("wtserver"));
  REQUIRE(error_of(steering) == "no error");
  CHECK(steering->mode() == SteeringMode::generic);
  CHECK_THAT(steering->no_hardware_time(), Contains("generic mode"));
  CHECK_THAT(steering->limitation(), Contains("generic mode"));
}

TEST_CASE("somebody else's program is named and left alone") {
  const Wire wire;
  const bool native = GENERATE(true, false);
  const Fd foreign = load_foreign("firewall");
  REQUIRE(netlink_attach("wtserver", foreign.get(), native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE) == 0);
  const auto id = program_on("wtserver");
  CHECK_THAT(error_of(Steering::attach(config_for("wtserver"))),
             Contains("wtserver") && Contains("'firewall'") && Contains(fmt::format("id {}", id)) &&
                 Contains("ip link set dev wtserver xdp off"));
  CHECK(program_on("wtserver") == id);
  const auto seen = attached_program("wtserver", if_nametoindex("wtserver"));
  REQUIRE((seen && *seen));
  CHECK((*seen)->id == id);
  CHECK((*seen)->name == "firewall");
  CHECK_FALSE((*seen)->ours);
}

TEST_CASE("whose program an interface has can be seen without touching it") {
  const Wire wire;
  const unsigned ifindex = if_nametoindex("wtserver");
  const auto none = attached_program("wtserver", ifindex);
  REQUIRE(none);
  CHECK_FALSE(none->has_value());
  const auto steering = Steering::attach(config_for("wtserver"));
  REQUIRE(error_of(steering) == "no error");
  const auto ours = attached_program("wtserver", ifindex);
  REQUIRE((ours && *ours));
  CHECK((*ours)->id == steering->program_id());
  CHECK(((*ours)->ours && (*ours)->alive));
  CHECK((*ours)->owner == static_cast<std::uint32_t>(getpid()));
  CHECK(program_on("wtserver") == steering->program_id());
}

TEST_CASE("another AF_XDP program's default name does not make it ours") {
  const Wire wire;
  const Fd foreign = load_foreign(STEER_PROGRAM_NAME);
  REQUIRE(netlink_attach("wtserver", foreign.get(), XDP_FLAGS_DRV_MODE) == 0);
  CHECK_THAT(error_of(Steering::attach(config_for("wtserver"))), Contains("somebody else's"));
}

TEST_CASE("a living wiretimed keeps its interface") {
  const Wire wire;
  const auto first = Steering::attach(config_for("wtserver")).value();
  CHECK_THAT(error_of(Steering::attach(config_for("wtserver"))),
             Contains(fmt::format("another wiretimed (pid {}) serves this interface", getpid())));
  CHECK(program_on("wtserver") == first.program_id());
}

TEST_CASE("after kill -9 the next start succeeds at once") {
  const Wire wire;
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto steering = Steering::attach(config_for("wtserver"));
    if (write(ready[1], steering ? "y" : "n", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char answer = 0;
  REQUIRE(read(ready[0], &answer, 1) == 1);
  REQUIRE(answer == 'y');
  kill(child, SIGKILL);  // and not waited for: a zombie must not count as alive
  const auto next = Steering::attach(config_for("wtserver"));
  CHECK(error_of(next) == "no error");
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("our own program that a dead process left attached is replaced") {
  const Wire wire;
  // By netlink, so that it outlives its process; nothing of ours does so today.
  REQUIRE(in_child([] {
    auto steering = Steering::attach(config_for("wtserver"));
    if (!steering) return false;
    const Fd program{bpf_prog_get_fd_by_id(steering->program_id())};
    steering->detach();
    return netlink_attach("wtserver", program.get(), XDP_FLAGS_DRV_MODE) == 0;
  }));
  const auto stale = program_on("wtserver");
  REQUIRE(stale != 0);
  const auto steering = Steering::attach(config_for("wtserver"));
  REQUIRE(error_of(steering) == "no error");
  CHECK(program_on("wtserver") == steering->program_id());
  CHECK(steering->program_id() != stale);
}

TEST_CASE("without privileges there is one clear line") {
  const Wire wire;
  CHECK(in_child([] {
    if (setresuid(65534, 65534, 65534) != 0) return false;
    return error_of(Steering::attach(config_for("wtserver"))).find("not permitted; start as root") !=
           std::string::npos;
  }));
}

TEST_CASE("after dropping privileges addresses, counters and detaching still work") {
  const Wire wire;
  CHECK(in_child([] {
    auto steering = Steering::attach(config_for("wtserver"));
    if (!steering || setresuid(65534, 65534, 65534) != 0) return false;
    const std::vector<IpAddress> addresses{ip("192.0.2.9")};
    if (!steering->set_local_addresses(addresses) || !steering->counters()) return false;
    steering->detach();
    return program_on("wtserver") == 0;
  }));
}

TEST_CASE(
    "over a wire requests reach the AF_XDP socket with a receive time and the rest reaches the kernel") {
  const bool generic = GENERATE(false, true);
  CAPTURE(generic);
  const Wire wire;
  if (generic) {
    shell("ip link set wtclient mtu 9000");
    shell("ip link set wtserver mtu 9000");
  }
  auto steering = Steering::attach(config_for("wtserver"));
  REQUIRE(error_of(steering) == "no error");
  REQUIRE((steering->mode() == SteeringMode::generic) == generic);
  XskSocket worker;
  worker.bind(if_nametoindex("wtserver"), 0);
  enter(*steering, worker);
  const Fd kernel = listen_to("wtserver");

  Spec tagged = net::test::ipv6_spec();
  tagged.tags = {{net::ethernet::kTypeServiceVlan, 7}, {net::ethernet::kTypeVlan, 5}};
  for (const auto& request : {net::test::udp_frame(Spec{}), net::test::udp_frame(tagged)}) {
    send_frame("wtclient", request);
    const auto received = worker.receive(sizeof(steer_metadata));
    REQUIRE(received.has_value());
    steer_metadata metadata{};
    REQUIRE(received->size() == sizeof metadata + request.size());
    std::memcpy(&metadata, received->data(), sizeof metadata);
    CHECK(metadata.magic == STEER_MAGIC);
    CHECK(metadata.time != 0);
    CHECK(metadata.clock == static_cast<std::uint32_t>(steering->receive_clock()));
    CHECK(metadata.hardware_time == 0);  // veth would pass on the sender's stamp, which it has not
    CHECK(std::equal(request.begin(), request.end(), received->begin() + sizeof metadata));
  }

  Spec dns;
  dns.destination_port = 53;
  const Bytes other = net::test::udp_frame(dns);
  send_frame("wtclient", other);
  CHECK(kernel_sees(kernel, other));

  const auto counters = steering->counters().value();
  CHECK(counters[STEER_redirected_ipv4] == 1);
  CHECK(counters[STEER_redirected_ipv6] == 1);
  CHECK(counters[STEER_stamped_software] == 2);
  CHECK(counters[STEER_not_ntp_port] == 1);

  SECTION("and once detached the requests reach the kernel too") {
    steering->detach();
    const Bytes request = net::test::udp_frame(Spec{});
    send_frame("wtclient", request);
    CHECK(kernel_sees(kernel, request));
  }
}

}  // namespace wiretime::test
