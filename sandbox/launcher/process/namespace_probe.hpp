#pragma once

#include "sandbox/host/identity.hpp"
#include "sandbox/launcher/wire/records.hpp"

#include <optional>

namespace satellite::sandbox {

/// Makes a user, mount and network namespace in a throw-away child, as `identity` if there is one,
/// and mounts something in it: what an unprivileged wrapper needs, tried rather than read from a
/// sysctl, because AppArmor, seccomp and container runtimes forbid it in ways no file tells.
///
/// Shape:  nothing = it works; else the step that failed and its errno.
std::optional<RunSetupFailed> try_namespaces(const std::optional<Identity>& identity);

}  // namespace satellite::sandbox
