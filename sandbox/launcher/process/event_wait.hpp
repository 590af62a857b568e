#pragma once

#include <poll.h>

#include <span>

namespace satellite::sandbox {

/// Waits until one of `watched` has something to tell, as poll(2), also when these are more than
/// the process may have open by now.
///
/// Shape:  `revents` of each; all 0 after a signal, and when the time is over.
/// Units:  milliseconds; -1 = for ever.
/// Errors: none. poll(2) refuses more entries than RLIMIT_NOFILE, which may be lowered from outside
///         while they are open: then it is asked for parts of them, a few times a second.
/// Source: poll(2) "EINVAL", prlimit(2).
void wait_for_events(std::span<pollfd> watched, int milliseconds);

}  // namespace satellite::sandbox
