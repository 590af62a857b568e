#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <signal.h>
#include <sys/types.h>
#include <cstdint>
#include <vector>

namespace satellite::sandbox {

// How the forked launcher becomes a process of its own.

inline constexpr int agent_gone_signal = SIGUSR2;

/// A session, a name and a covered command line of its own; undumpable, a child subreaper, and told
/// by agent_gone_signal when the agent dies.
void separate_from_agent(pid_t agent_pid);

/// Where every mount of the host propagates (shared or slave): moves into a mount namespace whose
/// mounts are slaves of the host's, so that later mounts of the host still arrive. Elsewhere, and
/// without CAP_SYS_ADMIN, it does nothing; whatever is started and may mount has its own namespace.
void separate_mounts();

/// Closes every descriptor but `kept`, and puts /dev/null on 0, 1 and 2.
void keep_descriptors(std::vector<int> kept);

/// Blocked signals arrive through the descriptor; the others (a service manager's TERM to the whole
/// group, a terminal's INT) are the agent's to answer, so they stay blocked here. None is ignored
/// or handled from here on, which every process that is started here inherits.
UniqueFd take_signals();

/// Whether the kernel keeps a user from debugging a process that changed its ids to that user.
bool cannot_debug_dropped_processes();

/// The version of the kernel's Landlock interface; 0 = none.
std::uint32_t landlock_abi();

/// Raises the soft limit of open files to the hard one, for agent and launcher; what it was comes
/// back, for scripts (script_open_files).
///
/// Shape:  the kernel counts descriptors that are on their way in messages per user, and lets
///         nobody send whose limit is below that count. A script of our own user could therefore
///         stop an agent with the usual 1024 from sending any order. And a low limit of the shell
///         that started us would fail at places that cannot say why.
/// Errors: limit_exceeded when the hard limit is too low for the launcher and one run.
Result<std::uint64_t> raise_limit_of_open_files();

/// The soft limit of a script whose policy names none: the one that the satellite was started with,
/// but never less than what every login has. Programs that close all descriptors they might have
/// would take seconds under our own.
std::uint64_t script_open_files(std::uint64_t started_with);

}  // namespace satellite::sandbox
