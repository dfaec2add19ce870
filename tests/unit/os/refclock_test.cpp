// SPDX-License-Identifier: BSD-3-Clause
// Reference clock drivers: shared memory and a socket for real, PPS and PTP devices by their ioctls alone, as
// there are none here.
#include <linux/ethtool.h>
#include <linux/pps.h>
#include <linux/ptp_clock.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include "catch.hpp"
#include "clock/refclock_format.hpp"
#include "ioctl_device.hpp"
#include "os/refclock_driver.hpp"
#include "os/socket.hpp"
#include "temporary_directory.hpp"

using namespace wiretime;
using namespace wiretime::os;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// A segment that nobody else has; removed in the end.
class Segment {
 public:
  Segment() {
    // 0 to 9 may be in use by a gpsd on this host.
    for (unit = 100; unit < 256; ++unit) {
      id_ = shmget(key(), sizeof(clock::ShmSegment), IPC_CREAT | IPC_EXCL | 0600);
      if (id_ >= 0) break;
    }
    REQUIRE(id_ >= 0);
    memory = static_cast<clock::ShmSegment*>(shmat(id_, nullptr, 0));
  }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment() {
    shmdt(memory);
    shmctl(id_, IPC_RMID, nullptr);
  }
  [[nodiscard]] int key() const { return clock::ShmSegment::kKey + static_cast<int>(unit); }
  void write(std::time_t seconds, int offset) {
    memory->clock_seconds = seconds + offset;
    memory->receive_seconds = seconds;
    memory->valid = 1;
  }

  unsigned unit = 0;
  clock::ShmSegment* memory = nullptr;

 private:
  int id_ = -1;
};

constexpr auto kNow = Nanoseconds{1'800'000'000s};

double offset_of(const clock::ClockReading& r) {
  return static_cast<double>(r.seconds) + r.fraction;
}

std::string error_of(const DriverResult& result) {
  REQUIRE_FALSE(result);
  return result.error().message;
}

}  // namespace

TEST_CASE("a shared memory segment is read once after each time it was written") {
  Segment segment;
  auto driver = open_shm_refclock(segment.unit, 0600);
  REQUIRE(driver);
  CHECK((*driver)->fd() < 0);
  CHECK_FALSE((*driver)->poll());
  segment.write(1'800'000'000, 3);
  const auto reading = (*driver)->poll();
  REQUIRE(reading);
  CHECK(offset_of(*reading) == 3);
  CHECK(segment.memory->valid == 0);
  CHECK_FALSE((*driver)->poll());
  segment.memory->mode = 1;
  segment.memory->count = 17;
  segment.write(1'800'000'001, 4);
  REQUIRE((*driver)->poll());
}

TEST_CASE("a shared memory segment is made with the permissions asked for, and kept for the next daemon") {
  unsigned unit = 0;
  {
    Segment probe;
    unit = probe.unit;
  }
  {
    auto driver = open_shm_refclock(unit, 0640);
    REQUIRE(driver);
  }
  const int id = shmget(clock::ShmSegment::kKey + static_cast<int>(unit), 0, 0);
  REQUIRE(id >= 0);
  shmid_ds status{};
  CHECK(shmctl(id, IPC_STAT, &status) == 0);
  CHECK((status.shm_perm.mode & 0777) == 0640);
  CHECK(status.shm_nattch == 0);
  shmctl(id, IPC_RMID, nullptr);
}

TEST_CASE("a shared memory segment that is too small is an error that names it") {
  Segment probe;
  const unsigned unit = probe.unit + 1;
  const int id = shmget(clock::ShmSegment::kKey + static_cast<int>(unit), 8, IPC_CREAT | IPC_EXCL | 0600);
  REQUIRE(id >= 0);
  const auto result = open_shm_refclock(unit, 0600);
  shmctl(id, IPC_RMID, nullptr);
  CHECK_THAT(error_of(result), Contains("refclock SHM " + std::to_string(unit)) && Contains("ipcs -m"));
}

TEST_CASE("samples sent to a SOCK refclock's socket are read one by one, and what is none is skipped") {
  TemporaryDirectory dir;
  const std::string path = dir / "refclock.sock";
  auto driver = open_sock_refclock(path);
  REQUIRE(driver);
  SocketAddress address;
  address.local.sun_family = AF_UNIX;
  std::strcpy(address.local.sun_path, path.c_str());
  const FileDescriptor sender{socket(AF_UNIX, SOCK_DGRAM, 0)};
  REQUIRE(connect(sender.get(), &address.base, sizeof address.local) == 0);
  struct {
    std::int64_t seconds, microseconds;
    double offset;
    std::int32_t pulse, leap, padding, magic;
  } sample{1'800'000'000, 5, 0.5, 0, 1, 0, 0x534f434b};
  REQUIRE(send(sender.get(), &sample, sizeof sample, 0) == 40);
  sample.offset = -0.5;
  REQUIRE(send(sender.get(), &sample, sizeof sample, 0) == 40);
  REQUIRE(send(sender.get(), "noise", 5, 0) == 5);
  pollfd ready{(*driver)->fd(), POLLIN, 0};
  REQUIRE(poll(&ready, 1, 60'000) == 1);
  const auto first = (*driver)->receive();
  REQUIRE(first);
  CHECK(offset_of(*first) == 0.5);
  CHECK(first->leap == clock::Leap::insert);
  CHECK(first->system == WallTime{kNow + 5us});
  CHECK(offset_of(*(*driver)->receive()) == -0.5);
  CHECK_FALSE((*driver)->receive());
  CHECK_FALSE((*driver)->receive());
  driver->reset();
  CHECK(access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a socket left over at a SOCK refclock's path is replaced, anything else there is an error") {
  TemporaryDirectory dir;
  const std::string path = dir / "refclock.sock";
  {
    SocketAddress address;
    address.local.sun_family = AF_UNIX;
    std::strcpy(address.local.sun_path, path.c_str());
    const FileDescriptor stale{socket(AF_UNIX, SOCK_DGRAM, 0)};
    REQUIRE(bind(stale.get(), &address.base, sizeof address.local) == 0);
  }
  auto driver = open_sock_refclock(path);
  REQUIRE(driver);
  CHECK_THAT(error_of(open_sock_refclock(path)),
             Contains("refclock SOCK " + path) && Contains("already in use"));
  std::ofstream{dir / "file"};
  CHECK_THAT(error_of(open_sock_refclock(dir / "file")), Contains("not a socket"));
  CHECK_THAT(error_of(open_sock_refclock(dir / "no/such/directory")), Contains("refclock SOCK"));
  CHECK_THAT(error_of(open_sock_refclock(dir / std::string(200, 'x'))), Contains("too long"));
}

TEST_CASE("each pulse of a PPS device is read once, on the edge asked for") {
  for (const bool clear : {false, true}) {
    Device device;
    int mode = PPS_CAPTUREBOTH | PPS_CANWAIT | PPS_TSFMT_TSPEC;
    pps_fdata state{};
    device.on<int>(PPS_GETCAP, [&](int& able) { return able = mode, 0; });
    device.on<pps_kparams>(PPS_GETPARAMS, [&](pps_kparams& p) { return p.mode = mode, 0; });
    device.on<pps_kparams>(PPS_SETPARAMS, [&](pps_kparams& p) { return mode = p.mode, 0; });
    device.on<pps_fdata>(PPS_FETCH, [&](pps_fdata& d) { return d = state, 0; });
    auto driver = open_pps_refclock(device.path, clear, device.ioctl());
    REQUIRE(driver);
    CHECK((mode & PPS_CAPTUREBOTH) == (clear ? PPS_CAPTURECLEAR : PPS_CAPTUREASSERT));
    CHECK_FALSE((*driver)->poll());
    state.info.assert_sequence = 5;
    state.info.clear_sequence = 6;
    state.info.assert_tu = {1'800'000'000, 250'000'000, 0};
    state.info.clear_tu = {1'800'000'000, 450'000'000, 0};
    const auto reading = (*driver)->poll();
    REQUIRE(reading);
    CHECK(reading->pulse);
    CHECK(reading->fraction == Approx(clear ? -0.45 : -0.25));
    CHECK(reading->system == WallTime{kNow + (clear ? 450ms : 250ms)});
    CHECK_FALSE((*driver)->poll());
    device.handlers.erase(PPS_FETCH);
    CHECK_FALSE((*driver)->poll());
  }
}

TEST_CASE("what is no PPS device, or cannot report the edge, is an error at start") {
  Device device;
  CHECK_THAT(error_of(open_pps_refclock("/dev/no-such-pps", false)),
             Contains("refclock PPS /dev/no-such-pps: cannot open it: No such file"));
  CHECK_THAT(error_of(open_pps_refclock("/dev/null", false)), Contains("/dev/null: not a PPS device"));
  device.on<int>(PPS_GETCAP, [](int& able) { return able = PPS_CAPTUREASSERT, 0; });
  device.on<pps_kparams>(PPS_GETPARAMS, [](pps_kparams&) { return 0; });
  CHECK_THAT(error_of(open_pps_refclock(device.path, true, device.ioctl())), Contains("falling edge"));
  CHECK_THAT(error_of(open_pps_refclock(device.path, false, device.ioctl())),
             Contains("cannot choose the edge"));
}

TEST_CASE("a PTP clock is read in the best way that works, found once") {
  for (const unsigned long way : {PTP_SYS_OFFSET_PRECISE, PTP_SYS_OFFSET_EXTENDED, PTP_SYS_OFFSET}) {
    for (const bool nocrossts : {false, true}) {
      if (nocrossts && way == PTP_SYS_OFFSET_PRECISE) continue;
      Device device;
      std::map<unsigned long, int> calls;
      device.on<ptp_clock_caps>(PTP_CLOCK_GETCAPS, [](ptp_clock_caps&) { return 0; });
      if (way == PTP_SYS_OFFSET_PRECISE || nocrossts)
        device.on<ptp_sys_offset_precise>(PTP_SYS_OFFSET_PRECISE, [&](ptp_sys_offset_precise& p) {
          p.device = ptp_time(kNow + 37s + 1us);
          p.sys_realtime = ptp_time(kNow);
          return ++calls[PTP_SYS_OFFSET_PRECISE], 0;
        });
      if (way == PTP_SYS_OFFSET_EXTENDED)
        device.on<ptp_sys_offset_extended>(PTP_SYS_OFFSET_EXTENDED, [&](ptp_sys_offset_extended& e) {
          for (unsigned i = 0; i < e.n_samples; ++i) {
            e.ts[i][0] = ptp_time(kNow + i * 10us);
            e.ts[i][1] = ptp_time(kNow + i * 10us + 37s + 2us);
            e.ts[i][2] = ptp_time(kNow + i * 10us + 2us);
          }
          return ++calls[PTP_SYS_OFFSET_EXTENDED], 0;
        });
      device.on<ptp_sys_offset>(PTP_SYS_OFFSET, [&](ptp_sys_offset& p) {
        for (unsigned i = 0; i <= 2 * p.n_samples; ++i)
          p.ts[i] = ptp_time(kNow + i * 1us + (i % 2 == 0 ? 0s : 37s) + (i % 2 == 0 ? 0us : 1us));
        return ++calls[PTP_SYS_OFFSET], 0;
      });
      PhcOptions options;
      options.nocrossts = nocrossts;
      auto driver = open_phc_refclock(device.path, options, device.ioctl());
      REQUIRE(driver);
      CHECK((*driver)->fd() < 0);
      for (int i = 0; i < 3; ++i) {
        const auto reading = (*driver)->poll();
        REQUIRE(reading);
        CHECK(offset_of(*reading) == Approx(37.000001).epsilon(1e-12));
        CHECK_FALSE(reading->pulse);
      }
      CHECK(calls == std::map<unsigned long, int>{{way, 3}});
      CHECK((*driver)->method() == (way == PTP_SYS_OFFSET_PRECISE    ? "precise"
                                    : way == PTP_SYS_OFFSET_EXTENDED ? "extended"
                                                                     : "plain"));
      device.handlers.erase(way);
      CHECK_FALSE((*driver)->poll());  // not the next way: this one worked
      CHECK(calls.size() == 1);
    }
  }
}

TEST_CASE("a PTP clock is found by its network interface") {
  Device device;
  device.on<ifreq>(SIOCETHTOOL, [](ifreq& request) {
    CHECK(std::string{request.ifr_name} == "eth7");
    ethtool_ts_info info{};
    std::memcpy(&info, request.ifr_data, sizeof info);
    CHECK(info.cmd == ETHTOOL_GET_TS_INFO);
    info.phc_index = 4711;
    std::memcpy(request.ifr_data, &info, sizeof info);
    return 0;
  });
  CHECK_THAT(error_of(open_phc_refclock("eth7", {}, device.ioctl())),
             Contains("refclock PHC eth7: cannot open /dev/ptp4711: No such file"));
  CHECK_THAT(error_of(open_phc_refclock("lo", {})), Contains("refclock PHC lo: "));
  CHECK_THAT(error_of(open_phc_refclock("no-such-interface-at-all", {})),
             Contains("no such network interface"));
  CHECK_THAT(error_of(open_phc_refclock("/dev/null", {})), Contains("/dev/null is not a PTP clock"));
}

TEST_CASE("a PTP clock that stamps pulses is told which pin, channel and edge, and told to stop in the end") {
  Device device;
  ptp_pin_desc pin{};
  std::vector<ptp_extts_request> requests;
  device.on<ptp_clock_caps>(PTP_CLOCK_GETCAPS, [](ptp_clock_caps&) { return 0; });
  device.on<ptp_pin_desc>(PTP_PIN_SETFUNC, [&](ptp_pin_desc& p) { return pin = p, 0; });
  device.on<ptp_extts_request>(PTP_EXTTS_REQUEST,
                               [&](ptp_extts_request& r) { return requests.push_back(r), 0; });
  Nanoseconds now = kNow;
  device.on<ptp_sys_offset_precise>(PTP_SYS_OFFSET_PRECISE, [&](ptp_sys_offset_precise& p) {
    p.device = ptp_time(now + 37s);
    p.sys_realtime = ptp_time(now);
    return 0;
  });
  PhcOptions options;
  options.extpps = options.clear = true;
  options.pin = 2;
  options.channel = 1;
  {
    auto driver = open_phc_refclock(device.path, options, device.ioctl());
    REQUIRE(driver);
    CHECK((*driver)->fd() >= 0);
    CHECK(pin.index == 2);
    CHECK(pin.func == PTP_PF_EXTTS);
    CHECK(pin.chan == 1);
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].index == 1);
    CHECK(requests[0].flags == (PTP_ENABLE_FEATURE | PTP_FALLING_EDGE));
    for (int i = 0; i < 4; ++i, now += 1s) CHECK_FALSE((*driver)->poll());

    const auto write_event = [&](Nanoseconds at, unsigned channel) {
      ptp_extts_event event{};
      event.t = ptp_time(at + 37s);
      event.index = channel;
      std::ofstream{device.path, std::ios::binary | std::ios::app}.write(
          reinterpret_cast<const char*>(&event), sizeof event);
    };
    write_event(kNow + 3s + 125ms, 0);
    write_event(kNow + 3s + 125ms, 1);
    write_event(kNow + 3s + 125ms, 1);
    CHECK_FALSE((*driver)->receive());  // of another channel
    const auto reading = (*driver)->receive();
    REQUIRE(reading);
    CHECK(reading->pulse);
    CHECK(reading->fraction == Approx(-0.125).margin(2e-9));
    CHECK_FALSE((*driver)->receive());  // the same again
    CHECK_FALSE((*driver)->receive());
  }
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].flags == 0);
  options.pin = -1;
  pin.index = 99;
  CHECK(open_phc_refclock(device.path, options, device.ioctl()));
  CHECK(pin.index == 99);
  device.handlers.erase(PTP_EXTTS_REQUEST);
  CHECK_THAT(error_of(open_phc_refclock(device.path, options, device.ioctl())), Contains("channel 1"));
  options.pin = 3;
  device.handlers.erase(PTP_PIN_SETFUNC);
  CHECK_THAT(error_of(open_phc_refclock(device.path, options, device.ioctl())),
             Contains("pin 3") && Contains("pin=-1"));
}
