#pragma once

#include "tests/escape/escape_bench.hpp"

#include <string>

/// Where an attempt is shown to work when nothing of ours stops it.
///
/// Nothing here runs as root of the host: a room is a user namespace of an unprivileged user, with
/// mount, pid, network, ipc, uts and cgroup namespaces of its own, in which the probe is root and
/// has every capability. What it breaks is gone with it.
namespace satellite::tests {

/// The probe as root of a room. `{room}` in the words is an empty file system of the room's own;
/// 192.0.2.1, 169.254.169.254 and fd00:ec2::254 are addresses of its loopback interface.
Answer attempt_in_room(const std::string& words);

/// The probe as an unprivileged user of the host with no layer at all around it, not even
/// no_new_privs.
Answer attempt_plainly(const std::string& words);

}  // namespace satellite::tests
