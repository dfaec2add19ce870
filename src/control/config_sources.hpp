// SPDX-License-Identifier: BSD-3-Clause
// Where time comes from, as the configuration describes it: server, pool and peer lines, refclock lines,
// hwtimestamp lines. Plain values with chrony's defaults; read by the control thread at start and on reload.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/ip_address.hpp"

namespace wiretime::control {

using Seconds = std::chrono::duration<double>;

// How a source takes part in the selection.
struct SelectOptions {
  bool prefer = false;
  bool noselect = false;
  bool trust = false;
  bool require = false;

  friend bool operator==(const SelectOptions&, const SelectOptions&) = default;
};

struct NtpSource {
  enum class Kind : std::uint8_t { server, pool, peer };

  Kind kind = Kind::server;
  std::string name;                     // host name or numeric address, perhaps with %interface
  Family family = Family::unspecified;  // addresses to take when the name is resolved
  std::uint16_t port = 123;
  std::optional<std::uint8_t> version;  // 1..4; not given: 4, or 3 with a key that version 4 cannot carry

  int min_poll = 6;   // log2 seconds, -7..24, never above max_poll
  int max_poll = 10;  // log2 seconds
  unsigned poll_target = 8;
  std::optional<int> presend_min_poll;  // shortest poll that gets an extra packet first
  bool iburst = false;
  bool burst = false;
  bool offline = false;
  bool auto_offline = false;
  unsigned max_unreach = 100'000;

  bool xleave = false;
  bool copy = false;                // serve with this source's refid and stratum
  bool ext_mono_root = false;       // extfield F323
  bool ext_net_correction = false;  // extfield F324

  std::uint32_t key_id = 0;  // 0: no symmetric key
  bool nts = false;
  std::uint16_t nts_port = 4460;
  std::uint32_t cert_set = 0;

  SelectOptions select;
  unsigned min_stratum = 0;
  unsigned max_sources = 4;  // pool only, 1..16

  Seconds max_delay{3.0};
  double max_delay_ratio = 0.0;  // 0: test is off
  double max_delay_dev_ratio = 10.0;
  double max_delay_quant = 0.0;  // 0: test is off
  Seconds min_delay{0.0};
  std::optional<double> asymmetry;  // -0.5..0.5; not given: estimated
  Seconds offset{0.0};
  std::optional<unsigned> min_samples;  // not given: Settings::min_samples
  std::optional<unsigned> max_samples;
  unsigned filter_length = 0;  // 0: no filter

  friend bool operator==(const NtpSource&, const NtpSource&) = default;
};

struct Refclock {
  enum class Driver : std::uint8_t { pps, shm, sock, phc, rtc };

  Driver driver = Driver::pps;
  std::string parameter;  // device, socket path, segment number or (PHC) interface name
  // what follows the parameter after colons
  bool clear = false;           // PPS, PHC: falling edge
  bool nocrossts = false;       // PHC
  bool extpps = false;          // PHC
  int pin = 0;                  // PHC; -1: the pin's function is fixed
  unsigned channel = 0;         // PHC
  unsigned permissions = 0600;  // SHM
  bool utc = false;             // RTC

  int poll = 4;         // log2 seconds
  int driver_poll = 0;  // log2 seconds
  std::string refid;    // up to 4 characters; empty: made from the driver's name
  std::string lock;     // refid of the source that completes PPS samples
  unsigned rate = 0;    // pulses a second; 0: 1
  unsigned max_lock_age = 2;
  Seconds width{0.0};
  bool pps = false;
  Seconds offset{0.0};
  Seconds delay{1e-9};
  unsigned stratum = 0;
  std::optional<Seconds> precision;  // not given: the driver's
  Seconds max_dispersion{0.0};       // 0: no limit
  unsigned filter_length = 64;
  bool tai = false;
  bool local = false;
  std::optional<unsigned> min_samples;
  std::optional<unsigned> max_samples;
  unsigned max_unreach = 100'000;
  SelectOptions select;

  friend bool operator==(const Refclock&, const Refclock&) = default;
};

struct HwTimestamp {
  enum class RxFilter : std::uint8_t { automatic, all, ntp, ptp, none };

  std::string interface;  // or PCI address; "*": every interface that can
  int min_poll = 0;       // log2 seconds between readings of the NIC clock, at least -6
  int max_poll = 1;
  unsigned min_samples = 2;
  unsigned max_samples = 16;
  Seconds precision{100e-9};
  Seconds tx_compensation{0.0};  // added to transmit timestamps
  Seconds rx_compensation{0.0};  // subtracted from receive timestamps
  bool nocrossts = false;
  RxFilter rx_filter = RxFilter::automatic;
  // Data-plane ports have defaults of their own.
  bool polls_given = false;
  bool samples_given = false;
  bool precision_given = false;

  friend bool operator==(const HwTimestamp&, const HwTimestamp&) = default;
};

}  // namespace wiretime::control
