// SPDX-License-Identifier: BSD-3-Clause
#include "sim/network.hpp"

namespace wiretime::sim {

void Network::link(const IpAddress& a, const IpAddress& b, const PathConfig& path) {
  directions_[{a, b}] = {path, true};
  directions_[{b, a}] = {path, false};
}

double Network::delay(const Direction& direction) {
  const PathConfig& p = direction.path;
  const double jitter = !direction.there && p.jitter_back >= 0 ? p.jitter_back : p.jitter;
  double delay = p.base + (direction.there ? p.asymmetry : 0) + jitter * exponential_(random_);
  if (seconds(timeline_.now()) >= p.reroute_at) delay += p.reroute;
  if (p.normal_jitter > 0) delay += p.normal_jitter * std::fabs(normal_(random_));
  if (p.detour > 0 && uniform_(random_) < p.detour) delay += p.detour_delay;
  return delay;
}

bool Network::up(const PathConfig& path) const {
  const double now = seconds(timeline_.now());
  return now >= path.up_from && now < path.up_until &&
         (path.off_period <= 0 || static_cast<long>(now / path.off_period) % 2 == 0);
}

void Network::deliver(const Packet& packet, double delay) {
  if (watch_) watch_(packet, delay);
  timeline_.after(delay, [this, packet] {
    const auto host = hosts_.find(packet.to.address);
    if (host != hosts_.end()) host->second(packet);
  });
}

void Network::send(const Packet& packet) {
  const auto found = directions_.find({packet.from.address, packet.to.address});
  if (found == directions_.end()) return;  // no route
  const PathConfig& path = found->second.path;
  // Drawn whether the packet is lost or not, so that loss does not change the rest of the run.
  const double first = delay(found->second);
  const bool lost = path.loss > 0 && uniform_(random_) < path.loss;
  if (lost || !up(path)) {
    if (watch_) watch_(packet, -1);
    return;
  }
  deliver(packet, first);
  if (path.duplication > 0 && uniform_(random_) < path.duplication) deliver(packet, delay(found->second));
}

}  // namespace wiretime::sim
