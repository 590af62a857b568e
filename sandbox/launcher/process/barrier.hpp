#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/init_block.hpp"

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <utility>

namespace satellite::sandbox {

/// One read of a socket that a process of a run reports on.
struct Incoming {
  bool closed = false;  ///< the other end is gone, or sent what is no report
  std::optional<InitReport> report;
  std::optional<pid_t> sender;  ///< the kernel's word, where the socket asks for it
};
Incoming receive_report(int socket);

/// The launcher's end of the barrier at which a script's process waits.
///
/// Shape:  the first process that reports as standing is the script's; every later report must come
///         from the same one. A process that waits there takes the closed socket for a no.
class Barrier {
 public:
  Barrier() = default;
  explicit Barrier(UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  bool is_open() const { return bool{socket_}; }
  void close() { socket_.reset(); }
  /// Notes that `incoming`, a report of `expected`, was sent from the barrier. False when it is
  /// another report, or another process that sent it.
  bool take(const Incoming& incoming, InitReportKind expected);
  /// The process that stands there.
  std::optional<pid_t> script() const { return script_; }
  std::uint32_t landlock_abi() const { return landlock_abi_; }
  /// It could not signal its init any more when it tried.
  bool keeps_signals() const { return keeps_signals_; }
  /// Sends the one byte for which the process waits after each measuring.
  void send_go() const;

 private:
  UniqueFd socket_;
  std::optional<pid_t> script_;
  std::uint32_t landlock_abi_ = 0;
  bool keeps_signals_ = false;
};

}  // namespace satellite::sandbox
