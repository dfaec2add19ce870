// SPDX-License-Identifier: BSD-3-Clause
#include "os/event_loop.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

// A deadline this near counts as reached: a simulated clock counts in doubles and may stop just short of it.
constexpr Nanoseconds kGrain{1000};

short poll_events(Ready interest) {
  int events = 0;
  if (interest.readable) events |= POLLIN;
  if (interest.writable) events |= POLLOUT;
  if (interest.priority) events |= POLLPRI;
  return static_cast<short>(events);
}

Ready ready_from(short revents) {
  Ready ready;
  ready.readable = (revents & POLLIN) != 0;
  ready.writable = (revents & POLLOUT) != 0;
  ready.priority = (revents & POLLPRI) != 0;
  ready.error = (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  return ready;
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  FileDescriptor timer{timerfd_create(CLOCK_MONOTONIC, 0)};
  if (!timer.valid()) return fail("cannot create a timer: " + errno_text());
  set_close_on_exec(timer.get());
  return std::unique_ptr<EventLoop>{new EventLoop{std::move(timer)}};
}

EventLoop::EventLoop(FileDescriptor timer_fd) : timer_fd_(std::move(timer_fd)) {
  read_clock();
}

EventLoop::~EventLoop() = default;

EventLoop::WatchId EventLoop::watch(int fd, Ready interest, WatchCallback callback) {
  const auto id = static_cast<WatchId>(++last_id_);
  watchers_.push_back(std::make_unique<Watcher>(Watcher{id, fd, interest, std::move(callback), false}));
  watchers_changed_ = true;
  return id;
}

void EventLoop::set_interest(WatchId id, Ready interest) {
  for (auto& w : watchers_)
    if (w->id == id) w->interest = interest;
  watchers_changed_ = true;
}

void EventLoop::unwatch(WatchId id) {
  // Only marked: the callback may be the one that runs now. rebuild_poll_set frees it.
  for (auto& w : watchers_)
    if (w->id == id) w->removed = true;
  watchers_changed_ = true;
}

EventLoop::TimerId EventLoop::add_timer(Nanoseconds delay, Nanoseconds period, Callback callback) {
  const auto id = static_cast<TimerId>(++last_id_);
  read_clock();
  const auto deadline = now_ + std::max(delay, Nanoseconds{0});
  timers_.emplace(TimerKey{deadline, id}, Timer{std::move(callback), period});
  deadlines_.emplace(id, deadline);
  return id;
}

EventLoop::TimerId EventLoop::after(Nanoseconds delay, Callback callback) {
  return add_timer(delay, Nanoseconds{0}, std::move(callback));
}

EventLoop::TimerId EventLoop::every(Nanoseconds period, Callback callback) {
  const auto p = std::max(period, Nanoseconds{1});
  return add_timer(p, p, std::move(callback));
}

void EventLoop::cancel(TimerId id) {
  if (id == running_timer_) running_timer_cancelled_ = true;
  const auto found = deadlines_.find(id);
  if (found == deadlines_.end()) return;
  timers_.erase({found->second, id});
  deadlines_.erase(found);
}

Result<void> EventLoop::on_signal(SignalCallback callback) {
  if (!signals_) {
    auto trap = SignalTrap::install(timer_fd_.get());
    if (!trap) return tl::make_unexpected(trap.error());
    signals_ = std::move(*trap);
  }
  signal_callback_ = std::move(callback);
  return {};
}

Result<void> EventLoop::on_clock_step(Callback callback) {
  FileDescriptor fd{timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)};
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<time_t>::max();
  if (!fd.valid() ||
      timerfd_settime(fd.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) != 0)
    return fail("cannot watch for clock steps: " + errno_text());
  step_fd_ = std::move(fd);
  watch(step_fd_.get(), kReadable, [this, callback = std::move(callback)](Ready) {
    std::uint64_t expirations = 0;
    if (read(step_fd_.get(), &expirations, sizeof expirations) < 0 && errno == ECANCELED) callback();
  });
  return {};
}

void EventLoop::read_clock() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  now_ = std::chrono::seconds{t.tv_sec} + Nanoseconds{t.tv_nsec};
}

// Sets the timerfd to the earliest deadline. One in the past expires at once; zero would disarm, so never
// that.
void EventLoop::arm() {
  itimerspec spec{};
  if (!timers_.empty()) {
    const auto deadline = std::max(timers_.begin()->first.first, Nanoseconds{1});
    spec.it_value.tv_sec = static_cast<time_t>(deadline.count() / 1'000'000'000);
    spec.it_value.tv_nsec = static_cast<long>(deadline.count() % 1'000'000'000);
  }
  timerfd_settime(timer_fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void EventLoop::run_timers() {
  read_clock();
  const auto due = now_ + kGrain;
  // Timers that callbacks add wait for the next round, so that sockets get their turn between zero delays.
  const auto newest = static_cast<TimerId>(last_id_);
  auto next = timers_.begin();
  while (!stopping_ && next != timers_.end() && next->first.first <= due) {
    if (next->first.second > newest) {
      ++next;
      continue;
    }
    const auto [deadline, id] = next->first;
    auto node = timers_.extract(next);
    deadlines_.erase(id);
    running_timer_ = id;
    running_timer_cancelled_ = false;
    node.mapped().callback();
    running_timer_ = TimerId::none;
    const auto period = node.mapped().period;
    if (period > Nanoseconds{0} && !running_timer_cancelled_) {
      const auto missed = std::max((due - deadline) / period, Nanoseconds::rep{0});
      node.key().first = deadline + (missed + 1) * period;
      deadlines_.emplace(id, node.key().first);
      timers_.insert(std::move(node));
    }
    next = timers_.begin();
  }
}

void EventLoop::run_signals() {
  if (!signals_) return;
  for (const int number : signals_->take())
    if (signal_callback_) signal_callback_(number);
}

void EventLoop::rebuild_poll_set() {
  std::erase_if(watchers_, [](const auto& w) { return w->removed; });
  poll_set_.clear();
  poll_set_.push_back({timer_fd_.get(), POLLIN, 0});
  for (const auto& w : watchers_) poll_set_.push_back({w->fd, poll_events(w->interest), 0});
  watchers_changed_ = false;
}

void EventLoop::run_watchers() {
  // Callbacks may append to watchers_; the first poll_set_.size() - 1 keep their places until the next
  // rebuild.
  for (std::size_t i = 1; i < poll_set_.size() && !stopping_; ++i) {
    const short revents = poll_set_[i].revents;
    Watcher* const w = watchers_[i - 1].get();
    if (revents == 0 || w->removed) continue;
    w->callback(ready_from(revents));
    if ((revents & POLLNVAL) != 0) unwatch(w->id);  // or poll would return at once for ever
  }
}

Result<void> EventLoop::run() {
  stopping_ = false;
  while (!stopping_) {
    run_timers();
    if (stopping_) break;
    if (watchers_changed_) rebuild_poll_set();
    arm();
    if (signals_ && signals_->pending()) {
      run_signals();
      continue;
    }
    const int n = poll(poll_set_.data(), poll_set_.size(), -1);
    if (n < 0 && errno != EINTR && errno != EAGAIN) return fail("poll failed: " + errno_text());
    run_signals();
    read_clock();
    if (n > 0) run_watchers();
  }
  return {};
}

}  // namespace wiretime::os
