#pragma once

namespace satellite::sandbox::bare {

/// One look at all processes and a millisecond each.
inline constexpr int kill_passes_max = 5'000;

/// Kills every living descendant of this process, except `spared` and what descends from them.
///
/// Shape:  stops everything first, pass by pass, so that a fork bomb cannot outrun the killing,
///         then kills. Zombies are left for the caller to reap. Requires that this process is a
///         child subreaper or pid 1: orphans must come to it.
///         Never more than `passes` in all, whatever the descendants do meanwhile.
/// Errors: returns false when something may be alive after the last of them: it was seen, or a look
///         at all processes was not whole (no descriptor left, more than 65,536 processes).
///         Of processes that /proc hides from this user (hidepid) only children are found, and
///         they need a kernel with /proc/PID/task/TID/children.
/// Source: /proc/PID/stat (proc(5)); pidfds make sure that a reused pid is never hit.
bool kill_descendants(const int* spared, int spared_count, int passes = kill_passes_max);

/// Whether `root` or anything below it waits in the kernel for something that no signal interrupts.
bool any_hangs_below(int root);

}  // namespace satellite::sandbox::bare
