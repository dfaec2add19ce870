// SPDX-License-Identifier: BSD-3-Clause
// What must hold whatever the bytes: the fuzzer reports the input for which it does not.
#pragma once

#include <cstdlib>

inline void require(bool truth) {
  if (!truth) std::abort();
}
