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
/// the host's.
///
/// Shape:  `ready` becomes readable with one byte when the ports answer as the host's do, and with
///         the end of file when the process is gone.
struct LoopbackForwarder {
  pid_t pid = -1;
  UniqueFd pidfd, ready;
};

/// Starts it for the namespace `of`, as `identity` where there is one, so that firewalls and ss(8)
/// of the host see the scripts' user; its real and saved user is then `own_uid`, if not 0, so that
/// no signal of the script reaches it (PlannedRun::init_uid).
///
/// Shape:  a port of the run listens while the host has a listener that the same connection would
///         reach and whose queue has room; else the kernel refuses by itself. It looks 20 times a
///         second. At most 64 connections are carried at a time, others wait in the queue.
///         It holds the run's network: end it before the run counts as over.
/// Errors: the fork. What fails later shows as the end of `ready`.
/// Source: sock_diag(7), splice(2).
Result<LoopbackForwarder> start_loopback_forwarder(const NetworkNamespace& of,
                                                   const std::vector<std::uint16_t>& ports,
                                                   const std::optional<Identity>& identity,
                                                   std::uint32_t own_uid);

}  // namespace satellite::sandbox
