#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <signal.h>
#include <sys/types.h>
#include <cstdint>
#include <vector>

namespace satellite::sandbox {

// How the forked launcher becomes a process of its own.

inline constexpr int agent_gone_signal = SIGUSR2;

/// Leaves the agent's world: its terminal, its descriptors, its signals.
void separate_from_agent(pid_t agent_pid);

/// From here on nothing that we start can change the host's mounts. What the host mounts later is
/// still seen, as the next run has to show it. Without the right to do it nothing is done: then
/// nothing that we start has the right to change mounts either.
void separate_mounts();

/// Everything else that the agent had open is closed, and nothing is on 0, 1 and 2 but silence.
void keep_descriptors(std::vector<int> kept);

/// Blocked signals arrive through the descriptor; the others (a service manager's TERM to the whole
/// group, a terminal's INT) are the agent's to answer, so they are ignored here.
UniqueFd take_signals();

/// The kernel does not let a user debug a process that dropped to that user.
bool cannot_debug_dropped_processes();

/// What the kernel has of Landlock, asked by using its call; 0 = nothing.
std::uint32_t landlock_abi();

/// The kernel counts descriptors that are on their way in messages per user, and lets nobody send
/// whose limit of open files is below that count. A script of our own user can therefore stop an
/// agent with the usual 1024 from sending any order. Scripts keep the limit of the launcher, which
/// was forked before this.
void raise_limit_of_open_files();

}  // namespace satellite::sandbox
