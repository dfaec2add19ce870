// SPDX-License-Identifier: BSD-3-Clause
// What is read of a host, from a directory made to look like its root.
#include "deploy/doctor/host_facts.hpp"

#include "catch.hpp"
#include "fake_root.hpp"

using namespace wiretime::doctor;
using namespace std::string_literals;

namespace {

using Cpus = std::vector<unsigned>;

constexpr const char* kUdp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n"
    "  12: 00000000:007B 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2\n"
    "  13: 0100007F:0143 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2\n";

}  // namespace

TEST_CASE("an empty host has nothing, and that is no error") {
  const FakeRoot none;
  const HostFacts facts = read_host_facts(none.root);
  CHECK_FALSE(facts.root);
  CHECK(facts.cpus.empty());
  CHECK(facts.hugepages.empty());
  CHECK_FALSE(facts.bpf_jit);
  CHECK_FALSE(facts.locked_memory);
  CHECK_FALSE(facts.kernel_at_least(1, 0));
  CHECK_FALSE(facts.tun);
  CHECK(udp_port_holders(123, none.root).empty());
}

TEST_CASE("privileges are those in effect") {
  const FakeRoot host;
  host.file("proc/self/status", "Name:\tx\nUid:\t1000\t0\t1000\t0\nCapEff:\t000001fffeffffff\n");
  host.file("proc/self/limits",
            "Limit                     Soft Limit           Hard Limit           Units     \n"
            "Max locked memory         8388608              8388608              bytes     \n");
  const HostFacts facts = read_host_facts(host.root);
  CHECK(facts.root);
  CHECK(facts.capabilities == 0x1FFFEFFFFFF);
  CHECK(facts.locked_memory == 8'388'608U);
  host.file("proc/self/status", "Uid:\t0\t1000\t0\t0\n");
  host.file("proc/self/limits",
            "Max locked memory         unlimited            unlimited            bytes\n");
  CHECK_FALSE(read_host_facts(host.root).root);
  CHECK_FALSE(read_host_facts(host.root).locked_memory);
}

TEST_CASE("kernel versions are compared by number") {
  HostFacts facts;
  facts.kernel = "6.10.3-amd64";
  CHECK(facts.kernel_at_least(6, 3));
  CHECK(facts.kernel_at_least(5, 19));
  CHECK(facts.kernel_at_least(6, 10));
  CHECK_FALSE(facts.kernel_at_least(6, 11));
  CHECK_FALSE(facts.kernel_at_least(7, 0));
}

TEST_CASE("CPUs, their governors, cores and nodes are read, online or not isolated") {
  const FakeRoot host;
  const std::string cpu = "sys/devices/system/cpu/";
  host.file(cpu + "online", "0-3\n");
  host.file(cpu + "isolated", "2-3\n");
  host.file(cpu + "nohz_full", "(null)\n");
  host.file(cpu + "cpu2/cpufreq/scaling_governor", "powersave\n");
  host.file(cpu + "cpu2/topology/thread_siblings_list", "0,2\n");
  host.file(cpu + "cpu2/node1/cpulist", "2\n");
  host.file(cpu + "cpufreq/boost", "1\n");  // not of a CPU
  const HostFacts facts = read_host_facts(host.root);
  CHECK(facts.cpus == Cpus{0, 1, 2, 3});
  CHECK(facts.isolated == Cpus{2, 3});
  CHECK(facts.nohz_full.empty());
  CHECK(facts.governors == std::map<unsigned, std::string>{{2, "powersave"}});
  CHECK(facts.siblings.at(2) == Cpus{0, 2});
  CHECK(facts.nodes.at(2) == 1);
}

TEST_CASE("hugepages are counted by size and by NUMA node") {
  const FakeRoot host;
  host.file("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "64\n");
  host.file("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "40\n");
  host.file("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "1\n");
  host.file("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
  host.file("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "8\n");
  host.file("sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "32\n");
  host.file("sys/devices/system/node/possible", "0-1\n");
  const HostFacts facts = read_host_facts(host.root);
  REQUIRE(facts.hugepages.size() == 2);
  CHECK(facts.free_hugepage_bytes() == (std::size_t{40} << 21) + (std::size_t{1} << 30));
  const HugepagePool& small = facts.hugepages[1];
  CHECK(small.total == 64);
  CHECK(small.free_on_node == std::map<int, std::size_t>{{0, 8}, {1, 32}});
}

TEST_CASE("an even counter is what the CPU says of itself, or an architecture that has no other") {
  const FakeRoot host;
  host.file("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu constant_tsc nonstop_tsc hypervisor\n");
  CHECK(read_host_facts(host.root).constant_counter);
  CHECK(read_host_facts(host.root).virtual_machine);
  host.file("proc/cpuinfo", "flags\t\t: fpu constant_tsc xnonstop_tsc\n");
  CHECK_FALSE(read_host_facts(host.root).constant_counter);
  host.file("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd evtstrm\n");
  CHECK(read_host_facts(host.root).constant_counter);
}

TEST_CASE("time daemons are known by name; -x and another network namespace are told apart") {
  const FakeRoot host;
  host.link("proc/self/ns/net", "net:[1]");
  host.process(7, "chronyd", "/usr/sbin/chronyd\0-F\0001\0"s);
  host.process(8, "chronyd", "/usr/sbin/chronyd\0-dx\0"s, "net:[2]");
  host.process(9, "systemd-timesyn", "/lib/systemd/systemd-timesyncd\0"s);
  host.process(10, "bash", "bash\0-x\0"s);
  const auto found = read_host_facts(host.root).time_processes;
  REQUIRE(found.size() == 3);
  CHECK(found[0] == TimeProcess{7, "chronyd", false, false});
  CHECK(found[1] == TimeProcess{8, "chronyd", true, true});
  CHECK(found[2] == TimeProcess{9, "systemd-timesyn", false, false});
}

TEST_CASE("who has a UDP port is found by the socket, in both families") {
  const FakeRoot host;
  host.file("proc/net/udp", kUdp);
  host.process(20, "ntpd", "");
  host.process(21, "other", "");
  host.link("proc/20/fd/3", "socket:[4711]");
  host.link("proc/21/fd/3", "socket:[4712]");
  const auto ntp = udp_port_holders(123, host.root);
  REQUIRE(ntp.size() == 1);
  CHECK(ntp[0].pid == 20);
  CHECK(ntp[0].name == "ntpd");
  CHECK(udp_port_holders(323, host.root)[0].name == "other");
  CHECK(udp_port_holders(124, host.root).empty());

  host.file(
      "proc/net/udp6",
      "  1: 00000000000000000000000000000000:007C 0:0 07 0:0 00:0 0 0 0 99 2\nnonsense\n 2: nothing 0\n");
  const auto hidden = udp_port_holders(124, host.root);
  REQUIRE(hidden.size() == 1);
  CHECK(hidden[0].pid == 0);
}
