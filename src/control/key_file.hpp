// SPDX-License-Identifier: BSD-3-Clause
// The key file: a line for each symmetric key, `ID [TYPE] KEY`, as chronyd reads it. At start and on chronyc
// rekey; control thread. Its secrets never appear in a message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "control/config.hpp"
#include "ntp/key.hpp"

namespace wiretime::control {

inline constexpr std::size_t kSafeKeyBits = 80;  // as chronyd: fewer are warned about where they are used

struct KeyFile {
  ntp::KeyTable keys;
  std::vector<Warning> warnings;  // of lines that gave no key
};

// KEY is ASCII:text, HEX:digits, or text; TYPE is one of ntp::key_type_names() in any case, MD5 if not given.
// A line that cannot be used costs that key only. `path`: for messages.
[[nodiscard]] KeyFile parse_key_file(std::string_view text, const std::string& path);

// Warns also of a file that others may read or write.
[[nodiscard]] Result<KeyFile> read_key_file(const std::string& path);

}  // namespace wiretime::control
