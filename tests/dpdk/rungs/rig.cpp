// SPDX-License-Identifier: BSD-3-Clause
#include "rungs/rig.hpp"

#include <rte_cycles.h>

#include <cerrno>
#include <cmath>
#include <stdexcept>

namespace wiretime::dpdk::test {

namespace {

constexpr double kTick = 0.01;           // s: the time is published, a transmit stamp read
constexpr unsigned kTicksPerMap = 10;    // the NIC's clock is read
constexpr double kClockReading = 10e-9;  // s, each way, of the system's clock
constexpr double kClockJitter = 5e-9;    // s, mean of what comes on top
constexpr std::uint64_t kIdMark = std::uint64_t{0xABCD} << 48;
constexpr std::uint64_t kInterleavedMark = std::uint64_t{1} << 47;
constexpr std::size_t kMessage = 42;     // offset in an untagged IPv4 frame
constexpr std::int8_t kPrecision = -31;  // what is measured are stamps, not the noise below their precision

// DPDK remembers names.
std::string new_name() {
  static unsigned number = 0;
  return "rungs" + std::to_string(number++);
}

}  // namespace

Rig::Rig(const RigConfig& config) : config_{config}, random_{config.nic.seed} {
  (void)eal();  // before the counter's rate is known
  cpu_ = std::make_unique<Processor>(static_cast<double>(rte_get_tsc_hz()), config.nic.seed + 1);
  cpu_->interruptions = config.interruptions;
  cpu_->interruption = config.interruption;
  auto nic = std::make_unique<wiretime::test::SimulatedNic>(config.nic, *cpu_);
  nic_ = nic.get();
  keeper_ = std::make_unique<clock::NicTimekeeper>(std::move(nic), config.role, cpu_->hertz);
  serving_ = std::make_unique<Serving>(new_name());
  serving_->fixture.snapshot.precision = kPrecision;
  serving_->offsets.from_tai_ns = -std::int64_t{kTaiOffset} * 1'000'000'000;
  port_ = std::make_unique<SimulatedPort>(serving_->port, *cpu_, *nic_, config.link);
  serving_->queue = serving_->port.queue(serving_->fixture.state);
  serving_->queue->xdp_metadata = config.mark == FrameMark::program;
  if (config.mark == FrameMark::nic) {
    serving_->queue->nic_stamps = port_->receive_stamps();
    serving_->queue->nic_stamps.clock = &nic_map_;
  }
  transmit_stamps_ = std::make_unique<TransmitStamps>(
      "simulated", config.launches ? port_->launch_field() : LaunchField{}, cpu_->hertz);
  serving_->queue->transmit = transmit_stamps_->path();
  serving_->start();
  transmit_stamps_->start(transmit_calls(), config.stamps_replies, log_);
  for (std::size_t i = 0; i < kClients; ++i) {
    net::test::Spec spec;
    spec.from = IpAddress::v4(0xC000'0200U + 2 + static_cast<std::uint32_t>(i < 64 ? i : i + 1));
    Client& c = clients_.emplace_back();
    c.request = wiretime::test::frame_with(spec, wiretime::test::ntp_request());
    store_be16(c.request.data() + spec.l4() + net::udp::kChecksum, 0);  // none: ids come and go
  }
}

TransmitCalls Rig::transmit_calls() {
  TransmitCalls calls;
  calls.read_stamp = [this](timespec& t) {
    const auto stamp = port_->take_stamp();
    if (!stamp) return -EINVAL;
    t.tv_sec = static_cast<time_t>(*stamp / 1'000'000'000);
    t.tv_nsec = static_cast<long>(*stamp % 1'000'000'000);
    return 0;
  };
  calls.late = [this] { return port_->late(); };
  return calls;
}

void Rig::begin_anew() {
  for (std::size_t i = 0; i < counted_.size(); ++i)
    counted_[i] = serving_->count(static_cast<server::Stamp>(i));
  asked = 0;
  receive = transmit = interleaved = measured = {};
}

void Rig::publish_time() {
  std::exponential_distribution<double> jitter{1 / kClockJitter};
  clock::CrossReading r;
  r.before = cpu_->ticks();
  cpu_->now += kClockReading + jitter(random_);
  r.time = wall_at(cpu_->now);
  cpu_->now += kClockReading + jitter(random_);
  r.after = cpu_->ticks();
  time_map_.add(r);
  if (!time_map_.ready()) return;
  time_map_.fill(serving_->fixture.snapshot);
  serving_->channels.time.store(serving_->fixture.snapshot);
}

// As dpdk::PortClock does.
void Rig::refresh_clock() {
  keeper_->refresh({cpu_->ticks(), wall_at(cpu_->now), serving_->fixture.snapshot, kTaiOffset});
  nic_snapshot_ = keeper_->snapshot();
  nic_snapshot_.wire_rate = static_cast<std::uint32_t>(cpu_->hertz * 8 / config_.link.speed * 65536);
  nic_map_.store(nic_snapshot_);
  const auto megabits = static_cast<std::uint32_t>(config_.link.speed / 1e6);
  transmit_stamps_->refresh(nic_snapshot_, megabits, cpu_->ticks(), log_);
}

// On a CPU of its own: costs the worker nothing.
void Rig::tick() {
  const double now = cpu_->now;
  publish_time();
  if (++ticks_ % kTicksPerMap == 0) refresh_clock();
  cpu_->now = now;
  if (transmit_stamps_->samples()) transmit_stamps_->sample(nic_snapshot_, cpu_->ticks());
  serving_->worker.keep_house();
}

void Rig::wait_for_tick() {
  next_tick_ += kTick;
  cpu_->now = std::max(cpu_->now, next_tick_);
}

void Rig::settle(double seconds) {
  for (auto n = std::lround(seconds / kTick); n > 0; --n) {
    wait_for_tick();
    tick();
  }
}

// Ticks come while requests do: what is sampled is then like the rest.
void Rig::run(double seconds) {
  for (auto n = std::lround(seconds / kTick); n > 0; --n) {
    wait_for_tick();
    port_->begin([this] { return next_request(); });
    for (unsigned i = 0; i < config_.polls; ++i) {
      if (i == config_.polls / 2) tick();
      (void)serve();
    }
    port_->end();
    while (serve()) {
    }
  }
}

bool Rig::serve() {
  const auto polled = port_->poll(config_.mark);
  if (polled.empty()) return false;
  for (const Arrival& a : polled) requests_[a.id].end = a.end;
  cpu_->work = static_cast<double>(polled.size()) * config_.cycles_per_request / cpu_->hertz;
  if (serving_->worker.walk() != polled.size()) throw std::logic_error{"the worker left frames"};
  cpu_->work = 0;
  for (const Departure& d : port_->take_departures()) judge(d);
  return true;
}

std::pair<std::uint64_t, const Bytes*> Rig::next_request() {
  next_client_ = (next_client_ + 1) % kClients;
  Client& c = clients_[next_client_];
  if (c.waiting) throw std::logic_error{"more requests under way than clients"};
  const std::uint64_t id = requests_.size();
  requests_.push_back({next_client_, 0});
  ++asked;
  std::byte* message = c.request.data() + kMessage;
  store_be64(message + ntp::offset::kTransmit, kIdMark | id);
  if (config_.interleaved) {
    store_be64(message + ntp::offset::kOrigin, c.receive);
    store_be64(message + ntp::offset::kReceive, kIdMark | kInterleavedMark | id);
  }
  c.waiting = true;
  return {id, &c.request};
}

void Rig::judge(const Departure& d) {
  const std::uint64_t id = d.origin & ~(kIdMark | kInterleavedMark);
  if (id >= requests_.size()) throw std::logic_error{"a reply to nobody"};
  Client& c = clients_[requests_[id].client];
  if (!c.waiting) throw std::logic_error{"a second reply"};
  c.waiting = false;
  receive.add(seconds_of(d.receive) - requests_[id].end);
  if ((d.origin & kInterleavedMark) == 0) {
    transmit.add(seconds_of(d.transmit) - d.at);
  } else {
    const double error = seconds_of(d.transmit) - c.left;
    interleaved.add(error);
    if (c.stamp != 0 && port_->was_taken(c.stamp)) measured.add(error);
  }
  c.receive = d.receive.value;
  c.left = d.at;
  c.stamp = d.stamp;
}

}  // namespace wiretime::dpdk::test
