// SPDX-License-Identifier: BSD-3-Clause
// hwtimestamp for kernel sockets: the interfaces whose hardware stamps packets, their clocks read now and
// then, and the stamps of packets told in CLOCK_REALTIME. Clocks are mapped to CLOCK_MONOTONIC_RAW, which
// nobody steers, so that neither steps nor slews of the system's clock reach the map. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clock/phc_map.hpp"
#include "control/config_sources.hpp"
#include "control/kernel_stamp.hpp"
#include "os/event_loop.hpp"
#include "os/log.hpp"
#include "os/ptp_clock.hpp"
#include "os/stamping.hpp"
#include "os/udp_socket.hpp"

namespace wiretime::control {

class HardwareStamps {
 public:
  static constexpr Nanoseconds kAskAgain = std::chrono::seconds{64};

  // `ask_again`: how often it is looked whether the interfaces still stamp.
  HardwareStamps(os::EventLoop& loop, os::Log& log, os::PtpSystem system = {},
                 Nanoseconds ask_again = kAskAgain)
      : loop_{loop}, log_{log}, system_{std::move(system)}, ask_again_{ask_again} {}
  HardwareStamps(const HardwareStamps&) = delete;
  HardwareStamps& operator=(const HardwareStamps&) = delete;
  ~HardwareStamps();

  // While there are still privileges, and before sockets are opened. An interface that cannot is a warning.
  void switch_on(const std::vector<HwTimestamp>& lines);
  [[nodiscard]] bool any() const { return !interfaces_.empty(); }
  // Whether what leaves there gets a hardware stamp, which may be later than the answer.
  [[nodiscard]] bool stamps_sends(unsigned interface_index);

  // The best that is known; the kernel's own time where the hardware says nothing credible. nullopt: nothing.
  [[nodiscard]] std::optional<KernelStamp> received(const os::Datagram& datagram);
  // nullopt: a hardware stamp that cannot be understood; the kernel's comes as another one.
  [[nodiscard]] std::optional<KernelStamp> sent(const os::TransmitStamp& stamp);

 private:
  struct Interface {
    std::string name;
    unsigned index;
    HwTimestamp config;
    os::PtpClock clock;
    os::StampFilter filter;
    clock::PhcMap map;
    double seconds_per_byte;  // on the wire; 0: not known
    Nanoseconds used{0};      // CLOCK_MONOTONIC of the last stamp
    Nanoseconds read_at{0};   // and of the last reading
    Nanoseconds asked_at{0};  // and of when it was had to stamp
    bool told = false;        // that another program switched it off
    os::EventLoop::TimerId timer = os::EventLoop::TimerId::none;
  };

  [[nodiscard]] Result<void> add(const std::string& name, const HwTimestamp& line);
  [[nodiscard]] Interface* find(unsigned index);
  void read(Interface& interface);
  void read_again(Interface& interface);
  void keep_on(Interface& interface);
  [[nodiscard]] std::optional<KernelStamp> told(Interface& interface, WallTime device, double correction);

  os::EventLoop& loop_;
  os::Log& log_;
  os::PtpSystem system_;
  const Nanoseconds ask_again_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
};

}  // namespace wiretime::control
