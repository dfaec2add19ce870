// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a key file: each line gives a key that works or one printable warning.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "control/key_file.hpp"
#include "require.hpp"

using namespace wiretime;
using namespace wiretime::control;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  const KeyFile file = parse_key_file(text, "fuzz");
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  require(file.keys.size() + file.warnings.size() <= lines);
  require(file.keys.find(0) == nullptr);
  for (const Warning& warning : file.warnings) {
    const std::string line = warning.to_string();
    require(line.find("expected ") != std::string::npos && line.find("found ") != std::string::npos);
    for (const char c : line) require(static_cast<unsigned char>(c) >= 0x20);
  }
  // Small numbers are those that a fuzzer comes by.
  for (std::uint32_t id = 1; id < 100; ++id) {
    const ntp::Key* const key = file.keys.find(id);
    if (key == nullptr) continue;
    require(key->id() == id && key->secret_bits() > 0);
    std::vector<std::byte> digest(key->digest_length());
    key->compute({}, digest);
  }
  return 0;
}
