// SPDX-License-Identifier: BSD-3-Clause
// From root to the configured user, keeping only the capabilities the service needs (libcap-ng). Start-up,
// before any thread exists: capabilities belong to threads, and threads made later inherit what is left.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

#include "base/result.hpp"

namespace wiretime::os {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// By name or number. Error: no such user.
[[nodiscard]] Result<User> look_up_user(const std::string& name);
[[nodiscard]] bool running_as_root() noexcept;

enum class Capability : std::uint8_t {
  net_bind_service,
  sys_time,
  net_raw,
  net_admin,
  bpf,
  perfmon,
  ipc_lock,
  sys_nice,
};
[[nodiscard]] const char* name(Capability capability) noexcept;  // "CAP_NET_RAW"
[[nodiscard]] bool has_capability(Capability capability) noexcept;

// To become root is to do nothing. Already being `user` is fine too; being anybody else is an error.
// Capabilities this process does not have (container, bounding set) are left out: ask has_capability for what
// must be there.
[[nodiscard]] Result<void> drop_privileges(const User& user, std::span<const Capability> keep);

// Files that this process makes: nothing for others, no write for the group.
void set_daemon_umask() noexcept;

}  // namespace wiretime::os
