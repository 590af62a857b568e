#pragma once

#include "sandbox/launcher/bare/forwarder_task.hpp"

namespace satellite::sandbox::bare {

/// The life of the process that carries connections from single ports of a run's loopback to the
/// same ports of the host's; never returns.
///
/// Shape:  takes its task from `socket`, binds the ports inside, gives up every right and says '1'
///         when they answer as the host's do. A port of the run listens while the host has a
///         listener that the same connection would reach and whose queue has room; else the kernel
///         refuses by itself. It looks 20 times a second. At most 64 connections are carried at a
///         time, others wait in the queue.
/// Errors: it ends, with what it holds.
/// Source: sock_diag(7), splice(2), epoll(7).
[[noreturn]] void run_forwarder(int socket);

}  // namespace satellite::sandbox::bare
