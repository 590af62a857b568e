#pragma once

#include "sandbox/host/identity.hpp"
#include "sandbox/launcher/wire/setup_result.hpp"

#include <optional>

namespace satellite::sandbox {

/// Makes a user, mount and network namespace in a throw-away child, as `identity` if there is one,
/// and mounts something in it: what an unprivileged wrapper needs, tried rather than read from a
/// sysctl, because AppArmor, seccomp and container runtimes forbid it in ways no file tells.
///
/// Errors: the step that failed and its errno.
SetupResult<void> try_namespaces(const std::optional<Identity>& identity);

}  // namespace satellite::sandbox
