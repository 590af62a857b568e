#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

// What a process of a run gives up for good. Same rules as script_child.cpp. Each is fatal on
// failure.

/// The irreversible drop. Groups go first: without privilege they can no longer be shed.
void change_identity(const Attempt& attempt, std::uint32_t uid, std::uint32_t gid);

/// No capability in any set, none to be gained by a user id 0 or by a file, and the switches for
/// that locked.
void lock_capability_rules(const Attempt& attempt);
void drop_capabilities(const Attempt& attempt);

/// A session keyring that no other run shares. A kernel without keyrings has nothing to share.
void take_session_keyring(const Attempt& attempt);

/// One user namespace deeper, with single-line maps; the caller keeps no capability outside it.
void enter_nested_user_namespace(const Attempt& attempt, const char* uid_map, const char* gid_map);

/// Writes one text into one file, whole. The result is that of the call that failed, or >= 0.
long write_file(const char* path, const char* text);

/// Makes this process and its children the first to go when the host runs out of memory. Works for
/// root and for whoever is dumpable; a wish, not a layer, so nobody asks whether it did. Never in a
/// process that shares its memory: the kernel would mark the other one, too.
void be_first_to_go();

/// The second layer on files, and the border for abstract sockets and signals. Tried out at once:
/// a file that only this layer keeps closed must be closed afterwards. Returns the version of the
/// interface that is in force, 0 = none.
std::uint32_t restrict_by_landlock(const Attempt& attempt, const InitBlock& block);

/// Comes last, because it refuses calls that the steps before it need.
void install_seccomp_filter(const Attempt& attempt, int index, const void* program,
                            std::uint32_t length);

}  // namespace satellite::sandbox::bare
