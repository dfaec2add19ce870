// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/devargs.hpp"

#include <fmt/format.h>

#include <string_view>

namespace wiretime::dpdk {

namespace {

using Config = server::DataplaneConfig;
using Kind = server::DataplaneConfig::Kind;

std::string_view before_comma(std::string_view text) {
  return text.substr(0, text.find(','));
}

}  // namespace

unsigned device_count(const Config& config) {
  return config.kind == Kind::af_xdp ? config.queues : 1;
}

std::string device_name(const Config& config, unsigned number, unsigned index) {
  switch (config.kind) {
    case Kind::pci:
      return config.device;
    case Kind::vdev:
      return std::string{before_comma(config.device)};
    case Kind::af_xdp:
      return fmt::format("net_af_xdp{}q{}", number, index);
    default:
      return fmt::format("net_{}{}", server::name(config.kind), number);
  }
}

std::string device_arguments(const Config& config, unsigned number, unsigned index, bool copy_mode) {
  const std::string name = device_name(config, number, index);
  switch (config.kind) {
    case Kind::af_xdp:
      // No xdp_prog: our own program is attached already and libxdp adopts it. busy_budget=0: otherwise every
      // empty poll is a system call.
      return fmt::format("{},iface={},start_queue={},queue_count=1,busy_budget=0{}", name, config.device,
                         index, copy_mode ? ",force_copy=1" : "");
    case Kind::af_packet:
      // The driver puts back the tag that the kernel took off, but always as 802.1Q: an outer 802.1ad tag
      // comes and goes as 0x8100.
      return fmt::format("{},iface={},qpairs={},blocksz=16384,framesz=2048,framecnt=2048,qdisc_bypass=1",
                         name, config.device, config.queues);
    case Kind::memif:
      // id is the interface number within one socket: both sides say 0.
      return fmt::format("{},role={},id=0,socket={},socket-abstract=no,rsize=11", name,
                         config.memif_role == Config::MemifRole::server ? "server" : "client", config.device);
    case Kind::pci:
    case Kind::vdev:
      break;
  }
  return config.device;
}

std::optional<std::string> driver_file(const Config& config) {
  if (config.kind == Kind::pci) return std::nullopt;
  std::string name{server::name(config.kind)};
  if (config.kind == Kind::vdev) {
    name = before_comma(config.device);
    while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  } else {
    name.insert(0, "net_");
  }
  if (name.compare(0, 4, "net_") != 0) return std::nullopt;
  if (name == "net_virtio_user") name = "net_virtio";
  return fmt::format("librte_{}.so", name);
}

QueueSize queue_size(const Config& config) {
  // af_xdp: 2048 in the fill ring, and up to 2048 each in flight in the transmit and completion rings.
  if (config.kind == Kind::af_xdp) return {2048, 8191};
  return {1024, 4095};
}

std::size_t memory_needed(const std::vector<Config>& ports) {
  constexpr std::size_t kPerBuffer =
      kBufferRoom + 128 + 128;                              // the mbuf and the pool's own header, rounded up
  constexpr std::size_t kOwnNeeds = std::size_t{24} << 20;  // rings, ethdev and bus data
  std::size_t bytes = kOwnNeeds;
  for (const Config& port : ports) bytes += port.queues * queue_size(port).buffers * kPerBuffer;
  return bytes;
}

std::string line_start(const Config& config) {
  return fmt::format("dataplane {} {}", server::name(config.kind), config.device);
}

std::string describe(const Config& config) {
  const std::string& where = config.origin.where;
  return (where.empty() ? "" : where + ": ") + line_start(config);
}

}  // namespace wiretime::dpdk
