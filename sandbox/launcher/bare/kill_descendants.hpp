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
/// Errors: returns false when something was still alive after the last of them.
/// Source: /proc/PID/stat (proc(5)); pidfds make sure that a reused pid is never hit.
bool kill_descendants(const int* spared, int spared_count, int passes = kill_passes_max);

/// Whether `root` or anything below it waits in the kernel for something that no signal interrupts.
bool any_hangs_below(int root);

}  // namespace satellite::sandbox::bare
