// SPDX-License-Identifier: BSD-3-Clause
#include "status/metrics_own.hpp"

#include <fmt/format.h>

#include <vector>

namespace wiretime::status {

namespace {

constexpr auto kGauge = MetricType::gauge;
constexpr auto kCounter = MetricType::counter;

void write_workers(Exposition& out, const std::vector<WorkerReport>& workers) {
  out.family("wiretime_packets_total", kCounter,
             "Received packets by how they ended: see the list of verdicts in the documentation.");
  for (const WorkerReport& w : workers) {
    const std::string number = fmt::format("{}", w.worker);
    for (std::size_t v = 0; v < kVerdictCount; ++v) {
      out.sample({{"port", w.port}, {"worker", number}, {"verdict", name(static_cast<Verdict>(v))}},
                 w.verdicts[v]);
    }
  }
}

void write_service(Exposition& out, const Report& report) {
  const ServiceReport service = report.service();
  out.family("wiretime_build_info", kGauge, "Version of this daemon, as a label.");
  out.sample({{"version", service.version}}, 1U);
  out.single("process_start_time_seconds", kGauge, "Unix time at which the daemon started.",
             unix_seconds(service.started));
  if (service.error_bound) {
    out.single("wiretime_clock_error_bound_seconds", kGauge,
               "Bound on the error of the time that workers serve now.", *service.error_bound);
  }
  const ClientLogUse log = report.client_log();
  out.single("wiretime_client_log_records", kGauge, "Clients in the client log.", log.records);
  out.single("wiretime_client_log_capacity_records", kGauge, "Clients that the client log has room for.",
             log.capacity);
  out.family("wiretime_port_info", kGauge,
             "Ports served, their transport and where their timestamps come from, as labels.");
  for (const PortReport& port : report.ports()) {
    out.sample({{"port", port.name}, {"transport", port.transport}, {"timestamp_rung", port.timestamp_rung}},
               1U);
  }
  out.family(
      "wiretime_xdp_frames_total", kCounter,
      "Frames the XDP program saw, by what became of them: redirected_* went to a worker, the stamped_* and "
      "unstamped ones among these by receive time, all others to the kernel.");
  for (const PortReport& port : report.ports())
    for (const SteeringCount& count : port.steering)
      out.sample({{"port", port.name}, {"reason", count.reason}}, count.frames);
}

void write_kernel_frames(Exposition& out, const std::vector<PortReport>& ports) {
  out.family("wiretime_kernel_frames_total", kCounter,
             "Frames between a port that the kernel does not own and the kernel's interface there, by what "
             "became of them: to_kernel and from_kernel arrived, all others were dropped.");
  for (const PortReport& port : ports)
    for (const SteeringCount& count : port.kernel_frames)
      out.sample({{"port", port.name}, {"reason", count.reason}}, count.frames);
}

void write_nic_clocks(Exposition& out, const std::vector<PortReport>& ports) {
  const auto per_clock = [&](std::string_view family, MetricType type, std::string_view help, auto&& value) {
    out.family(family, type, help);
    for (const PortReport& port : ports)
      if (port.nic_clock)
        if (const std::optional<double> v = value(*port.nic_clock)) out.sample({{"port", port.name}}, *v);
  };
  using Value = std::optional<double>;
  out.family("wiretime_nic_clock_info", kGauge,
             "Clocks of network cards, how they are read and whether they are kept on our time, as labels.");
  for (const PortReport& port : ports)
    if (const auto& c = port.nic_clock)
      out.sample({{"port", port.name}, {"method", c->method}, {"phc", name(c->role)}}, 1U);
  per_clock("wiretime_nic_clock_ready", kGauge, "1 while the card's timestamps can be told in time.",
            [](const clock::NicStatus& c) { return Value{c.ready ? 1 : 0}; });
  per_clock("wiretime_nic_clock_error_bound_seconds", kGauge,
            "Bound on the error of the card's timestamps against the CPU's counter.",
            [](const clock::NicStatus& c) { return c.ready ? Value{c.error_bound} : Value{}; });
  per_clock("wiretime_nic_clock_offset_seconds", kGauge,
            "By which a clock that is kept on our time is ahead of it.",
            [](const clock::NicStatus& c) { return c.offset; });
  per_clock("wiretime_nic_clock_correction_ppm", kGauge, "What its frequency is corrected by, in ppm.",
            [](const clock::NicStatus& c) {
              return c.role != clock::NicRole::free ? Value{c.correction * 1e6} : Value{};
            });
  per_clock("wiretime_nic_clock_locked", kGauge, "1 while a clock that is kept on our time is there.",
            [](const clock::NicStatus& c) {
              return c.role != clock::NicRole::free ? Value{c.locked ? 1 : 0} : Value{};
            });
  per_clock("wiretime_nic_clock_steps_total", kCounter, "Times that it was set by us.",
            [](const clock::NicStatus& c) { return Value{static_cast<double>(c.steps)}; });
  out.family("wiretime_nic_clock_readings_total", kCounter,
             "Readings of the card's clock, by what they turned out to be.");
  for (const PortReport& port : ports)
    for (std::size_t e = 0; port.nic_clock && e < clock::kNicEvents; ++e)
      out.sample({{"port", port.name}, {"event", name(static_cast<clock::NicEvent>(e))}},
                 port.nic_clock->events[e]);
}

void write_transmits(Exposition& out, const std::vector<PortReport>& ports) {
  out.family("wiretime_transmit_rung", kGauge,
             "1 for what the port's transmit timestamps are now: launch, predicted or plain.");
  for (const PortReport& port : ports)
    for (const clock::TransmitRung rung : clock::kTransmitRungs)
      if (port.transmit)
        out.sample({{"port", port.name}, {"rung", name(rung)}}, port.transmit->rung == rung ? 1U : 0U);
  const auto seconds = [&](std::string_view family, std::string_view help, auto field) {
    out.family(family, kGauge, help);
    for (const PortReport& port : ports)
      if (port.transmit && port.transmit.value().*field)
        out.sample({{"port", port.name}}, *(port.transmit.value().*field));
  };
  seconds("wiretime_transmit_latency_seconds",
          "From the write of a reply to its first bit on the wire, by the card's timestamps.",
          &clock::TransmitStatus::latency);
  seconds("wiretime_transmit_spread_seconds",
          "Three in four of the replies sampled left closer than that to what was predicted.",
          &clock::TransmitStatus::spread);
  out.family("wiretime_transmit_events_total", kCounter,
             "Bursts launched and late; replies whose transmit timestamp the card was asked for, by what it "
             "said; those of them that an interleaved client is told of.");
  for (const PortReport& port : ports)
    for (std::size_t e = 0; port.transmit && e < clock::kTransmitEvents; ++e)
      out.sample({{"port", port.name}, {"event", name(static_cast<clock::TransmitEvent>(e))}},
                 port.transmit->events[e]);
}

void write_receive_rungs(Exposition& out, const std::vector<PortReport>& ports) {
  using clock::ReceiveRung;
  out.family("wiretime_receive_rung", kGauge,
             "1 for where the port's receive timestamps come from now, 0 for what else it could have.");
  for (const PortReport& port : ports) {
    if (!port.receive) continue;
    const auto sample = [&](ReceiveRung rung) {
      out.sample({{"port", port.name}, {"rung", name(rung)}}, port.receive->rung == rung ? 1U : 0U);
    };
    if (port.receive->offers_hardware) sample(ReceiveRung::hardware);
    if (port.receive->offers_xdp_program) sample(ReceiveRung::xdp_program);
    sample(ReceiveRung::tsc);
  }
  out.family("wiretime_receive_rung_changes_total", kCounter, "Steps down and back up among these.");
  for (const PortReport& port : ports)
    if (port.receive) out.sample({{"port", port.name}}, port.receive->changes);
  out.family("wiretime_receive_stamps_total", kCounter,
             "Received frames by what the timestamp of a rung was worth: good and repaired ones are used.");
  for (const PortReport& port : ports) {
    const auto counts = [&](ReceiveRung rung, const clock::StampCounts& stamps) {
      for (std::size_t v = 0; v < stamps.size(); ++v)
        out.sample({{"port", port.name},
                    {"rung", name(rung)},
                    {"verdict", name(static_cast<clock::StampVerdict>(v))}},
                   stamps[v]);
    };
    if (port.receive && port.receive->offers_hardware) counts(ReceiveRung::hardware, port.receive->hardware);
    if (port.receive && port.receive->offers_xdp_program)
      counts(ReceiveRung::xdp_program, port.receive->xdp_program);
  }
}

}  // namespace

void write_own_families(Exposition& out, const Report& report) {
  write_service(out, report);
  const auto ports = report.ports();
  write_nic_clocks(out, ports);
  write_receive_rungs(out, ports);
  write_transmits(out, ports);
  write_kernel_frames(out, ports);
  write_workers(out, report.workers());
}

}  // namespace wiretime::status
