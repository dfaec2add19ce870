// SPDX-License-Identifier: BSD-3-Clause
// What DPDK is told, worked out from configuration and host: pure functions.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "catch.hpp"
#include "dpdk/devargs.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/memif_socket.hpp"
#include "os/file_descriptor.hpp"
#include "os/temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::dpdk;
using Kind = server::DataplaneConfig::Kind;
using Role = server::DataplaneConfig::MemifRole;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

Host two_cpus() {
  return {{0, 1}, {0, 1}, 0, 2 * kMiB};
}

server::DataplaneConfig port(Kind kind, const std::string& device, unsigned queues = 1) {
  server::DataplaneConfig c;
  c.kind = kind;
  c.device = device;
  c.queues = queues;
  return c;
}

bool has(const EalPlan& plan, const std::string& argument) {
  return std::count(plan.arguments.begin(), plan.arguments.end(), argument) == 1;
}
std::string after(const EalPlan& plan, const std::string& option) {
  const auto at = std::find(plan.arguments.begin(), plan.arguments.end(), option);
  return at == plan.arguments.end() || at + 1 == plan.arguments.end() ? "" : *(at + 1);
}

}  // namespace

TEST_CASE("without workercpus one worker floats over the CPUs that the process may use") {
  const auto plan = plan_eal({}, {{0, 1, 2, 3}, {0, 2, 3}, 0, 0});
  REQUIRE(plan);
  CHECK(after(*plan, "--lcores") == "0@(0,2-3),1@(0,2-3)");
}

TEST_CASE("workercpus pins one worker to each CPU, in order, and controlcpu the main thread") {
  EalOptions options;
  options.worker_cpus = {5, 2};
  options.control_cpu = 1;
  const auto plan = plan_eal(options, {{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}, 0, 0});
  REQUIRE(plan);
  CHECK(after(*plan, "--lcores") == "0@1,1@5,2@2");
  CHECK(after(*plan, "--main-lcore") == "0");
}

TEST_CASE("a CPU that the machine lacks, or that is named twice, is an error that says so") {
  EalOptions options;
  options.worker_cpus = {1, 9};
  CHECK(plan_eal(options, two_cpus()).error().message ==
        "workercpus: CPU 9 does not exist on this machine (0-1)");
  options.worker_cpus = {1, 1};
  CHECK(plan_eal(options, two_cpus()).error().message == "workercpus: CPU 1 is named twice");
  options.worker_cpus = {1};
  options.control_cpu = 2;
  CHECK(plan_eal(options, two_cpus()).error().message ==
        "controlcpu: CPU 2 does not exist on this machine (0-1)");
}

TEST_CASE("automatic hugepages are used when enough are free") {
  EalOptions options;
  options.memory = 100 * kMiB;
  Host host = two_cpus();
  const auto without = plan_eal(options, host);
  REQUIRE(without);
  CHECK_FALSE(without->hugepages);
  CHECK(has(*without, "--no-huge"));
  CHECK(has(*without, "--no-shconf"));
  CHECK(after(*without, "-m") == "100");

  host.free_hugepages = 100 * kMiB;
  const auto with = plan_eal(options, host);
  REQUIRE(with);
  CHECK(with->hugepages);
  CHECK(has(*with, "--in-memory"));
  CHECK_FALSE(has(*with, "--no-huge"));

  options.hugepages = server::Hugepages::off;
  CHECK_FALSE(plan_eal(options, host)->hugepages);
}

TEST_CASE("hugepages on without enough of them says how many to set aside") {
  EalOptions options;
  options.memory = 100 * kMiB;
  options.hugepages = server::Hugepages::on;
  Host host = two_cpus();
  host.free_hugepages = 10 * kMiB;
  const auto plan = plan_eal(options, host);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().message ==
        "hugepages on: 10 MiB of free hugepages found, 100 MiB needed; set them aside with `sysctl -w "
        "vm.nr_hugepages=50` or use `hugepages auto`");
}

TEST_CASE("PCI is left alone unless a port asks for a device") {
  EalOptions options;
  options.drivers = {"librte_net_memif.so"};
  const auto none = plan_eal(options, two_cpus());
  REQUIRE(none);
  CHECK(has(*none, "--no-pci"));
  CHECK(has(*none, "--iova-mode=va"));
  CHECK(after(*none, "-d").find("/librte_net_memif.so") != std::string::npos);
  options.pci = {"0000:3b:00.0"};
  const auto one = plan_eal(options, two_cpus());
  REQUIRE(one);
  CHECK_FALSE(has(*one, "--no-pci"));
  CHECK(after(*one, "-a") == "0000:3b:00.0");
}

TEST_CASE("each kind of port becomes the device arguments of its driver") {
  CHECK(device_arguments(port(Kind::af_xdp, "eth1", 2), 0, 1, false) ==
        "net_af_xdp0q1,iface=eth1,start_queue=1,queue_count=1,busy_budget=0");
  CHECK(device_arguments(port(Kind::af_xdp, "eth1"), 3, 0, true) ==
        "net_af_xdp3q0,iface=eth1,start_queue=0,queue_count=1,busy_budget=0,force_copy=1");
  CHECK(device_arguments(port(Kind::af_packet, "eth1"), 1, 0, false)
            .rfind("net_af_packet1,iface=eth1,qpairs=1", 0) == 0);
  auto memif = port(Kind::memif, "/run/m.sock");
  CHECK(device_arguments(memif, 0, 0, false) ==
        "net_memif0,role=server,id=0,socket=/run/m.sock,socket-abstract=no,rsize=11");
  memif.memif_role = Role::client;
  CHECK(device_arguments(memif, 0, 0, false).rfind("net_memif0,role=client", 0) == 0);
  CHECK(device_arguments(port(Kind::vdev, "net_tap0,iface=x"), 4, 0, false) == "net_tap0,iface=x");
  CHECK(device_name(port(Kind::vdev, "net_tap0,iface=x"), 4, 0) == "net_tap0");
}

TEST_CASE("only the drivers that the ports need are loaded") {
  CHECK(driver_file(port(Kind::af_xdp, "eth1")) == "librte_net_af_xdp.so");
  CHECK(driver_file(port(Kind::memif, "/m")) == "librte_net_memif.so");
  CHECK(driver_file(port(Kind::vdev, "net_virtio_user0,path=/x")) == "librte_net_virtio.so");
  CHECK(driver_file(port(Kind::vdev, "eth_odd0")) == std::nullopt);
  CHECK(driver_file(port(Kind::pci, "0000:3b:00.0")) == std::nullopt);
}

TEST_CASE("memory grows with every queue") {
  const auto one = memory_needed({port(Kind::memif, "/m")});
  const auto two = memory_needed({port(Kind::memif, "/m", 2)});
  CHECK(two - one >= queue_size(port(Kind::memif, "/m")).buffers * kBufferRoom);
  CHECK(memory_needed({port(Kind::memif, "/m"), port(Kind::memif, "/n")}) == two);
}

TEST_CASE("a memif socket left behind is removed, one in use and any other file are not") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/m.sock";
  REQUIRE(prepare_memif_server_socket(path));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  {
    const os::FileDescriptor server{socket(AF_UNIX, SOCK_SEQPACKET, 0)};
    REQUIRE(bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(server.get(), 1) == 0);
    CHECK_FALSE(prepare_memif_server_socket(path));
    CHECK(access(path.c_str(), F_OK) == 0);
  }
  CHECK(prepare_memif_server_socket(path));
  CHECK(access(path.c_str(), F_OK) != 0);

  std::ofstream{path} << "precious";
  CHECK_FALSE(prepare_memif_server_socket(path));
  CHECK(access(path.c_str(), F_OK) == 0);
  CHECK_FALSE(prepare_memif_server_socket(directory.path + "/missing/m.sock"));
  CHECK_FALSE(prepare_memif_server_socket(std::string(200, 'x')));
}
