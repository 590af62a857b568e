#pragma once

namespace satellite::agent {

/// From here on this process may hold secrets: no core dump of it, and no debugger of its own user.
///
/// Shape:  for the process, and for what is forked from it until that executes a program; so it
///         comes after the launcher, which has to write maps of user ids for its children.
/// Source: prctl(2) PR_SET_DUMPABLE; ptrace(2) "Ptrace access mode checking".
void keep_memory_private();

}  // namespace satellite::agent
