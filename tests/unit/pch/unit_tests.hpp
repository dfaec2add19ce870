// SPDX-License-Identifier: BSD-3-Clause
// What src/pch/standard.hpp is to src/, for the unit tests.
#include <random>

#include "catch.hpp"
#include "pch/standard.hpp"
