// SPDX-License-Identifier: BSD-3-Clause
// LD_PRELOAD library for tests: writes a line into the file LOOP_RULES for everything a program does that the control
// thread must not do (DESIGN.md, Threads), because clock-and-network simulators replace libc's time and socket calls
// and know no others. The program goes on as if nothing had happened. Also its most sockets at a time: "sockets N".
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { kDescriptors = 1024 };

static int report_fd = -2;  // -1: nobody wants to know
static unsigned char is_socket[kDescriptors], is_connected[kDescriptors], has_error_queue[kDescriptors];
static int sockets, most_sockets;

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

__attribute__((format(printf, 1, 2))) static void report(const char *format, ...) {
  if (report_fd == -2) {  // constructors of other libraries may come before ours
    const char *path = getenv("LOOP_RULES");
    report_fd = path ? REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
  }
  if (report_fd < 0) return;
  char line[200];
  va_list values;
  va_start(values, format);
  const int length = vsnprintf(line, sizeof line - 1, format, values);
  va_end(values);
  if (length <= 0) return;
  const size_t end = (size_t)length < sizeof line - 1 ? (size_t)length : sizeof line - 2;
  line[end] = '\n';
  const int saved = errno;
  const ssize_t written = REAL(write)(report_fd, line, end + 1);
  (void)written;
  errno = saved;
}

__attribute__((constructor)) static void begin(void) {
  report("watching");
#ifdef PR_SET_TSC
  // rdtsc ends the program from here on; the vDSO's clock uses it too, so clock_gettime goes to the kernel.
  prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
#endif
}

static int tracked(int fd) { return fd >= 0 && fd < kDescriptors; }

// --- what simulators do not replace
int epoll_create(int size) { return report("epoll_create"), REAL(epoll_create)(size); }
int epoll_create1(int flags) { return report("epoll_create1"), REAL(epoll_create1)(flags); }
int signalfd(int fd, const sigset_t *mask, int flags) { return report("signalfd"), REAL(signalfd)(fd, mask, flags); }
int eventfd(unsigned value, int flags) { return report("eventfd"), REAL(eventfd)(value, flags); }
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) {
  return report("ppoll"), REAL(ppoll)(fds, n, timeout, mask);
}
int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags) {
  return report("sendmmsg"), REAL(sendmmsg)(fd, messages, n, flags);
}
int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  return report("accept4"), REAL(accept4)(fd, address, length, flags);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  return report("pthread_create"), REAL(pthread_create)(thread, attributes, start, argument);
}
long syscall(long number, ...) {
  if (number != SYS_getrandom && number != SYS_clock_adjtime) report("syscall %ld", number);
  va_list a;
  va_start(a, number);
  const long one = va_arg(a, long), two = va_arg(a, long), three = va_arg(a, long), four = va_arg(a, long);
  const long five = va_arg(a, long), six = va_arg(a, long);
  va_end(a);
  return REAL(syscall)(number, one, two, three, four, five, six);
}

// --- time
static long raw_syscall(long number, long one, long two) { return REAL(syscall)(number, one, two); }

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE && clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
    report("clock_gettime %d", (int)clock);
  return (int)raw_syscall(SYS_clock_gettime, clock, (long)now);
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  return (int)raw_syscall(SYS_gettimeofday, (long)now, (long)zone);
}
time_t time(time_t *out) {
  struct timespec now;
  if (raw_syscall(SYS_clock_gettime, CLOCK_REALTIME, (long)&now) != 0) return (time_t)-1;
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
int timerfd_create(int clock, int flags) {
  if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || flags != 0) report("timerfd_create %d %d", clock, flags);
  return REAL(timerfd_create)((__clockid_t)clock, flags);
}
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old) {
  if ((flags & ~TFD_TIMER_ABSTIME) != 0 || old) report("timerfd_settime %d", flags);
  return REAL(timerfd_settime)(fd, flags, value, old);
}

// --- descriptors
static const char *unwatchable(int fd, char *buffer, size_t size) {
  struct stat info;
  if (fstat(fd, &info) != 0 || S_ISSOCK(info.st_mode)) return NULL;
  if (S_ISFIFO(info.st_mode)) return "pipe";
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(path, buffer, size - 1);
  if (length < 0) return NULL;
  buffer[length] = '\0';
  return strstr(buffer, "[timerfd]") ? NULL : buffer;
}

int poll(struct pollfd *fds, nfds_t n, int timeout) {
  char buffer[120];
  for (nfds_t i = 0; i < n; ++i) {
    const char *what = fds[i].fd >= 0 ? unwatchable(fds[i].fd, buffer, sizeof buffer) : NULL;
    if (what) report("poll on %s", what);
  }
  const int ready = REAL(poll)(fds, n, timeout);
  for (nfds_t i = 0; i < n; ++i)
    if (tracked(fds[i].fd)) has_error_queue[fds[i].fd] = ready > 0 && (fds[i].revents & (POLLERR | POLLPRI)) != 0;
  return ready;
}

int socket(int domain, int type, int protocol) {
  if (type != SOCK_DGRAM && type != SOCK_STREAM) report("socket type %#x", (unsigned)type);
  const int fd = REAL(socket)(domain, type, protocol);
  if (!tracked(fd)) return fd;
  is_socket[fd] = 1;
  is_connected[fd] = has_error_queue[fd] = 0;
  if (++sockets > most_sockets) report("sockets %d", most_sockets = sockets);
  return fd;
}
int connect(int fd, const struct sockaddr *address, socklen_t length) {
  const int status = REAL(connect)(fd, address, length);
  if (status == 0 && tracked(fd)) is_connected[fd] = 1;
  return status;
}
int close(int fd) {
  if (tracked(fd) && is_socket[fd]) is_socket[fd] = 0, --sockets;
  return REAL(close)(fd);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  if (tracked(fd) && is_connected[fd] && message->msg_name) report("sendmsg with a name on a connected socket");
  return REAL(sendmsg)(fd, message, flags);
}
int recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *timeout) {
  if ((flags & MSG_ERRQUEUE) != 0 && tracked(fd) && !has_error_queue[fd]) report("error queue read without being told");
  return REAL(recvmmsg)(fd, messages, n, flags, timeout);
}
ssize_t read(int fd, void *buffer, size_t size) {
  char path[40], target[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(path, target, sizeof target - 1);
  if (length > 0 && (target[length] = '\0', strstr(target, "[timerfd]") != NULL)) report("read of a timerfd");
  return REAL(read)(fd, buffer, size);
}
