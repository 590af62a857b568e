#pragma once

#include <functional>
#include <string>

namespace satellite::tests {

/// Runs `body` in a child of its own and gives what it returns: for what cannot be undone, such as
/// a change of user, of namespaces or of the system calls that work.
///
/// Errors: an exception comes back as the text `exception: ...`. A failed CHECK would be the
///         child's alone, so a body tells what it saw and the caller judges.
std::string in_child(const std::function<std::string()>& body);

/// Mounts that are made from here on are this process's and its children's alone.
void take_own_mounts();

}  // namespace satellite::tests
