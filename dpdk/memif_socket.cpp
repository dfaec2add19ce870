// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/memif_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "os/file_descriptor.hpp"
#include "os/system_error.hpp"

namespace wiretime::dpdk {

Result<void> prepare_memif_server_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(fmt::format("dataplane memif {}: a socket path has 1 to {} characters", path,
                            sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return fail(fmt::format("dataplane memif {}: {}", path, os::errno_text()));
    const auto slash = path.find_last_of('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (access(directory.c_str(), W_OK | X_OK) != 0)
      return fail(fmt::format("dataplane memif {}: cannot create the socket in {}: {}", path, directory,
                              os::errno_text()));
    return {};
  }
  if (!S_ISSOCK(status.st_mode))
    return fail(fmt::format("dataplane memif {}: exists and is not a socket", path));
  const os::FileDescriptor probe{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return fail(fmt::format("dataplane memif {}: another process is the server of this socket", path));
  if (unlink(path.c_str()) != 0)
    return fail(fmt::format("dataplane memif {}: cannot remove the old socket: {}", path, os::errno_text()));
  return {};
}

}  // namespace wiretime::dpdk
