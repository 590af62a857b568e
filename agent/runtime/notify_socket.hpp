#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

/// The service manager that started this program and waits for its word, if there is one.
///
/// Shape:  one datagram for each call; nothing where nobody asked for them. Never waits: what a
///         full socket does not take is lost.
/// Errors: none: a service manager that is gone is no reason to stop.
/// Source: sd_notify(3); systemd.service(5) "Type=notify", "WatchdogSec=".
class NotifySocket {
 public:
  struct Settings {
    std::string socket;  ///< $NOTIFY_SOCKET: a path, or `@name`; empty = nobody asks
    std::chrono::microseconds watchdog{0};  ///< zero = nobody watches
  };
  /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that nothing
  /// that is started later speaks in our name. A watchdog that is meant for another process counts
  /// as none.
  static Settings take_from_environment();

  explicit NotifySocket(Settings settings);

  void ready(std::string_view status);
  /// A reload began at this time of CLOCK_MONOTONIC; ready() ends it.
  void reloading(std::chrono::microseconds monotonic);
  /// The stop may take this long.
  void stopping(std::chrono::microseconds limit, std::string_view status);
  void status(std::string_view text);
  void alive();

  /// How often alive() is due: half of what the service manager waits. Nothing = never.
  std::optional<std::chrono::microseconds> alive_every() const;

 private:
  void tell(const std::string& datagram);

  Settings settings_;
  UniqueFd socket_;
};

}  // namespace satellite::agent
