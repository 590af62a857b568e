#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/host/identity.hpp"

#include <cstdint>
#include <string>

namespace satellite::sandbox {

/// The namespaces below which a launcher without root starts its runs, so that they can be handed
/// what this launcher has no privilege to make outside: copies of a root, ready networks, their
/// scratch directory as a mount.
///
/// Shape:  made once. Every run still has a user namespace of its own below this one, and holds no
///         capability here.
struct ParentNamespaces {
  UniqueFd user;  ///< the launcher's user and group as themselves, and nobody else
  /// Mounts that show the scratch area at `area_in_parent_mounts` and nothing else of the host, so
  /// that they keep no device of the host busy that the launcher does not.
  UniqueFd mounts;
  /// Of the area that they show. Another directory may take its place on the host.
  std::uint64_t area_device = 0, area_inode = 0;
};

inline constexpr const char* area_in_parent_mounts = "/scratch";

/// The life of the process that makes them, a child of the launcher; they outlive it in the
/// descriptors that it sends on `socket`: the two, and the area as they show it. A user namespace
/// that is there already is entered; -1 = there is none.
[[noreturn]] void make_parent_namespaces(const std::string& scratch_area, const Identity& own,
                                         int user_namespace, int socket);

}  // namespace satellite::sandbox
