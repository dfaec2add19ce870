// SPDX-License-Identifier: BSD-3-Clause
#include "rungs/simulated_port.hpp"

#include <rte_mbuf_dyn.h>

#include <algorithm>

#include "ebpf/steer.h"

namespace wiretime::dpdk::test {

namespace {

constexpr std::uint32_t kPreamble = 8, kChecksum = 4, kGap = 12;  // bytes that a frame has on the wire only
constexpr std::size_t kReplyMessage = 42;                         // offset in an untagged IPv4 frame
constexpr double kPollPeriod = 20e-9;                             // s, of an idle worker
constexpr std::size_t kReceiveRing = 128;
constexpr double kRefill = 10e-6;      // s
constexpr double kSlotTimeout = 5e-3;  // s, after which the NIC gives a lost stamp's place to another

void mark_by_nic(rte_mbuf* m, const NicStamps& field, std::uint64_t stamp) {
  std::memcpy(reinterpret_cast<std::byte*>(m) + field.field, &stamp, sizeof stamp);
  m->ol_flags |= field.flag;
}

void mark_by_program(rte_mbuf* m, double when) {
  const auto tai = wall_at(when) + std::chrono::seconds{kTaiOffset};
  const auto ns = static_cast<std::uint64_t>(tai.time_since_epoch().count());
  const steer_metadata metadata{STEER_MAGIC, STEER_CLOCK_TAI, ns, 0};
  std::memcpy(rte_pktmbuf_mtod(m, std::byte*) - sizeof metadata, &metadata, sizeof metadata);
}

}  // namespace

SimulatedPort::SimulatedPort(RingPort& port, Processor& cpu, wiretime::test::SimulatedNic& nic,
                             const LinkConfig& config)
    : port_{port}, cpu_{cpu}, nic_{nic}, config_{config}, random_{config.seed} {
  REQUIRE(rte_mbuf_dyn_rx_timestamp_register(&receive_stamps_.field, &receive_stamps_.flag) == 0);
  REQUIRE(rte_mbuf_dyn_tx_timestamp_register(&launch_.field, &launch_.flag) == 0);
  callback_ = rte_eth_add_tx_callback(port.id(), 0, on_transmit, this);
  REQUIRE(callback_ != nullptr);
}

SimulatedPort::~SimulatedPort() {
  for (const Waiting& w : waiting_) rte_pktmbuf_free(w.frame);
  rte_eth_remove_tx_callback(port_.id(), 0, callback_);
}

double SimulatedPort::on_wire(std::uint32_t length) const {
  return (kPreamble + length + kChecksum + kGap) * 8 / config_.speed;
}

double SimulatedPort::jitter(double mean) {
  return mean > 0 ? std::exponential_distribution<double>{1 / mean}(random_) : 0;
}

void SimulatedPort::arrive(FrameMark mark) {
  const auto [id, bytes] = source_();
  const auto length = static_cast<std::uint32_t>(bytes->size());
  Arrival a;
  a.id = id;
  a.stamp = nic_.value_at(next_);
  if (spoil) a.stamp = spoil(a.stamp);
  a.end = next_ + (length + kChecksum) * 8 / config_.speed;
  const double earlier = waiting_.empty() ? 0 : waiting_.back().arrival.visible;  // frames keep their order
  a.visible = a.end + config_.receive_latency + jitter(config_.receive_jitter);
  rte_mbuf* m = port_.allocate(*bytes);
  if (mark == FrameMark::nic) mark_by_nic(m, receive_stamps_, a.stamp);
  if (config_.through_kernel) {
    a.visible += config_.program_latency + jitter(config_.program_jitter);
    if (mark == FrameMark::program) mark_by_program(m, a.visible);
    a.visible += std::uniform_real_distribution<double>{0, config_.batch}(random_);
  }
  a.visible = std::max(a.visible, earlier);
  waiting_.push_back({a, m});
  next_ += on_wire(length) + jitter(on_wire(length) * (1 / config_.load - 1));
}

std::vector<Arrival> SimulatedPort::poll(FrameMark mark) {
  if (waiting_.empty() && source_) arrive(mark);
  std::vector<Arrival> polled;
  if (waiting_.empty()) return polled;
  const double idle = std::uniform_real_distribution<double>{0, kPollPeriod}(random_);
  cpu_.now = std::max(cpu_.now, waiting_.front().arrival.visible + idle);
  while (source_ && next_ < cpu_.now && waiting_.size() < kReceiveRing) arrive(mark);
  next_ = std::max(next_, cpu_.now - kRefill);  // what came while the ring was full is lost
  while (!waiting_.empty() && waiting_.front().arrival.visible <= cpu_.now &&
         polled.size() < server::kBurstSize) {
    port_.give(waiting_.front().frame);
    polled.push_back(waiting_.front().arrival);
    waiting_.pop_front();
  }
  return polled;
}

std::uint16_t SimulatedPort::on_transmit(std::uint16_t, std::uint16_t, rte_mbuf** frames, std::uint16_t count,
                                         void* self) {
  auto& port = *static_cast<SimulatedPort*>(self);
  const double fetched =
      port.cpu_.now + port.config_.transmit_latency + port.jitter(port.config_.transmit_jitter);
  port.last_ready_ = std::max(port.last_ready_, fetched);
  for (std::uint16_t i = 0; i < count; ++i) port.transmit(frames[i], port.last_ready_);
  return count;
}

void SimulatedPort::transmit(rte_mbuf* m, double ready) {
  double begins = std::max(ready, wire_free_) + kPreamble * 8 / config_.speed;
  if ((m->ol_flags & launch_.flag) != 0) {
    std::uint64_t launch = 0;
    std::memcpy(&launch, reinterpret_cast<const std::byte*>(m) + launch_.field, sizeof launch);
    const std::uint64_t steps = (launch + config_.launch_step - 1) / config_.launch_step;
    const double when = nic_.when(steps * config_.launch_step);
    ++launched_;
    if (when < ready) ++late_;
    begins = std::max(begins, when);
  }
  wire_free_ = begins - kPreamble * 8 / config_.speed + on_wire(m->pkt_len);
  Departure d;
  d.at = begins;
  if (slot_ && slot_->lost && begins > slot_->ready + kSlotTimeout) slot_.reset();
  if ((m->ol_flags & RTE_MBUF_F_TX_IEEE1588_TMST) != 0 && !slot_ && !mute) {
    d.stamp = ++stamps_;
    const bool lost = std::uniform_real_distribution<double>{}(random_) < config_.stamp_loss;
    slot_ = Slot{d.stamp, nic_.value_at(begins), begins + config_.stamp_latency, lost};
  }
  if (rte_pktmbuf_data_len(m) >= kReplyMessage + ntp::kHeaderLength) {
    const std::byte* message = rte_pktmbuf_mtod(m, const std::byte*) + kReplyMessage;
    d.origin = load_be64(message + ntp::offset::kOrigin);
    d.receive = ntp::timestamp(message, ntp::offset::kReceive);
    d.transmit = ntp::timestamp(message, ntp::offset::kTransmit);
  }
  departures_.push_back(d);
}

std::vector<Departure> SimulatedPort::take_departures() {
  while (port_.take()) {
  }
  return std::exchange(departures_, {});
}

std::optional<std::uint64_t> SimulatedPort::take_stamp() {
  if (!slot_ || slot_->lost || cpu_.now < slot_->ready) return std::nullopt;
  taken_.insert(slot_->number);
  return std::exchange(slot_, std::nullopt)->stamp;
}

}  // namespace wiretime::dpdk::test
