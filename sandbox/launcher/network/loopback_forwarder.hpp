#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/launcher/network/network_builder.hpp"

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <vector>

namespace satellite::sandbox {

/// The process that carries connections from single ports of a run's loopback to the same ports of
/// the host's (bare/forwarder).
///
/// Shape:  `ready` becomes readable with one byte when the ports answer as the host's do, and with
///         the end of file when the process is gone.
struct LoopbackForwarder {
  pid_t pid = -1;
  UniqueFd pidfd, ready;
};

/// What it carries, and for whom.
struct ForwarderWish {
  std::vector<std::uint16_t> ports;
  /// Where there is one it gets it, so that firewalls and ss(8) of the host see the scripts' user.
  std::optional<Identity> identity;
  /// Its real and saved user then, if not 0, so that no signal of the script reaches it
  /// (PlannedRun::init_uid).
  std::uint32_t own_uid = 0;
};

/// Starts it for the namespace `of`, from the executable memory file `program`, or as a copy of the
/// launcher where that is -1: a host may forbid such files.
///
/// Shape:  it holds the run's network: end it before the run counts as over.
/// Errors: more ports than it takes, the clone. What fails later shows as the end of `ready`.
Result<LoopbackForwarder> start_loopback_forwarder(const NetworkNamespace& of,
                                                   const ForwarderWish& wish, int program);

}  // namespace satellite::sandbox
