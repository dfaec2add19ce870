// SPDX-License-Identifier: BSD-3-Clause
// What the XDP program keeps and writes: the local addresses, the receive time, libxdp's reference count.
#include <ctime>
#include <memory>

#include "ebpf/libbpf_log.hpp"
#include "ebpf/objects.hpp"
#include "program.hpp"

namespace wiretime::test {

TEST_CASE("the set of steered addresses can be changed while attached") {
  Program program;
  program.give_socket();
  const auto to = [](const char* address, Spec spec) {
    spec.to = ip(address);
    return udp_frame(spec);
  };
  const std::vector<IpAddress> next{ip("192.0.2.1"), ip("192.0.2.7"), ip("2001:db8::7")};
  REQUIRE(program.steering().set_local_addresses(next).has_value());
  check(program, "kept", to("192.0.2.1", v4()), XDP_REDIRECT, STEER_redirected_ipv4);
  check(program, "added", to("192.0.2.7", v4()), XDP_REDIRECT, STEER_redirected_ipv4);
  check(program, "added IPv6", to("2001:db8::7", v6()), XDP_REDIRECT, STEER_redirected_ipv6);
  check(program, "removed IPv6", to("2001:db8::1", v6()), XDP_PASS, STEER_not_our_address);

  REQUIRE(program.steering().set_local_addresses({}).has_value());
  check(program, "none left", to("192.0.2.1", v4()), XDP_PASS, STEER_not_our_address);
}

TEST_CASE("addresses that no wire can carry as a unicast destination are not steered") {
  Program program;
  program.give_socket();
  const std::vector<IpAddress> odd{ip("127.0.0.1"), ip("224.0.1.1"), ip("0.0.0.0"), ip("255.255.255.255"),
                                   ip("::1"),       ip("::"),        ip("ff02::1"), IpAddress{}};
  REQUIRE(program.steering().set_local_addresses(odd).has_value());
  for (const auto& address : odd) {
    if (address.family == Family::unspecified) continue;
    Spec spec = address.family == Family::ipv6 ? v6() : v4();
    spec.to = address;
    check(program, address.to_string(), udp_frame(spec), XDP_PASS, STEER_not_our_address);
  }
}

TEST_CASE("more addresses than the map holds are an error, and fewer work again") {
  Program program;
  program.give_socket();
  std::vector<IpAddress> many;
  for (std::uint32_t i = 0; i <= STEER_MAX_ADDRESSES; ++i) many.push_back(IpAddress::v4(0x0A00'0001U + i));
  const auto result = program.steering().set_local_addresses(many);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().message.find("no room for more than 4096") != std::string::npos);
  REQUIRE(program.steering().set_local_addresses(std::vector{ip("192.0.2.1")}).has_value());
  check(program, "still works", udp_frame(v4()), XDP_REDIRECT, STEER_redirected_ipv4);
}

TEST_CASE("the receive time is the named clock's") {
  Program program;
  program.give_socket();
  const auto clock = program.steering().receive_clock();
  REQUIRE((clock == STEER_CLOCK_TAI || clock == STEER_CLOCK_MONOTONIC));
  const auto now = [clock] {
    timespec t{};
    clock_gettime(clock == STEER_CLOCK_TAI ? CLOCK_TAI : CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
  };
  const auto before = now();
  const Outcome outcome = program.run(udp_frame(v4()));
  const auto after = now();
  steer_metadata metadata{};
  REQUIRE(outcome.output.size() > sizeof metadata);
  std::memcpy(&metadata, outcome.output.data(), sizeof metadata);
  CHECK(metadata.magic == STEER_MAGIC);
  CHECK(metadata.clock == static_cast<std::uint32_t>(clock));
  CHECK(metadata.time >= before);
  CHECK(metadata.time <= after);
  CHECK(metadata.hardware_time == 0);
}

TEST_CASE("without the kernel's TAI clock the receive time is the monotonic clock's") {
  // The way a kernel before 6.1 gets the program; the loader's probe cannot be made to fail on this one.
  const LibbpfLog quiet;
  const auto image = software_stamp_object();
  const std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object(
      bpf_object__open_mem(image.data(), image.size(), nullptr), &bpf_object__close);
  REQUIRE(object != nullptr);
  std::size_t size = 0;
  auto* options = static_cast<steer_options*>(const_cast<void*>(
      bpf_map__initial_value(bpf_object__find_map_by_name(object.get(), ".rodata"), &size)));
  REQUIRE(size >= sizeof *options);
  options->ntp_port = byte_swap(std::uint16_t{123});
  options->has_tai_clock = 0;
  REQUIRE(bpf_object__load(object.get()) == 0);

  const XskSocket socket;
  const int socket_fd = socket.fd();
  const std::uint32_t queue = 0;
  const std::uint8_t one = 1;
  const auto address = ip("192.0.2.1");
  const auto map = [&](const char* name) { return bpf_object__find_map_fd_by_name(object.get(), name); };
  REQUIRE(bpf_map_update_elem(map("xsks_map"), &queue, &socket_fd, BPF_ANY) == 0);
  REQUIRE(bpf_map_update_elem(map("wt_local_ipv4"), address.bytes.data(), &one, BPF_ANY) == 0);

  const Bytes frame = udp_frame(v4());
  Bytes output(512);
  bpf_test_run_opts run{};
  run.sz = sizeof run;
  run.data_in = frame.data();
  run.data_size_in = static_cast<std::uint32_t>(frame.size());
  run.data_out = output.data();
  run.data_size_out = static_cast<std::uint32_t>(output.size());
  const auto* program = bpf_object__find_program_by_name(object.get(), STEER_PROGRAM_NAME);
  REQUIRE(bpf_prog_test_run_opts(bpf_program__fd(program), &run) == 0);
  REQUIRE(run.retval == XDP_REDIRECT);
  steer_metadata metadata{};
  std::memcpy(&metadata, output.data(), sizeof metadata);
  CHECK(metadata.magic == STEER_MAGIC);
  CHECK(metadata.clock == STEER_CLOCK_MONOTONIC);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  CHECK(metadata.time <= static_cast<std::uint64_t>(now.tv_sec + 1) * 1'000'000'000);
}

TEST_CASE("a frame whose driver has no room for metadata reaches the worker without") {
  Program program;
  program.give_socket();
  const Bytes request = udp_frame(v4());
  const auto with_room_taken = [&](std::uint32_t bytes) {
    Bytes frame(bytes);
    net::test::append(frame, request);
    return frame;
  };
  // As much as the kernel allows: 32 bytes, or from Linux 6.3 what the headroom holds.
  std::uint32_t taken = 252;
  while (taken > 0 && !program.accepts(with_room_taken(taken), taken)) taken -= 4;
  REQUIRE(taken >= 32);
  const Bytes frame = with_room_taken(taken);
  const Outcome outcome = program.run(frame, taken);
  CHECK(outcome.action == XDP_REDIRECT);
  CHECK(reason_name(outcome.reason) == "redirected_ipv4");
  CHECK(reason_name(outcome.stamp) == "unstamped");
}

TEST_CASE("a program that libxdp is about to detach takes nothing") {
  Program program;
  program.give_socket();
  const Fd map = program_map(program.steering().program_id(), STEER_STATE_MAP_NAME);
  const std::uint32_t key = 0;
  steer_state state{};
  REQUIRE(bpf_map_lookup_elem(map.get(), &key, &state) == 0);
  CHECK(state.refcnt == 1);
  CHECK(state.owner_pid == static_cast<std::uint32_t>(getpid()));
  state.refcnt = 0;
  REQUIRE(bpf_map_update_elem(map.get(), &key, &state, BPF_ANY) == 0);
  check(program, "request", udp_frame(v4()), XDP_PASS, STEER_REASON_COUNT);
}

}  // namespace wiretime::test
