// SPDX-License-Identifier: BSD-3-Clause
// The command socket: a unix datagram server that answers to the path its peer bound. Whoever may open the
// socket has full access, so its directory must be closed to others. Control thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "os/files.hpp"
#include "os/socket.hpp"

namespace wiretime::os {

// A socket bound to `path`. A socket file that nobody answers any more is replaced; any other file, or one
// that somebody listens on, is an error. `what`, for messages: "command socket".
[[nodiscard]] SocketResult<FileDescriptor> bind_unix_datagram(const std::string& path,
                                                              const std::string& what);

class UnixDatagramServer {
 public:
  // Creates the directory (0770, given to `owner`) when missing.
  [[nodiscard]] static SocketResult<UnixDatagramServer> bind(const std::string& path,
                                                             std::optional<Owner> owner = {});
  UnixDatagramServer(UnixDatagramServer&& other) noexcept;
  UnixDatagramServer& operator=(UnixDatagramServer&& other) noexcept;
  ~UnixDatagramServer();  // removes the socket file

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  struct Message {
    std::span<std::byte> payload;  // in the caller's buffer
    std::string peer_path;         // empty: the peer is not bound and cannot be answered
    bool truncated = false;
  };
  // The next message, or nullopt when none waits.
  [[nodiscard]] std::optional<Message> receive(std::span<std::byte> buffer);
  // False when the peer has gone or its queue is full (errno).
  bool send(std::span<const std::byte> message, const std::string& peer_path) noexcept;

 private:
  UnixDatagramServer(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  void remove_file() noexcept;

  FileDescriptor fd_;
  std::string path_;  // empty: moved from
};

}  // namespace wiretime::os
