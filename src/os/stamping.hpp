// SPDX-License-Identifier: BSD-3-Clause
// Hardware timestamps of the kernel's network interfaces: what one can do, and having it do it
// (Documentation/networking/timestamping.rst). Start-up.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "os/ptp_clock.hpp"

namespace wiretime::os {

// Which received packets the hardware stamps.
enum class StampFilter : std::uint8_t { none, ptp, ntp, all };

struct StampAbility {
  bool transmit = false;
  bool receive_ptp = false;
  bool receive_ntp = false;
  bool receive_all = false;
  bool clock = false;  // it has a PTP clock, without which stamps cannot be understood

  // The narrowest that NTP packets pass.
  [[nodiscard]] StampFilter best_filter() const {
    return receive_ntp ? StampFilter::ntp : receive_all ? StampFilter::all : StampFilter::none;
  }
};

[[nodiscard]] Result<StampAbility> stamp_ability(const std::string& interface,
                                                 const Ioctl& ioctl = system_ioctl());
// Stamps for what programs ask for on the way out, and for what `filter` lets pass on the way in. Stays after
// the end of the process, as it would be for others.
[[nodiscard]] Result<void> switch_on_stamps(const std::string& interface, StampFilter filter,
                                            const Ioctl& ioctl = system_ioctl());
// The same again where another program has switched some of it off since. True: it had. Where the driver does
// not tell nothing is done.
[[nodiscard]] Result<bool> keep_stamps_on(const std::string& interface, StampFilter filter,
                                          const Ioctl& ioctl = system_ioctl());
// Has the hardware stamp the NTP packets it receives, if it does not already; the packets that others have it
// stamp (ptp4l's) stay stamped. True: it did not. Error: why it does not stamp them.
[[nodiscard]] Result<bool> have_requests_stamped(const std::string& interface,
                                                 const Ioctl& ioctl = system_ioctl());

}  // namespace wiretime::os
