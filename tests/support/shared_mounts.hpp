#pragma once

#include <string>

namespace satellite::tests {

inline constexpr const char* shared_mounts_place = "/mnt";
inline constexpr const char* shown_program = "/mnt/program";

enum class TmpIs { a_directory, a_mount };
enum class MountsAre { shared, not_shared };

/// Gives the calling process mounts of its own that are shared among themselves, as systemd has
/// those of a host: what one process does to them, another one sees. Needs root.
///
/// Shape:  at `shared_mounts_place` a mount and another one below it, and `program`, wherever it
///         lies, where everybody may start it; everybody may open /dev/net/tun.
/// Or ones that are not shared at all, as on hosts without systemd.
void share_own_mounts(TmpIs tmp, const std::string& program, MountsAre mounts = MountsAre::shared);

/// The mount table of the calling process.
std::string mount_table();
/// What is in the one and not in the other, or "unchanged".
std::string difference(const std::string& before, const std::string& after);

}  // namespace satellite::tests
