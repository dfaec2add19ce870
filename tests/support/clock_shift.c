// SPDX-License-Identifier: BSD-3-Clause
// LD_PRELOAD library for tests: the program sees a real-time clock that is wrong by CLOCK_SHIFT seconds at its start and
// gains CLOCK_DRIFT ppm (decimal numbers; positive: fast), and no clock is touched. Kernel packet timestamps would
// betray the true time, so sockets are refused them and the program reads its clock instead. Makes a stock
// chronyd -x a server that lies.
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

enum { kNsPerSecond = 1000000000 };

static double shift;  // s, at the program's start
static double drift;  // s/s
static struct timespec start;  // CLOCK_MONOTONIC
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_setsockopt)(int, int, int, const void *, socklen_t);

static double number(const char *name) {
  const char *text = getenv(name);
  return text ? strtod(text, NULL) : 0;
}

__attribute__((constructor)) static void prepare(void) {
  *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  *(void **)&real_setsockopt = dlsym(RTLD_NEXT, "setsockopt");
  shift = number("CLOCK_SHIFT");
  drift = number("CLOCK_DRIFT") * 1e-6;
  real_clock_gettime(CLOCK_MONOTONIC, &start);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (!real_clock_gettime) prepare();  // a constructor of another library may come first
  const int status = real_clock_gettime(clock, now);
  if (status != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return status;
  struct timespec running;
  real_clock_gettime(CLOCK_MONOTONIC, &running);
  const double age = (double)(running.tv_sec - start.tv_sec) + (double)(running.tv_nsec - start.tv_nsec) / kNsPerSecond;
  const double wrong = shift + drift * age;
  now->tv_sec += (time_t)floor(wrong);
  now->tv_nsec += (long)((wrong - floor(wrong)) * kNsPerSecond);
  if (now->tv_nsec >= kNsPerSecond) {
    now->tv_nsec -= kNsPerSecond;
    ++now->tv_sec;
  }
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec fine;
  const int status = clock_gettime(CLOCK_REALTIME, &fine);
  now->tv_sec = fine.tv_sec;
  now->tv_usec = fine.tv_nsec / 1000;
  return status;
}

time_t time(time_t *out) {
  struct timespec fine;
  if (clock_gettime(CLOCK_REALTIME, &fine) != 0) return (time_t)-1;
  if (out) *out = fine.tv_sec;
  return fine.tv_sec;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  if (!real_setsockopt) prepare();
  if (level == SOL_SOCKET && (name == SO_TIMESTAMP || name == SO_TIMESTAMPNS || name == SO_TIMESTAMPING)) {
    errno = ENOPROTOOPT;
    return -1;
  }
  return real_setsockopt(fd, level, name, value, length);
}
