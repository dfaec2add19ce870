// SPDX-License-Identifier: BSD-3-Clause
// SHM: a System V shared memory segment that another program, such as gpsd, writes times into.
#include <fmt/format.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include <atomic>
#include <cstring>

#include "clock/refclock_format.hpp"
#include "os/refclock_driver.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

class ShmRefclock final : public RefclockDriver {
 public:
  explicit ShmRefclock(clock::ShmSegment* segment) : segment_{segment} {}
  ShmRefclock(const ShmRefclock&) = delete;
  ShmRefclock& operator=(const ShmRefclock&) = delete;
  ~ShmRefclock() override { shmdt(segment_); }

  std::optional<clock::ClockReading> poll() override {
    // Both are atomic in hardware; the fences keep the copy between the two readings of the count.
    std::atomic_ref<int> count{segment_->count};
    const int before = count.load(std::memory_order_acquire);
    clock::ShmSegment copy;
    std::memcpy(&copy, segment_, sizeof copy);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (copy.mode == 1 && count.load(std::memory_order_relaxed) != before) return std::nullopt;
    if (copy.valid == 0) return std::nullopt;
    std::atomic_ref<int>{segment_->valid}.store(0, std::memory_order_release);
    return clock::decode_shm(copy);
  }

 private:
  clock::ShmSegment* segment_;
};

}  // namespace

DriverResult open_shm_refclock(unsigned unit, unsigned permissions) {
  const int key = clock::ShmSegment::kKey + static_cast<int>(unit);
  const int id = shmget(key, sizeof(clock::ShmSegment), IPC_CREAT | static_cast<int>(permissions & 0777));
  if (id < 0)
    return fail(
        fmt::format("refclock SHM {}: cannot create or open the shared memory segment {:#x}: {} (see "
                    "who has it with: ipcs -m)",
                    unit, key, errno_text()));
  void* const memory = shmat(id, nullptr, 0);
  if (memory == reinterpret_cast<void*>(-1))
    return fail(fmt::format("refclock SHM {}: cannot attach the shared memory segment {:#x}: {}", unit, key,
                            errno_text()));
  return std::make_unique<ShmRefclock>(static_cast<clock::ShmSegment*>(memory));
}

}  // namespace wiretime::os
