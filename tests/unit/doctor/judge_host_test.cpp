// SPDX-License-Identifier: BSD-3-Clause
// What is said of hosts made up for it.
#include "deploy/doctor/judge_host.hpp"

#include "catch.hpp"
#include "findings.hpp"

using namespace wiretime;
using namespace wiretime::doctor;

namespace {

using Kind = server::DataplaneConfig::Kind;

constexpr std::uint64_t kAllCapabilities = (std::uint64_t{1} << 41) - 1;

struct World {
  HostFacts host;
  control::Settings settings;
  bool configured = true;
  Build build{true, true, "22.11.11"};

  World() {
    host.root = true;
    host.capabilities = kAllCapabilities;
    host.kernel = "6.12.1";
    host.btf = true;
    host.bpf_jit = host.tun = true;
    host.cpus = {0, 1, 2, 3};
    host.isolated = host.nohz_full = {2, 3};
    host.clocksource = "tsc";
    host.constant_counter = true;
    host.hugepages = {{std::size_t{2} << 20, 512, 500}};
  }
  void port(Kind kind = Kind::af_xdp) {
    server::DataplaneConfig p;
    p.kind = kind;
    settings.dataplanes.push_back(p);
  }
  [[nodiscard]] Findings judge() const { return judge_host(host, {settings, configured}, build); }
  [[nodiscard]] Finding on(std::string_view topic) const { return only(judge(), topic); }
};

}  // namespace

TEST_CASE("a host made for it is all right") {
  World w;
  w.port();
  w.settings.worker_cpus = {2, 3};
  for (const Finding& f : w.judge()) {
    INFO(f.topic << ": " << f.what);
    CHECK(f.level == Level::ok);
    CHECK(f.next.empty());
  }
}

TEST_CASE("capabilities are a problem where the configuration needs them") {
  World w;
  w.host.capabilities &= ~(std::uint64_t{1} << 39);
  CHECK(w.on("privileges").level == Level::note);
  w.port();
  CHECK(w.on("privileges").level == Level::problem);
  CHECK(w.on("privileges").what == "root here lacks CAP_BPF, which dataplane lines need");
  w = {};
  w.host.capabilities &= ~(std::uint64_t{1} << 25);
  w.port();
  CHECK(w.on("privileges").level == Level::note);  // no sources: the clock is not ours to steer
  CHECK(w.on("privileges").next.empty());
  w.settings.manual = true;
  CHECK(w.on("privileges").level == Level::problem);
  CHECK(has(w.on("privileges").what, "CAP_SYS_TIME"));
  w.host.capabilities = 0;
  CHECK(about(w.judge(), "privileges").size() == 2);
  w.host.root = false;
  CHECK(has(w.on("privileges").next, "root"));
}

TEST_CASE("old kernels are said to be in the way of what they are in the way of") {
  World w;
  w.port();
  w.host.kernel = "5.4.0";
  CHECK(w.on("kernel").level == Level::problem);
  w.settings.dataplanes[0].kind = Kind::af_packet;
  CHECK(w.on("kernel").level == Level::note);
  w.host.kernel = "6.1.0-18-amd64";
  CHECK(has(w.on("kernel").next, "Linux 6.3"));
  w.host.kernel = "6.12";
  w.host.btf = false;
  CHECK(has(w.on("kernel").next, "BTF"));
}

TEST_CASE("interpreted BPF matters when there are ports") {
  World w;
  w.host.bpf_jit = false;
  CHECK(w.on("bpf").level == Level::note);
  w.port();
  CHECK(w.on("bpf").level == Level::warning);
  w.host.bpf_jit.reset();  // hidden, as in a container
  CHECK(about(w.judge(), "bpf").empty());
}

TEST_CASE("ports that this build cannot have are a problem") {
  World w;
  w.build = {};
  CHECK(w.on("build").level == Level::note);
  w.port(Kind::pci);
  CHECK(w.on("build").level == Level::problem);
  w.build = {true, true, "22.11.11", "cannot load the data plane: librte_eal.so.23; install it"};
  CHECK(w.on("build").level == Level::problem);
  CHECK(w.on("build").next == "install it");
  w.build = {true, false, "22.11.11"};
  CHECK(w.on("build").level == Level::note);
  w.settings.dataplanes[0].kind = Kind::af_xdp;
  CHECK(w.on("build").level == Level::problem);
}

TEST_CASE("ports of our own need tun for the kernel's interface, unless none is wanted") {
  World w;
  w.port();
  w.host.tun = false;
  CHECK(about(w.judge(), "tun").empty());
  w.settings.dataplanes[0].kind = Kind::pci;
  CHECK(w.on("tun").level == Level::warning);
  w.settings.dataplanes[0].kernel_interface = "wt0";
  CHECK(w.on("tun").level == Level::problem);
  w.settings.dataplanes[0].kernel_interface = "";
  CHECK(about(w.judge(), "tun").empty());
}

TEST_CASE("a counter that may stop, and a slow clock source, are warned of") {
  World w;
  w.port();
  w.host.constant_counter = false;
  w.host.virtual_machine = true;
  CHECK(w.on("counter").level == Level::warning);
  CHECK(has(w.on("counter").next, "hypervisor"));
  w.host.clocksource = "hpet";
  CHECK(w.on("clocksource").level == Level::warning);
  w.host.clocksource = "kvm-clock";
  CHECK(w.on("clocksource").level == Level::ok);
}

TEST_CASE("workers' CPUs are there, isolated, and alone on their core") {
  World w;
  w.port();
  CHECK(has(w.on("cpus").next, "workercpus 3"));
  w.settings.worker_cpus = {2, 9};
  CHECK(w.on("cpus").level == Level::problem);
  CHECK(has(w.on("cpus").what, "no CPU 9 here (online: 0-3)"));
  w.settings.worker_cpus = {1, 2};
  CHECK(w.on("cpus").level == Level::note);
  CHECK(has(w.on("cpus").what, "CPU 1 of workercpus is not isolated"));
  CHECK(has(w.on("cpus").next, "isolcpus=1-2"));
  w.settings.worker_idle = server::WorkerIdle::spin;
  CHECK(w.on("cpus").level == Level::warning);

  w.settings.worker_cpus = {2, 3};
  w.host.nohz_full = {2};
  CHECK(w.on("cpus").level == Level::note);
  CHECK(has(w.on("cpus").what, "the kernel's tick interrupts 3"));
  w.host.nohz_full = {2, 3};
  w.host.siblings = {{2, {2, 3}}, {3, {2, 3}}};
  const Findings shared = about(w.judge(), "cpus");
  REQUIRE(shared.size() == 2);  // once a pair
  CHECK(has(shared[1].what, "CPU 2 shares its core with CPU 3, also a worker's"));
  w.settings.worker_cpus = {2};
  CHECK(w.on("cpus").level == Level::ok);  // isolated, nobody's: idle
  w.host.siblings = {{2, {0, 2}}};
  CHECK(about(w.judge(), "cpus").size() == 2);
}

TEST_CASE("only the governors of the workers' CPUs count") {
  World w;
  w.port();
  w.settings.worker_cpus = {2, 3};
  w.host.governors = {{0, "powersave"}, {1, "powersave"}, {2, "performance"}, {3, "performance"}};
  CHECK(w.on("governor").level == Level::ok);
  w.host.governors[3] = "schedutil";
  CHECK(w.on("governor").level == Level::warning);
  CHECK(w.on("governor").next == "cpupower -c 3 frequency-set -g performance");
}

TEST_CASE("hugepages that are missing are a problem only when they must be there") {
  World w;
  w.port();
  w.host.hugepages = {{std::size_t{2} << 20, 20, 5}};
  const Finding few = w.on("hugepages");
  CHECK(few.level == Level::note);
  CHECK(has(few.what, "5 of 20 pages of 2 MiB free"));
  CHECK(few.next == "sysctl -w vm.nr_hugepages=37");  // 15 that others have, 43 MiB for us
  w.settings.hugepages = server::Hugepages::on;
  CHECK(w.on("hugepages").level == Level::problem);
  w.host.time_processes = {{5, "wiretimed"}};  // which has them
  CHECK(w.on("hugepages").level == Level::ok);
  w.host.time_processes.clear();
  w.settings.hugepages = server::Hugepages::off;
  CHECK(w.on("hugepages").level == Level::ok);
  w.port(Kind::pci);
  CHECK(w.on("hugepages").level == Level::warning);
  w.settings.hugepages = server::Hugepages::automatic;
  w.host.hugepages.clear();
  CHECK(has(w.on("hugepages").what, "this kernel has none"));
}

TEST_CASE("a limit on locked memory matters without the capability to pass it") {
  World w;
  w.port();
  w.host.locked_memory = 65'536;
  CHECK(w.on("memory lock").level == Level::ok);
  w.host.capabilities = 0;
  CHECK(w.on("memory lock").level == Level::warning);
  w.settings.dataplanes.clear();
  CHECK(w.on("memory lock").level == Level::note);
  w.host.root = false;
  CHECK(about(w.judge(), "memory lock").empty());
}

TEST_CASE("who holds the NTP port and who steers the clock is named, with what stops them") {
  World w;
  const auto judge = [&](const std::vector<PortHolder>& holders) {
    return judge_neighbours(w.host, holders, {w.settings, true});
  };
  CHECK(only(judge({}), "ntp port").level == Level::ok);
  CHECK(only(judge({{5, "wiretimed"}}), "ntp port").level == Level::ok);
  const Finding taken = only(judge({{812, "chronyd"}}), "ntp port");
  CHECK(taken.level == Level::problem);
  CHECK(taken.what == "chronyd (pid 812) has UDP port 123");
  CHECK(taken.next == "systemctl disable --now chrony");
  CHECK(has(only(judge({{0, "?"}}), "ntp port").next, "ss -ulpn"));
  w.host.time_processes = {{5, "wiretimed"}};
  CHECK(only(judge({{0, "?"}}), "ntp port").level == Level::note);
  w.settings.port = 0;
  CHECK(only(judge({{812, "chronyd"}}), "ntp port").level == Level::ok);

  w.host.time_processes = {{5, "wiretimed"}, {9, "chronyd", true, false}};
  CHECK(only(judge({}), "clock").level == Level::ok);
  w.host.time_processes.push_back({7, "systemd-timesyn"});
  CHECK(only(judge({}), "clock").level == Level::note);
  w.settings.manual = true;
  const Finding two = only(judge({}), "clock");
  CHECK(two.level == Level::warning);
  CHECK(has(two.next, "systemctl disable --now systemd-timesyncd"));
}
