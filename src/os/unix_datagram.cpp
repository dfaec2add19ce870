// SPDX-License-Identifier: BSD-3-Clause
#include "os/unix_datagram.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

using Kind = SocketError::Kind;

auto refuse(Kind kind, std::string message) {
  return tl::make_unexpected(SocketError{kind, std::move(message)});
}

// False when the path does not fit. The whole structure is passed on as the address, zero filled: Linux stops
// at the first zero, and simulators want the full length.
bool set_path(SocketAddress& address, const std::string& path) noexcept {
  if (path.empty() || path.size() >= sizeof address.local.sun_path) return false;
  address.local.sun_family = AF_UNIX;
  std::memcpy(address.local.sun_path, path.c_str(), path.size() + 1);
  return true;
}

// Clears the way for bind: nothing there, or a socket without an owner, which is removed.
SocketResult<void> remove_stale(const std::string& path, const SocketAddress& address,
                                const std::string& what) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode))
    return refuse(Kind::in_use, fmt::format("{} {}: a file that is not a socket is in the way (move it, or "
                                            "configure another path)",
                                            what, path));
  FileDescriptor probe{socket(AF_UNIX, SOCK_DGRAM, 0)};
  if (!probe.valid()) return refuse(Kind::other, "cannot create a unix socket: " + errno_text());
  if (connect(probe.get(), &address.base, sizeof address.local) == 0 || errno != ECONNREFUSED)
    return refuse(Kind::in_use,
                  fmt::format("{} {}: already in use by another program (find it with: ss -xlp | grep {})",
                              what, path, path));
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return refuse(Kind::no_permission,
                  fmt::format("cannot remove the stale {} {}: {}", what, path, errno_text()));
  return {};
}

SocketResult<void> check_directory(const std::string& directory) {
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0)
    return refuse(Kind::other, fmt::format("cannot look at directory {}: {}", directory, errno_text()));
  if ((status.st_mode & S_IRWXO) != 0)
    return refuse(Kind::no_permission, fmt::format("directory {} of the command socket is open to all users "
                                                   "(close it with: chmod o-rwx {})",
                                                   directory, directory));
  return {};
}

}  // namespace

SocketResult<FileDescriptor> bind_unix_datagram(const std::string& path, const std::string& what) {
  SocketAddress address;
  if (!set_path(address, path))
    return refuse(Kind::other, fmt::format("{} path is too long, at most {} characters: {}", what,
                                           sizeof address.local.sun_path - 1, path));
  if (auto clear = remove_stale(path, address, what); !clear) return tl::make_unexpected(clear.error());
  auto fd = make_socket(AF_UNIX, SOCK_DGRAM, what + ' ' + path);
  if (!fd) return tl::make_unexpected(fd.error());
  if (::bind(fd->get(), &address.base, sizeof address.local) == 0) return fd;
  const int error = errno;
  return refuse(error == EADDRINUSE ? Kind::in_use
                : error == EACCES   ? Kind::no_permission
                                    : Kind::other,
                fmt::format("cannot create {} {}: {}", what, path, errno_text(error)));
}

SocketResult<UnixDatagramServer> UnixDatagramServer::bind(const std::string& path,
                                                          std::optional<Owner> owner) {
  const auto directory = parent_directory(path);
  if (auto made = create_directory(directory, 0770, owner); !made)
    return refuse(Kind::other, made.error().message);
  if (auto checked = check_directory(directory); !checked) return tl::make_unexpected(checked.error());
  auto fd = bind_unix_datagram(path, "command socket");
  if (!fd) return tl::make_unexpected(fd.error());
  UnixDatagramServer server{std::move(*fd), path};
  chmod(path.c_str(), 0660);
  return server;
}

UnixDatagramServer::UnixDatagramServer(UnixDatagramServer&& other) noexcept
    : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})) {}

UnixDatagramServer& UnixDatagramServer::operator=(UnixDatagramServer&& other) noexcept {
  if (this != &other) {
    remove_file();
    fd_ = std::move(other.fd_);
    path_ = std::exchange(other.path_, {});
  }
  return *this;
}

UnixDatagramServer::~UnixDatagramServer() {
  remove_file();
}

void UnixDatagramServer::remove_file() noexcept {
  if (!path_.empty()) unlink(path_.c_str());
}

std::optional<UnixDatagramServer::Message> UnixDatagramServer::receive(std::span<std::byte> buffer) {
  SocketAddress peer;
  iovec vector{buffer.data(), buffer.size()};
  msghdr header{};
  header.msg_name = &peer;
  header.msg_namelen = sizeof peer;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  const ssize_t n = recvmsg(fd_.get(), &header, MSG_DONTWAIT);
  if (n < 0) return std::nullopt;
  Message message;
  message.payload = buffer.first(static_cast<std::size_t>(n));
  message.truncated = (header.msg_flags & MSG_TRUNC) != 0;
  // An abstract address starts with a zero: not a path, so it reads as empty and stays unanswered.
  if (header.msg_namelen > offsetof(sockaddr_un, sun_path))
    message.peer_path.assign(peer.local.sun_path, strnlen(peer.local.sun_path, sizeof peer.local.sun_path));
  return message;
}

bool UnixDatagramServer::send(std::span<const std::byte> message, const std::string& peer_path) noexcept {
  SocketAddress peer;
  if (!set_path(peer, peer_path)) {
    errno = EDESTADDRREQ;
    return false;
  }
  return sendto(fd_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL, &peer.base,
                sizeof peer.local) >= 0;
}

}  // namespace wiretime::os
