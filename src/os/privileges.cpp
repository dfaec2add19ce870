// SPDX-License-Identifier: BSD-3-Clause
#include "os/privileges.hpp"

#include <cap-ng.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <vector>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

struct CapabilityInfo {
  unsigned number;
  const char* name;
};

CapabilityInfo info(Capability capability) noexcept {
  switch (capability) {
    case Capability::net_bind_service:
      return {CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"};
    case Capability::sys_time:
      return {CAP_SYS_TIME, "CAP_SYS_TIME"};
    case Capability::net_raw:
      return {CAP_NET_RAW, "CAP_NET_RAW"};
    case Capability::net_admin:
      return {CAP_NET_ADMIN, "CAP_NET_ADMIN"};
    case Capability::bpf:
      return {CAP_BPF, "CAP_BPF"};
    case Capability::perfmon:
      return {CAP_PERFMON, "CAP_PERFMON"};
    case Capability::ipc_lock:
      return {CAP_IPC_LOCK, "CAP_IPC_LOCK"};
    case Capability::sys_nice:
      return {CAP_SYS_NICE, "CAP_SYS_NICE"};
  }
  return {CAP_NET_BIND_SERVICE, "?"};
}

}  // namespace

Result<User> look_up_user(const std::string& name) {
  errno = 0;
  const passwd* entry = getpwnam(name.c_str());
  if (entry == nullptr) {
    uid_t uid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
    if (error == std::errc{} && end == name.data() + name.size()) entry = getpwuid(uid);
  }
  if (entry == nullptr)
    return fail(fmt::format(
        "no user \"{}\" on this host (create it, or choose another with the user directive)", name));
  return User{name, entry->pw_uid, entry->pw_gid};
}

bool running_as_root() noexcept {
  return geteuid() == 0;
}

const char* name(Capability capability) noexcept {
  return info(capability).name;
}

bool has_capability(Capability capability) noexcept {
  return capng_get_caps_process() == 0 &&
         capng_have_capability(CAPNG_EFFECTIVE, info(capability).number) != 0;
}

Result<void> drop_privileges(const User& user, std::span<const Capability> keep) {
  if (!running_as_root()) {
    if (geteuid() == user.uid) return {};
    return fail(fmt::format("cannot become user \"{}\": not started as root", user.name));
  }
  if (user.uid == 0) return {};
  std::vector<Capability> available;
  for (const auto capability : keep)
    if (has_capability(capability)) available.push_back(capability);
  capng_clear(CAPNG_SELECT_CAPS);
  for (const auto capability : available)
    if (capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                     info(capability).number) != 0)
      return fail(fmt::format("cannot keep {} as user \"{}\"", name(capability), user.name));
  const int result =
      capng_change_id(static_cast<int>(user.uid), static_cast<int>(user.gid), CAPNG_INIT_SUPP_GRP);
  if (result != 0)
    return fail(
        fmt::format("cannot become user \"{}\": libcap-ng error {} ({})", user.name, result, errno_text()));
  return {};
}

void set_daemon_umask() noexcept {
  umask(S_IWGRP | S_IRWXO);
}

}  // namespace wiretime::os
