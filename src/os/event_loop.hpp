// SPDX-License-Identifier: BSD-3-Clause
// The control thread's only loop: descriptors, timers and signals over one poll(). Control thread only.
//
// Timers are one absolute CLOCK_MONOTONIC timerfd armed for the earliest deadline, rather than poll's
// timeout: poll counts milliseconds, and a clock-and-network simulator under LD_PRELOAD replaces poll, select
// and timerfd (but not ppoll, epoll or signalfd) and needs an armed timerfd to know how far it may advance.
// The timerfd is never read, only set again, which clears it: simulated ones cannot be read. A signal cannot
// be lost between "none pending" and poll(): its handler sets the timerfd to expire at once.
#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "os/file_descriptor.hpp"
#include "os/signals.hpp"

namespace wiretime::os {

// What a watcher waits for, and what it is told.
struct Ready {
  bool readable = false;
  bool writable = false;
  bool priority = false;
  bool error = false;  // only told: POLLERR, POLLHUP or POLLNVAL
};
inline constexpr Ready kReadable{true, false, false, false};
inline constexpr Ready kWritable{false, true, false, false};
// Transmit times count as an error for the kernel, as priority data for simulators.
inline constexpr Ready kReadableOrStamped{true, false, true, false};

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using WatchCallback = std::function<void(Ready)>;
  using SignalCallback = std::function<void(int signal_number)>;
  enum class WatchId : std::uint64_t { none = 0 };  // never reused
  enum class TimerId : std::uint64_t { none = 0 };

  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // Calls back each time round the loop while `fd` is ready (level triggered). Does not own `fd`: unwatch
  // before closing it. A watcher whose descriptor was closed is told `error` once and removed.
  WatchId watch(int fd, Ready interest, WatchCallback callback);
  void set_interest(WatchId id, Ready interest);
  void unwatch(WatchId id);  // also from inside any callback; unknown ids are ignored

  // Delays below zero count as zero. A periodic timer keeps its phase and skips periods it missed.
  // Callbacks may add and cancel timers, themselves included. Never early by more than a microsecond.
  TimerId after(Nanoseconds delay, Callback callback);
  TimerId every(Nanoseconds period, Callback callback);  // period > 0; first call after one period
  void cancel(TimerId id);

  // SIGTERM, SIGINT and SIGHUP reach `callback` on this thread, whichever thread got them; SIGPIPE is
  // ignored. Until then signals keep their default action. At most one loop per process has signals.
  [[nodiscard]] Result<void> on_signal(SignalCallback callback);

  // Calls back as soon as CLOCK_REALTIME is set or stepped, also by ourselves and by a leap second.
  // Simulators lack TFD_TIMER_CANCEL_ON_SET: ask only with a data plane.
  [[nodiscard]] Result<void> on_clock_step(Callback callback);

  // Until stop(). Error only when poll() itself fails for good.
  [[nodiscard]] Result<void> run();
  void stop() noexcept { stopping_ = true; }

  // CLOCK_MONOTONIC as read once per round: the time that `after` counts from.
  [[nodiscard]] Nanoseconds now() const noexcept { return now_; }

 private:
  struct Watcher {
    WatchId id;
    int fd;
    Ready interest;
    WatchCallback callback;
    bool removed = false;
  };
  struct Timer {
    Callback callback;
    Nanoseconds period;  // 0: once
  };
  using TimerKey = std::pair<Nanoseconds, TimerId>;  // deadline, then order of creation

  explicit EventLoop(FileDescriptor timer_fd);
  TimerId add_timer(Nanoseconds delay, Nanoseconds period, Callback callback);
  void read_clock() noexcept;
  void arm();
  void run_timers();
  void run_signals();
  void run_watchers();
  void rebuild_poll_set();

  FileDescriptor timer_fd_;
  FileDescriptor step_fd_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<pollfd> poll_set_;  // [0] is the timerfd; [i + 1] belongs to watchers_[i]
  std::map<TimerKey, Timer> timers_;
  std::unordered_map<TimerId, Nanoseconds> deadlines_;
  std::unique_ptr<SignalTrap> signals_;
  SignalCallback signal_callback_;
  TimerId running_timer_ = TimerId::none;
  bool running_timer_cancelled_ = false;
  bool watchers_changed_ = true;
  bool stopping_ = false;
  std::uint64_t last_id_ = 0;
  Nanoseconds now_{0};
};

}  // namespace wiretime::os
