// SPDX-License-Identifier: BSD-3-Clause
// What chronyc's commands do: access lists, `local`, logs and shutdown act; commands for sources and clock
// are the source manager's; those for the RTC answer as a chronyd without one would, and never claim a change
// that was not made. Control thread.
#pragma once

#include <chrono>

#include "clock/served_reference.hpp"
#include "ntp/access_list.hpp"
#include "status/command.hpp"

namespace wiretime::control {

class SourceManager;

// What commands act on.
class CommandTarget {
 public:
  virtual ~CommandTarget() = default;

  // The lists as they stand; report a change with access_changed.
  [[nodiscard]] virtual ntp::AccessRules& ntp_access() = 0;
  [[nodiscard]] virtual ntp::AccessRules& command_access() = 0;
  // Puts changed lists to work; false: a socket that they need could not be opened.
  [[nodiscard]] virtual bool access_changed() = 0;
  [[nodiscard]] virtual clock::LocalConfig local() const = 0;
  virtual void set_local(const clock::LocalConfig& local) = 0;
  // How long an orphan waits after start before it serves, when nobody said.
  [[nodiscard]] virtual std::chrono::duration<double> default_orphan_wait() const = 0;
  // Null: none can be configured.
  [[nodiscard]] virtual SourceManager* sources() { return nullptr; }
  [[nodiscard]] virtual bool cycle_logs() = 0;
  // Reads the key file again; false: it could not be read, and the keys are what they were.
  [[nodiscard]] virtual bool reread_keys() = 0;
  // Writes the sources' history into dumpdir, if there is one.
  [[nodiscard]] virtual bool dump() { return true; }
  virtual void reload_sources() {}
  virtual void begin_shutdown() = 0;
};

class Commands final : public status::Executor {
 public:
  explicit Commands(CommandTarget& target) : target_{target} {}
  status::Outcome execute(const status::Command& command) override;

 private:
  CommandTarget& target_;
};

}  // namespace wiretime::control
