#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// What was tried when the kernel said no.
enum class Primitive { user_namespace, mount_in_namespace, control_group, seccomp, landlock };

/// What this host shows of itself: hints for the operator, never a reason to trust or to refuse.
struct HostSigns {
  std::string distribution;  ///< ID of /etc/os-release, e.g. `ubuntu`, `rhel`
  std::string version;       ///< VERSION_ID
  bool container = false;    ///< Docker, Podman or another engine left its mark
  bool kubernetes = false;
  bool systemd_runs = false;               ///< systemd runs here
  bool seccomp_filtered = false;           ///< a filter lies on this process already
  bool apparmor_restricts = false;         ///< kernel.apparmor_restrict_unprivileged_userns = 1
  bool user_namespaces_forbidden = false;  ///< user.max_user_namespaces = 0
  bool clone_forbidden = false;            ///< kernel.unprivileged_userns_clone = 0
  bool cgroup_v1 = false;                  ///< v1 hierarchies hold the controllers
};

/// Reads the signs; what cannot be read is absent.
HostSigns read_host_signs();

/// What the operator can do, most telling sign first: errno x primitive x signs. Pure, never empty.
std::string_view remedy_for(Primitive primitive, int error_number, const HostSigns& signs);

}  // namespace satellite::sandbox
