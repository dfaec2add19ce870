// SPDX-License-Identifier: BSD-3-Clause
// Precompiled when the build asks for it (-Dprecompile=true, as deploy/check does): what most files include
// anyway. Never included by a file: each says itself what it needs, and builds without this one show it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>
