// SPDX-License-Identifier: BSD-3-Clause
#include "features.hpp"

#include <string_view>

#include "control/version.hpp"

namespace wiretime {

namespace {

#ifdef WIRETIME_DPDK
#define WIRETIME_DPDK_FEATURE "+DPDK"
#else
#define WIRETIME_DPDK_FEATURE "-DPDK"
#endif
// Steering serves the DPDK data plane only.
#if defined(WIRETIME_DPDK) && defined(WIRETIME_BPF)
#define WIRETIME_XDP_FEATURE "+XDP"
#else
#define WIRETIME_XDP_FEATURE "-XDP"
#endif

constexpr std::string_view kFeatures =
    "(+CMDMON +NTP +REFCLOCK -RTC +PRIVDROP -SCFILTER -SIGND +ASYNCDNS -NTS +SECHASH "
    "+IPV6 " WIRETIME_DPDK_FEATURE " " WIRETIME_XDP_FEATURE " -DEBUG)";

std::string with_features(std::string_view before, std::string_view after) {
  std::string text{before};
  text += control::version();
  text += after;
  text += kFeatures;
  return text;
}

}  // namespace

std::string version_text() {
  return with_features("wiretimed (wiretime) version ", " ");
}

std::string start_text() {
  return with_features("wiretimed version ", " starting ");
}

}  // namespace wiretime
