#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/network/network_builder.hpp"
#include "sandbox/planning/packet_filter.hpp"

#include <sys/types.h>
#include <string>

namespace satellite::sandbox {

/// A running slirp4netns: the uplink of one run's network namespace, in a process of its own.
///
/// Shape:  `ready` becomes readable with one byte when tap0 is configured, and with the end of file
///         when the program is gone; closing `exit` ends it; `messages` holds what it said.
struct Slirp4netns {
  pid_t pid = -1;
  UniqueFd pidfd, ready, exit, messages;
};

/// Where slirp4netns lies, or empty. The launcher looks in the system's directories only: what it
/// starts, perhaps as root, is not for an order to say.
std::string find_slirp4netns();

/// Starts it for the namespace `of`. It cannot reach the host's loopback (no 10.0.2.2), answers no
/// names (no 10.0.2.3), and confines itself before it reads the first packet: own root directory,
/// no capabilities, a system call filter.
///
/// Errors: not_found (program), the call that failed.
/// Source: slirp4netns(1).
Result<Slirp4netns> start_slirp4netns(const std::string& program, const NetworkNamespace& of);

}  // namespace satellite::sandbox
