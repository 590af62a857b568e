#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <stop_token>
#include <string>
#include <utility>

namespace satellite::agent {

/// The confined process that unpacks archives of foreign origin (run_unpack_child), seen from the
/// one that has it do so.
///
/// Shape:  this program, started anew: it has nothing of the memory of its parent, which holds
///         secrets. Every call waits, so none belongs on an event loop. It ends with its owner.
/// Errors: unsupported = it cannot be confined on this host; invalid_input and limit_exceeded = the
///         archive breaks a rule; timed_out and io_failed = the process was killed or died, and
///         another one is needed.
class UnpackProcess {
 public:
  /// `program` is this program as a path; `directory` the one directory it may write to, borrowed
  /// for the call.
  static Result<UnpackProcess> start(const std::string& program, int directory);
  UnpackProcess(UnpackProcess&& other) noexcept = default;
  UnpackProcess& operator=(UnpackProcess&&) = delete;
  ~UnpackProcess();

  /// Makes `<directory>/<name>/package` of the archive, and `<name>/contents` beside it.
  Result<void> unpack(int archive, const std::string& name, const std::stop_token& stop);

  /// It answered everything so far.
  bool is_usable() const { return process_ && socket_; }
  int orders() const { return orders_; }
  const std::string& walls() const { return walls_; }

 private:
  UnpackProcess(UniqueFd process, UniqueFd socket)
      : process_(std::move(process)), socket_(std::move(socket)) {}
  Result<std::string> receive(const std::stop_token& stop);
  /// Ends and reaps it, once; what it died of.
  Error end();

  UniqueFd process_;  ///< a pidfd: a number would outlive the process, and -1 is everybody
  UniqueFd socket_;
  std::string walls_;
  int orders_ = 0;
};

}  // namespace satellite::agent
