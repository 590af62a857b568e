#pragma once

namespace satellite::escape {

/// Where the probe is, judged from inside, against what the harness says about the host.
///
/// Shape:  `confined` = another pid namespace and another mount namespace than the host's;
///         `privileged` = root, or any capability, in the host's own user namespace.
/// Errors: `known` is false without the host's three namespace numbers or without /proc: then
///         nothing may be tried.
struct Situation {
  bool known = false, confined = false, privileged = false;
};

/// `host` is `pid,mnt,user`: the inode numbers of the host's namespaces.
Situation situation_beside(const char* host);

/// Whether one of the words of this process's command line is the nonce of the harness.
bool is_victim(const char* process, const char* nonce);

}  // namespace satellite::escape
