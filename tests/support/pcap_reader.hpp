// SPDX-License-Identifier: BSD-3-Clause
// Reads classic pcap files (tests/golden/*.pcap: little-endian, microseconds, Ethernet) for unit tests.
// GOLDEN_DIR, set by tests/unit/meson.build, is where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace wiretime::testing {

struct PcapFrame {
  std::int64_t microseconds;  // since 1970
  std::vector<std::byte> bytes;
};

// Every frame of the file, in order. Throws std::runtime_error with the path when it is not what we write.
[[nodiscard]] inline std::vector<PcapFrame> read_pcap(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto u32 = [&file](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(file[at + i]);
    return value;
  };
  constexpr std::size_t kFileHeader = 24, kRecordHeader = 16;
  constexpr std::uint32_t kMagic = 0xa1b2c3d4, kEthernet = 1;
  if (file.size() < kFileHeader || u32(0) != kMagic || u32(20) != kEthernet) {
    throw std::runtime_error(path + ": not a little-endian Ethernet pcap file");
  }
  std::vector<PcapFrame> frames;
  for (std::size_t at = kFileHeader; at < file.size();) {
    if (file.size() - at < kRecordHeader || file.size() - at - kRecordHeader < u32(at + 8)) {
      throw std::runtime_error(path + ": truncated record");
    }
    const std::size_t length = u32(at + 8);
    PcapFrame frame{std::int64_t{u32(at)} * 1'000'000 + u32(at + 4), std::vector<std::byte>(length)};
    std::memcpy(frame.bytes.data(), file.data() + at + kRecordHeader, length);
    frames.push_back(std::move(frame));
    at += kRecordHeader + length;
  }
  return frames;
}

#ifdef GOLDEN_DIR
// read_golden("chronyd-v4"): tests/golden/chronyd-v4.pcap
[[nodiscard]] inline std::vector<PcapFrame> read_golden(const std::string& name) {
  return read_pcap(std::string(GOLDEN_DIR "/") + name + ".pcap");
}
#endif

}  // namespace wiretime::testing
