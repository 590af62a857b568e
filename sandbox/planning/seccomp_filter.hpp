#pragma once

#include <linux/filter.h>
#include <vector>

namespace satellite::sandbox {

/// Whether a script is in the host's pid namespace, where others of its user are within its reach.
enum class OtherProcesses { unseen, seen };

/// The system call filter of every confined script, for the architecture we are built for.
///
/// Shape:  pure. A deny list: programs of all kinds must run, and what is denied is what a script
///         that looks after a host never needs but an attack on the kernel does. Foreign
///         architectures are killed, because their numbers mean other calls; calls younger than
///         this list do not exist (ENOSYS), so that a new kernel opens no new door by itself.
/// Errors: EPERM, except where programs know how to go on without: ENOSYS for clone3 and io_uring,
///         EAFNOSUPPORT and EPROTONOSUPPORT for sockets.
///         A script that sees others may schedule itself alone, by 0 for its own number: a filter
///         cannot know whose another number is, and the kernel asks only for the same user.
/// Source: seccomp(2); sandbox/README.md "Decisions". Proven by an interpreter in the unit tests.
std::vector<sock_filter> script_seccomp_filter(OtherProcesses others = OtherProcesses::unseen);

/// How an init ends its run: kill(2) of -1 reaches exactly that, or it looks for what is below it.
enum class KillsBy { one_call, looking };

/// The filter of the init of a run: only what reaping, killing and reporting take; all else kills.
std::vector<sock_filter> init_seccomp_filter(KillsBy how);

/// The filter of the process that carries connections to the host's loopback; all else is EPERM.
std::vector<sock_filter> forwarder_seccomp_filter();

/// The filter of the process that copies a check's state; all else is EPERM.
std::vector<sock_filter> state_copy_seccomp_filter();

}  // namespace satellite::sandbox
