// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/receive_time.hpp"

#include <rte_cycles.h>

#include <cmath>
#include <random>

#include "ring_port.hpp"

using namespace wiretime;
using clock::StampVerdict;
using dpdk::claim_xdp_metadata;
using dpdk::test::RingPort;
using dpdk::test::Serving;
using wiretime::test::frame_with;
using wiretime::test::ntp_request;

namespace {

constexpr std::int64_t kNowNs = 1'790'000'000'123'456'789;
const NtpTimestamp kNow = NtpTimestamp::from(WallTime{Nanoseconds{kNowNs}});

void stamp(rte_mbuf* m, std::uint32_t clock, std::int64_t ns, std::uint32_t magic = STEER_MAGIC,
           std::uint64_t hardware = 0) {
  const steer_metadata metadata{magic, clock, static_cast<std::uint64_t>(ns), hardware};
  std::memcpy(rte_pktmbuf_mtod(m, std::byte*) - sizeof metadata, &metadata, sizeof metadata);
}

dpdk::ReceiveTime claim_xdp_time(rte_mbuf* m, const dpdk::ClockOffsets& offsets, NtpTimestamp now) {
  const auto metadata = claim_xdp_metadata(m);
  return metadata ? dpdk::xdp_time(*metadata, offsets, now) : dpdk::ReceiveTime{};
}

struct Buffer {
  explicit Buffer(const std::string& name) : port(name), m(port.allocate(frame_with({}, ntp_request()))) {}
  ~Buffer() { rte_pktmbuf_free(m); }
  RingPort port;
  rte_mbuf* m;
};

}  // namespace

TEST_CASE("the XDP program's time is taken once") {
  Buffer b{"once"};
  dpdk::ClockOffsets offsets;
  offsets.from_tai_ns = -37'000'000'000;
  stamp(b.m, STEER_CLOCK_TAI, kNowNs + 37'000'000'000 - 20'000);
  const auto time = claim_xdp_time(b.m, offsets, kNow);
  REQUIRE(time.verdict == StampVerdict::good);
  CHECK(std::abs((kNow - time.time).nanoseconds().count() - 20'000) < 3);
  CHECK(claim_xdp_time(b.m, offsets, kNow).verdict == StampVerdict::missing);
}

TEST_CASE("monotonic time is mapped by its own offset") {
  Buffer b{"monotonic"};
  dpdk::ClockOffsets offsets;
  offsets.from_monotonic_ns = kNowNs - 5'000'000'000;
  stamp(b.m, STEER_CLOCK_MONOTONIC, 5'000'000'000 - 1'000'000);
  const auto time = claim_xdp_time(b.m, offsets, kNow);
  REQUIRE(time.verdict == StampVerdict::good);
  CHECK(std::abs((kNow - time.time).nanoseconds().count() - 1'000'000) < 3);
}

TEST_CASE("a time that cannot be true is not believed") {
  Buffer b{"incredible"};
  const dpdk::ClockOffsets offsets;
  const auto claim = [&](std::int64_t ns_from_now, std::uint32_t clock = STEER_CLOCK_TAI,
                         std::uint32_t magic = STEER_MAGIC) {
    stamp(b.m, clock, kNowNs + ns_from_now, magic);
    return claim_xdp_time(b.m, offsets, kNow);
  };
  CHECK(claim(-49'900'000).verdict == StampVerdict::good);
  CHECK(claim(-50'100'000).verdict == StampVerdict::too_old);
  CHECK(claim(100'100).verdict == StampVerdict::in_future);
  CHECK(claim(37'000'000'000).verdict == StampVerdict::in_future);  // TAI offset set, but we do not know yet
  CHECK(claim(-10, 77).verdict == StampVerdict::no_clock);          // a clock we do not know
  CHECK(claim(-kNowNs).verdict == StampVerdict::zero);
  CHECK(claim(-10, STEER_CLOCK_TAI, 0).verdict == StampVerdict::missing);  // stale bytes
  CHECK(claim(90'000).time == kNow);                                       // never later than the burst
}

TEST_CASE("a frame without room for metadata has none") {
  Buffer b{"no_headroom"};
  stamp(b.m, STEER_CLOCK_TAI, kNowNs);
  b.m->data_off = 8;
  CHECK(claim_xdp_time(b.m, {}, kNow).verdict == StampVerdict::missing);
}

TEST_CASE("TAI minus UTC is whole seconds of the kernel's choosing, monotonic time is what the kernel says") {
  dpdk::ClockOffsets offsets;
  offsets.update();
  CHECK(offsets.from_tai_ns.load() % 1'000'000'000 == 0);
  CHECK(offsets.from_tai_ns.load() <= 0);
  timespec wall{}, monotonic{};
  clock_gettime(CLOCK_REALTIME, &wall);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  CHECK(offsets.from_monotonic_ns.load() / 1'000'000'000 - (wall.tv_sec - monotonic.tv_sec) <= 1);
  CHECK(offsets.from_monotonic_ns.load() / 1'000'000'000 - (wall.tv_sec - monotonic.tv_sec) >= -1);
}

TEST_CASE("a worker writes the XDP program's time into the reply and counts it as the kernel's") {
  Serving s{"xdp_stamped"};
  s.queue = s.port.queue(s.fixture.state);
  s.queue->xdp_metadata = true;
  s.start();
  const NtpTimestamp anchor = s.fixture.snapshot.anchor_time;
  const auto anchor_ns = anchor.near(WallTime{Nanoseconds{kNowNs}}).time_since_epoch().count();
  rte_mbuf* stamped = s.port.allocate(frame_with({}, ntp_request()));
  stamp(stamped, STEER_CLOCK_TAI, anchor_ns - 3'000'000);
  s.port.give(stamped);
  s.port.give(frame_with({}, ntp_request()));
  CHECK(s.worker.walk() == 2);

  const auto receive_lag_ns = [&] {
    const auto reply = s.port.take();
    REQUIRE(reply);
    return (anchor - ntp::timestamp(reply->data() + 42, ntp::offset::kReceive)).nanoseconds().count();
  };
  CHECK(std::abs(receive_lag_ns() - 3'000'000) < 1000);  // precision bits are random
  CHECK(std::abs(receive_lag_ns()) < 1000);
  CHECK(s.count(server::Stamp::receive_kernel) == 1);
  CHECK(s.count(server::Stamp::receive_daemon) == 1);
  CHECK(s.fixture.state.xdp_stamps.get(StampVerdict::good) == 1);
  CHECK(s.fixture.state.xdp_stamps.get(StampVerdict::missing) == 1);
}

namespace {

// A port whose frames were stamped by a NIC that counts nanoseconds, as a driver would leave them.
struct Stamped {
  enum class Where { mbuf, metadata };
  explicit Stamped(const std::string& name, Where where = Where::mbuf) : s(name) {
    if (where == Where::mbuf) REQUIRE(rte_mbuf_dyn_rx_timestamp_register(&stamps.field, &stamps.flag) == 0);
    const double hertz = static_cast<double>(rte_get_tsc_hz());
    map.anchor_nic = 1'000'000'000'000;
    map.anchor_ticks = os::read_tsc();
    map.rate = static_cast<std::uint64_t>(std::ldexp(hertz * 1e-9, clock::NicSnapshot::kRateShift));
    map.expires.value = map.anchor_ticks.value + static_cast<std::uint64_t>(hertz * 100);
    map.oldest =
        static_cast<std::uint64_t>(hertz * 1.5);  // this process may be kept from its CPU for a while
    map.newest = static_cast<std::uint64_t>(hertz * 100e-6);
    published.store(map);
    stamps.clock = &published;
    s.queue = s.port.queue(s.fixture.state);
    s.queue->nic_stamps = stamps;
    s.queue->xdp_metadata = where == Where::metadata;
    s.start();
    s.fixture.snapshot.rate =
        static_cast<std::uint64_t>(std::ldexp(1 / hertz, 32 + clock::TimeSnapshot::kRateShift));
    s.channels.time.store(s.fixture.snapshot);
  }
  [[nodiscard]] std::uint64_t now() const {
    const double ticks = static_cast<double>(os::read_tsc().value - map.anchor_ticks.value);
    return map.anchor_nic + static_cast<std::uint64_t>(ticks / static_cast<double>(rte_get_tsc_hz()) * 1e9);
  }
  // The receive timestamp of the answer to a request stamped so.
  [[nodiscard]] NtpTimestamp answer(std::uint64_t stamp, bool flagged = true) {
    rte_mbuf* m = s.port.allocate(frame_with({}, ntp_request()));
    std::memcpy(reinterpret_cast<std::byte*>(m) + stamps.field, &stamp, sizeof stamp);
    if (flagged) m->ol_flags |= stamps.flag;
    return answer_to(m);
  }
  // The same when the XDP program ran `ago` ns before the snapshot's anchor, and had this from the NIC.
  [[nodiscard]] NtpTimestamp answer_xdp(std::int64_t ago, std::uint64_t hardware) {
    // Brought up to now: the program's time is not believed for long.
    const Ticks now = os::read_tsc();
    s.fixture.snapshot.anchor_time = s.fixture.snapshot.time_at(now);
    s.fixture.snapshot.anchor_ticks = now;
    s.channels.time.store(s.fixture.snapshot);
    const auto anchor = s.fixture.snapshot.anchor_time.near(WallTime{Nanoseconds{kNowNs}});
    rte_mbuf* m = s.port.allocate(frame_with({}, ntp_request()));
    stamp(m, STEER_CLOCK_TAI, anchor.time_since_epoch().count() - ago, STEER_MAGIC, hardware);
    return answer_to(m);
  }
  [[nodiscard]] NtpTimestamp answer_to(rte_mbuf* m) {
    s.port.give(m);
    REQUIRE(s.worker.walk() == 1);
    const auto reply = s.port.take();
    REQUIRE(reply);
    return ntp::timestamp(reply->data() + 42, ntp::offset::kReceive);
  }
  [[nodiscard]] std::uint64_t judged(StampVerdict v) const { return s.fixture.state.nic_stamps.get(v); }
  // ns, from what the NIC said to what the answer says; its precision bits are random.
  [[nodiscard]] std::int64_t off(NtpTimestamp answer, std::uint64_t stamp) const {
    return (answer - s.fixture.snapshot.time_at(map.ticks_at(stamp))).nanoseconds().count();
  }

  Serving s;
  dpdk::NicStamps stamps;
  clock::NicSnapshot map;
  Seqlock<clock::NicSnapshot> published;
};

}  // namespace

TEST_CASE("a NIC's receive stamp is what the answer says, and counted as hardware") {
  Stamped port{"nic"};
  const std::uint64_t stamp = port.now() - 3'000'000;
  CHECK(std::abs(port.off(port.answer(stamp), stamp)) < 1000);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 1);
  CHECK(port.s.count(server::Stamp::receive_daemon) == 0);
}

TEST_CASE("a stamp that is 2^32 off is repaired, and one that cannot be true replaced by the burst's time") {
  Stamped port{"nic_bad"};
  const std::uint64_t stamp = port.now() - 3'000'000;
  CHECK(std::abs(port.off(port.answer(stamp + (std::uint64_t{1} << 32)), stamp)) < 1000);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 1);
  for (const std::uint64_t bad : {std::uint64_t{0}, stamp - 2'000'000'000, stamp + 2'000'000'000})
    CHECK(port.off(port.answer(bad), stamp) >= 3'000'000 - 1000);
  (void)port.answer(stamp, false);  // the driver says that it did not stamp this one
  CHECK(port.s.count(server::Stamp::receive_hardware) == 1);
  CHECK(port.s.count(server::Stamp::receive_daemon) == 4);
  port.published.store({});  // the clock is lost
  (void)port.answer(port.now());
  CHECK(port.s.count(server::Stamp::receive_daemon) == 5);
  port.published.store(port.map);  // and found again
  (void)port.answer(port.now());
  CHECK(port.s.count(server::Stamp::receive_hardware) == 2);
}

TEST_CASE(
    "every way in which a NIC's stamps go wrong is counted as what it is, and answered by the next rung") {
  Stamped port{"nic_faults"};
  const std::uint64_t half = std::uint64_t{1} << 32;
  const auto in_doubt = [&](std::uint64_t stamp, StampVerdict verdict, bool flagged = true) {
    const std::uint64_t before = port.judged(verdict);
    const std::uint64_t came = port.now() - 3'000'000;
    const NtpTimestamp answer = port.answer(stamp, flagged);
    INFO(name(verdict));
    CHECK(port.judged(verdict) == before + 1);
    CHECK(port.off(answer, came) >= 3'000'000 - 1000);  // the burst's own time
  };
  in_doubt(port.now(), StampVerdict::missing, false);
  in_doubt(0, StampVerdict::zero);
  in_doubt(port.now() - 1'600'000'000, StampVerdict::too_old);
  in_doubt(port.now() + 1'000'000'000, StampVerdict::in_future);
  in_doubt(port.now() - half / 2, StampVerdict::too_old);
  const std::uint64_t last = port.now() - 10'000;
  (void)port.answer(last);
  in_doubt(last, StampVerdict::frozen);  // though not too old yet
  in_doubt(last, StampVerdict::frozen);
  port.map.probation = true;
  port.published.store(port.map);
  in_doubt(port.now() - 10'000, StampVerdict::probation);
  in_doubt(port.now() - 10'000 + half, StampVerdict::probation);
  in_doubt(0, StampVerdict::zero);  // judged all the same
  port.published.store({});
  in_doubt(port.now(), StampVerdict::no_clock);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 1);

  port.map.probation = false;
  port.published.store(port.map);
  for (const std::uint64_t off : {half, 0 - half}) {
    const std::uint64_t stamp = port.now() - 3'000'000;
    CHECK(std::abs(port.off(port.answer(stamp + off), stamp)) < 1000);
  }
  CHECK(port.judged(StampVerdict::repaired) == 2);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 3);
}

TEST_CASE("two frames of one burst may have one stamp, that of the burst before none") {
  Stamped port{"nic_twins"};
  const auto give = [&](std::uint64_t stamp) {
    rte_mbuf* m = port.s.port.allocate(frame_with({}, ntp_request()));
    std::memcpy(reinterpret_cast<std::byte*>(m) + port.stamps.field, &stamp, sizeof stamp);
    m->ol_flags |= port.stamps.flag;
    port.s.port.give(m);
  };
  const std::uint64_t stamp = port.now();
  give(stamp);
  give(stamp);
  CHECK(port.s.worker.walk() == 2);
  CHECK(port.judged(StampVerdict::good) == 2);
  give(stamp);
  give(port.now());
  CHECK(port.s.worker.walk() == 2);
  CHECK(port.judged(StampVerdict::good) == 3);
  CHECK(port.judged(StampVerdict::frozen) == 1);
}

TEST_CASE("a stamp of the preamble becomes the time of the frame's end") {
  Stamped port{"nic_wire"};
  const double hertz = static_cast<double>(rte_get_tsc_hz());
  port.map.wire_rate = static_cast<std::uint32_t>(hertz * 8 / 100e6 * 65536);  // 100 Mbit/s
  port.published.store(port.map);
  const std::uint64_t stamp = port.now() - 3'000'000;
  const auto frame = frame_with({}, ntp_request());
  const auto wire = static_cast<std::int64_t>(frame.size() + 4) * 80;
  CHECK(std::abs(port.off(port.answer(stamp), stamp) - wire) < 1000);
}

TEST_CASE(
    "the NIC's stamp that came through the XDP program is what the answer says, and counted as hardware") {
  Stamped port{"xdp_nic", Stamped::Where::metadata};
  const std::uint64_t stamp = port.now() - 3'000'000;
  CHECK(std::abs(port.off(port.answer_xdp(1'000'000, stamp), stamp)) < 1000);
  CHECK(std::abs(port.off(port.answer_xdp(1'000'000, stamp + (std::uint64_t{1} << 32)), stamp)) < 1000);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 2);
  CHECK(port.s.count(server::Stamp::receive_kernel) == 0);
  CHECK(port.s.count(server::Stamp::receive_daemon) == 0);

  // Also when nobody can say what clock the program read.
  rte_mbuf* m = port.s.port.allocate(frame_with({}, ntp_request()));
  ::stamp(m, 77, 0, STEER_MAGIC, stamp);
  CHECK(std::abs(port.off(port.answer_to(m), stamp)) < 1000);

  const double hertz = static_cast<double>(rte_get_tsc_hz());
  port.map.wire_rate = static_cast<std::uint32_t>(hertz * 8 / 100e6 * 65536);  // 100 Mbit/s
  port.published.store(port.map);
  const auto wire = static_cast<std::int64_t>(frame_with({}, ntp_request()).size() + 4) * 80;
  const std::uint64_t next = stamp + 1'000'000;
  CHECK(std::abs(port.off(port.answer_xdp(1'000'000, next), next) - wire) < 1000);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 4);
}

TEST_CASE("without a stamp of the NIC's to believe, the XDP program's time stands in") {
  Stamped port{"xdp_nic_bad", Stamped::Where::metadata};
  const std::uint64_t stamp = port.now() - 3'000'000;
  const std::uint64_t none = 0;
  const std::uint64_t ancient = stamp - 2'000'000'000;
  const std::uint64_t future = stamp + 2'000'000'000;
  std::uint64_t answers = 0;
  const auto falls_back = [&](std::uint64_t hardware) {
    const NtpTimestamp answer = port.answer_xdp(2'000'000, hardware);
    CHECK(std::abs((port.s.fixture.snapshot.anchor_time - answer).nanoseconds().count() - 2'000'000) < 1000);
    CHECK(port.s.count(server::Stamp::receive_kernel) == ++answers);
    CHECK(port.s.count(server::Stamp::receive_hardware) == 0);
  };
  falls_back(none);
  falls_back(1);
  falls_back(ancient);
  falls_back(future);
  port.published.store({});  // the NIC's clock is lost
  falls_back(stamp);

  (void)port.answer_xdp(1'000'000'000'000, future);
  CHECK(port.s.count(server::Stamp::receive_daemon) == 1);

  port.published.store(port.map);
  CHECK(std::abs(port.off(port.answer_xdp(2'000'000, stamp), stamp)) < 1000);
  CHECK(port.s.count(server::Stamp::receive_hardware) == 1);
}

// One queue of a NIC whose counter and the CPU's are one, whose stamps are taken together or one by one.
struct StampedQueue {
  StampedQueue(bool together, const Seqlock<clock::NicSnapshot>& clock) {
    fixture.state.wide = together && server::wide::available();
    path.nic_stamps = {&clock, offsetof(rte_mbuf, dynfield1), std::uint64_t{1} << 23};
  }
  void take(std::span<rte_mbuf* const> mbufs, Ticks seen, const clock::TimeSnapshot& time) {
    dpdk::ReceiveBurst{path, seen, time, offsets, fixture.state}.arrivals(mbufs, frames.data(), by.data());
  }

  wiretime::test::Fixture fixture;
  dpdk::ClockOffsets offsets;
  dpdk::ReceivePath path;
  std::array<server::Frame, server::kBurstSize> frames;
  std::array<server::Stamp, server::kBurstSize> by{};
};

TEST_CASE("eight stamps at a time are told and judged as they would be one by one") {
  std::mt19937_64 random{31};
  clock::NicSnapshot map;
  map.anchor_nic = std::uint64_t{1} << 50;
  map.anchor_ticks = {std::uint64_t{1} << 40};
  map.rate = std::uint64_t{5} << (clock::NicSnapshot::kRateShift - 1);  // 2.5 ticks per tick
  map.expires = {~std::uint64_t{0} >> 1};
  map.oldest = 125'000'000;
  map.newest = 250'000;
  map.wire_rate = 20 << 16;
  Seqlock<clock::NicSnapshot> clock;
  StampedQueue wide{true, clock}, narrow{false, clock};
  std::array<rte_mbuf, server::kBurstSize> mbufs{};
  std::array<rte_mbuf*, server::kBurstSize> handles;
  for (std::size_t i = 0; i < mbufs.size(); ++i) handles[i] = &mbufs[i];
  clock::TimeSnapshot time;
  time.anchor_ticks = {std::uint64_t{1} << 40};
  time.anchor_time = kNow;
  std::uint64_t seen = std::uint64_t{1} << 40;
  for (int round = 0; round < 5000; ++round) {
    if (round % 50 == 0) {  // both maps are made anew now and then
      map.shift = static_cast<std::int64_t>(random() % 100'000'000) - 50'000'000;
      map.probation = random() % 10 == 0;
      clock.store(map);
    }
    if (round % 70 == 0)
      time.rate = (std::uint64_t{1} << clock::TimeSnapshot::kRateShift) * 2 + random() % 999'999;
    seen += 1'000 + random() % 1'000'000;
    const std::size_t count = 1 + random() % server::kBurstSize;
    const bool some_bad = random() % 2 == 0;
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t stamp = map.anchor_nic + (seen - map.anchor_ticks.value) * 2 / 5 - random() % 20'000;
      const std::uint64_t kind = some_bad ? random() % 24 : 99;
      if (kind == 0) stamp = 0;
      if (kind == 1) stamp = wide.path.last.before;
      if (kind == 2) stamp += std::uint64_t{1} << 32;
      if (kind == 3) stamp -= 60'000'000;
      if (kind == 4) stamp += 200'000;
      if (kind == 5) stamp = random();
      mbufs[i].ol_flags =
          kind == 6 ? random() & ~(std::uint64_t{1} << 23) : random() | std::uint64_t{1} << 23;
      mbufs[i].pkt_len = static_cast<std::uint32_t>(60 + random() % 1400);
      std::memcpy(mbufs[i].dynfield1, &stamp, sizeof stamp);
    }
    wide.take({handles.data(), count}, {seen}, time);
    narrow.take({handles.data(), count}, {seen}, time);
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(wide.frames[i].receive == narrow.frames[i].receive);
      REQUIRE(wide.by[i] == narrow.by[i]);
    }
    REQUIRE(wide.path.last.before == narrow.path.last.before);
  }
  for (std::size_t v = 0; v < static_cast<std::size_t>(StampVerdict::kCount); ++v) {
    const auto verdict = static_cast<StampVerdict>(v);
    CHECK(wide.fixture.state.nic_stamps.get(verdict) == narrow.fixture.state.nic_stamps.get(verdict));
    if (verdict != StampVerdict::no_clock) CHECK(narrow.fixture.state.nic_stamps.get(verdict) > 50);
  }
}
