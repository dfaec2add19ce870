// SPDX-License-Identifier: BSD-3-Clause
#include "ebpf/libbpf_log.hpp"

#include <bpf/libbpf.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace wiretime {
namespace {

// libbpf's callback has no argument for us: this is the one place it can leave the text.
thread_local std::string last_warning;  // NOLINT
thread_local libbpf_print_fn_t previous_print = nullptr;

__attribute__((format(printf, 2, 0))) int remember(libbpf_print_level level, const char* format,
                                                   va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 1024> buffer{};
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  std::string_view text{buffer.data()};
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (const auto line = text.rfind('\n'); line != std::string_view::npos) text.remove_prefix(line + 1);
  constexpr std::string_view kPrefix = "libbpf: ";
  if (text.substr(0, kPrefix.size()) == kPrefix) text.remove_prefix(kPrefix.size());
  if (!text.empty()) last_warning = text;
  return 0;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  last_warning.clear();
  previous_print = libbpf_set_print(remember);
}

LibbpfLog::~LibbpfLog() {
  libbpf_set_print(previous_print);
}

const std::string& LibbpfLog::last_line() {
  return last_warning;
}

}  // namespace wiretime
