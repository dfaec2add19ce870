// SPDX-License-Identifier: BSD-3-Clause
// Any sequence of events into an Association: it must keep its promises to the owner. The input is a script:
// one byte of options, then for each event one byte of kind, one of time, and for a packet its bytes.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "ntp/association.hpp"
#include "require.hpp"

using namespace wiretime;
using namespace wiretime::ntp;

namespace {

class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  [[nodiscard]] bool empty() const { return at_ >= size_; }
  std::uint8_t byte() { return empty() ? std::uint8_t{0} : data_[at_++]; }
  // A copy exactly as long as it says, so that reads past the end are caught.
  std::unique_ptr<std::byte[]> bytes(std::size_t length) {
    auto copy = std::make_unique<std::byte[]>(length);
    const std::size_t there = std::min(length, size_ - at_);
    if (there > 0) std::memcpy(copy.get(), data_ + at_, there);
    at_ += there;
    return copy;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

struct Owner {
  Association association;
  Moment now;
  std::optional<Nanoseconds> timer;
  std::uint64_t random = 88172645463325252U;
  Header last_sent{};
  bool sent_any = false;
  bool offered_origin = false;  // the packet at hand names our last request
  bool authentic = false;       // and is as authentic as it must be

  const Moment& moment() {
    for (auto& r : now.random) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      r = random;
    }
    return now;
  }

  void carry_out(const Actions& actions, bool receiving) {
    bool sampled = false;
    for (const auto& action : actions) {
      if (const auto* set = std::get_if<SetTimer>(&action)) timer = set->at;
      if (const auto* send = std::get_if<Send>(&action)) {
        require(!receiving);  // nobody can make us send
        require(timestamp(send->bytes.data(), offset::kTransmit).value != 0);
        last_sent = send->bytes;
        sent_any = true;
        association.transmitted({now.wall, 0, StampSource::daemon});
      }
      if (const auto* taken = std::get_if<SampleTaken>(&action)) {
        require(receiving && sent_any && offered_origin && authentic);
        const auto& s = taken->sample;
        require(std::isfinite(s.offset) && std::isfinite(s.root_dispersion));
        require(s.peer_delay > 0 && s.peer_dispersion > 0 && s.stratum < 16);
        require(s.leap != clock::Leap::unsynchronised && s.root_delay >= s.peer_delay);
        sampled = true;
      }
    }
    if (sampled) carry_out(association.judged(moment(), {true, true, {}, 0.1, 1e-6}), false);
  }
};

void receive(Owner& owner, Script& script) {
  std::size_t length = kHeaderLength;
  const std::uint8_t how = script.byte();
  if ((how & 1U) != 0) length = script.byte();
  const auto bytes = script.bytes(length);
  if (length >= kHeaderLength && owner.sent_any) {
    // The fuzzer cannot guess our stamps: let it choose one.
    const auto request = read_reply(owner.last_sent);
    if ((how & 6U) == 2) set_timestamp(bytes.get(), offset::kOrigin, request.transmit);
    if ((how & 6U) == 4) set_timestamp(bytes.get(), offset::kOrigin, request.receive);
    if ((how & 8U) != 0) {
      set_timestamp(bytes.get(), offset::kReceive, NtpTimestamp::from(owner.now.wall));
      set_timestamp(bytes.get(), offset::kTransmit, NtpTimestamp::from(owner.now.wall));
    }
    const auto origin = timestamp(bytes.get(), offset::kOrigin);
    owner.offered_origin = origin.value != 0 && (origin == request.transmit || origin == request.receive);
  }
  Reception r;
  r.bytes = {bytes.get(), length};
  r.stamp = {owner.now.wall, 0, static_cast<StampSource>(how >> 4 & 1U)};
  r.own_refid = 0xC000'0202U;
  r.authentication = (how & 32U) != 0   ? AuthResult::failed
                     : (how & 64U) != 0 ? AuthResult::passed
                                        : AuthResult::none;
  owner.authentic =
      r.authentication == AuthResult::passed ||
      (r.authentication == AuthResult::none && !owner.association.options().require_authentication);
  owner.carry_out(owner.association.receive(owner.moment(), r), true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  Script script{data, size};
  const std::uint8_t how = script.byte();
  SourceOptions options;
  if ((how & 1U) != 0) options.kind = SourceKind::peer;
  options.xleave = (how & 2U) != 0;
  options.iburst = (how & 4U) != 0;
  options.burst = (how & 8U) != 0;
  if ((how & 16U) != 0) options.presend_min_poll = 4;
  options.min_poll = (how & 32U) != 0 ? -7 : 4;
  options.auto_offline = (how & 64U) != 0;
  options.require_authentication = (how & 128U) != 0;
  Owner owner{Association{options, LocalClock{1e-7, -23}}, {}, {}};
  owner.now.wall = WallTime{std::chrono::seconds{2'085'978'490}};  // seconds before the era ends
  owner.now.reference.stratum = 2;
  owner.carry_out(owner.association.start(owner.moment()), false);
  while (!script.empty()) {
    const std::uint8_t event = script.byte();
    const Nanoseconds passed{std::int64_t{script.byte()} * std::int64_t{script.byte()} * 1'000'000};
    owner.now.monotonic += passed;
    owner.now.wall += passed;
    Association& a = owner.association;
    switch (event % 12) {
      case 0:
      case 1:
      case 2:
        receive(owner, script);
        break;
      case 3:
      case 4:
        if (!owner.timer) break;
        owner.now.monotonic = std::max(owner.now.monotonic, *owner.timer);
        owner.timer.reset();
        owner.carry_out(a.timer(owner.moment()), false);
        break;
      case 5:
        owner.carry_out(a.go_offline(), false);
        break;
      case 6:
        owner.carry_out(a.go_online(owner.moment()), false);
        break;
      case 7:
        owner.carry_out(a.burst(owner.moment(), event / 12, 8), false);
        break;
      case 8:
        owner.carry_out(a.send_failed(owner.moment()), false);
        break;
      case 9:
        a.shift(owner.now.wall, 1e-4, event - 128.0);
        break;
      case 10:
        a.transmit_stamp(owner.last_sent, {owner.now.wall, 0, StampSource::kernel});
        break;
      default:
        a.clock_lost();
        owner.carry_out(a.reset_poll(owner.moment()), false);
        break;
    }
    require(a.schedule().poll() >= -7 && a.schedule().poll() <= 24);
    require(a.report().received_good <= a.report().received_valid);
    // Whoever is online and was not denied will send again: an association never falls asleep.
    if (a.connectivity() != Connectivity::offline && !a.denied()) require(owner.timer.has_value());
    if (a.connectivity() == Connectivity::offline) require(!owner.timer);
  }
  return 0;
}
