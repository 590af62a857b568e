#include "sandbox/probing/remedies.hpp"

#include <array>
#include <cerrno>

namespace satellite::sandbox {
namespace {

constexpr int any_error = 0;

bool always(const HostSigns&) {
  return true;
}
bool kubernetes(const HostSigns& signs) {
  return signs.kubernetes;
}
bool container(const HostSigns& signs) {
  return signs.container || signs.kubernetes;
}
bool filtered_container(const HostSigns& signs) {
  return container(signs) && signs.seccomp_filtered;
}
bool apparmor(const HostSigns& signs) {
  return signs.apparmor_restricts;
}
bool forbidden(const HostSigns& signs) {
  return signs.user_namespaces_forbidden;
}
bool clone_forbidden(const HostSigns& signs) {
  return signs.clone_forbidden;
}
bool old_red_hat(const HostSigns& signs) {
  const bool family = signs.distribution == "rhel" || signs.distribution == "centos" ||
                      signs.distribution == "almalinux" || signs.distribution == "rocky" ||
                      signs.distribution == "ol";
  return family && signs.version.starts_with("8");
}
bool first_hierarchy(const HostSigns& signs) {
  return signs.cgroup_v1;
}
bool old_red_hat_v1(const HostSigns& signs) {
  return old_red_hat(signs) && signs.cgroup_v1;
}
bool systemd_runs(const HostSigns& signs) {
  return signs.systemd_runs && !container(signs);
}

struct Row {
  Primitive primitive;
  int error_number;
  bool (*applies)(const HostSigns&);
  std::string_view remedy;
};

constexpr std::string_view apparmor_profile =
    "AppArmor forbids unprivileged user namespaces (Ubuntu 23.10 and later): give the satellite a "
    "profile with `userns,`, run it as root with only the service's capabilities, or set "
    "kernel.apparmor_restrict_unprivileged_userns=0";
constexpr std::string_view docker_seccomp =
    "the container's seccomp profile refuses it: start the container with a profile that permits "
    "unshare, clone, mount, umount2 and pivot_root (docker run --security-opt seccomp=FILE "
    "--security-opt systempaths=unconfined)";

// The first row that fits counts, so what tells more comes first.
constexpr std::array rows{
    Row{Primitive::user_namespace, ENOSPC, forbidden,
        "user namespaces are switched off by number: sysctl user.max_user_namespaces=15000"},
    Row{Primitive::user_namespace, any_error, clone_forbidden,
        "the distribution's switch is off: sysctl kernel.unprivileged_userns_clone=1"},
    Row{Primitive::user_namespace, any_error, kubernetes,
        "in Kubernetes: a seccomp profile of type Localhost that permits unshare and mount, "
        "procMount: Unmasked, and hostUsers: false where the cluster has it"},
    Row{Primitive::user_namespace, EPERM, filtered_container, docker_seccomp},
    Row{Primitive::user_namespace, ENOSYS, filtered_container, docker_seccomp},
    Row{Primitive::user_namespace, EACCES, apparmor, apparmor_profile},
    Row{Primitive::user_namespace, EPERM, apparmor, apparmor_profile},
    Row{Primitive::user_namespace, any_error, old_red_hat,
        "RHEL 8: sysctl user.max_user_namespaces=15000 (0 in hardened images), and SELinux must "
        "let "
        "the satellite's domain create user namespaces"},
    Row{Primitive::user_namespace, ENOSPC, always,
        "the number of user namespaces is used up: raise user.max_user_namespaces"},
    Row{Primitive::user_namespace, any_error, always,
        "allow unprivileged user namespaces: user.max_user_namespaces > 0, "
        "kernel.unprivileged_userns_clone = 1, no AppArmor or SELinux rule against them, and in a "
        "container a seccomp profile that permits unshare and mount"},
    Row{Primitive::mount_in_namespace, any_error, apparmor, apparmor_profile},
    Row{Primitive::mount_in_namespace, any_error, kubernetes,
        "in Kubernetes: procMount: Unmasked (a masked /proc cannot be mounted anew), and a seccomp "
        "and AppArmor profile that permit mount"},
    Row{Primitive::mount_in_namespace, any_error, container,
        "the container forbids mounts: docker run --security-opt systempaths=unconfined "
        "--security-opt apparmor=unconfined and a seccomp profile that permits mount"},
    Row{Primitive::mount_in_namespace, any_error, always,
        "a security module forbids mounts in a user namespace: let the satellite's domain do it"},
    Row{Primitive::control_group, EROFS, kubernetes,
        "Kubernetes mounts the control groups read-only: give the container a memory limit "
        "(resources.limits.memory) instead, or a writable delegated tree"},
    Row{Primitive::control_group, EROFS, always,
        "the control groups are mounted read-only: give the container a writable private tree "
        "(--cgroupns=private with a read-write /sys/fs/cgroup), or a memory limit for all of it"},
    Row{Primitive::control_group, any_error, old_red_hat_v1,
        "RHEL 8 boots with cgroup v1: grubby --update-kernel=ALL "
        "--args=systemd.unified_cgroup_hierarchy=1 and boot again"},
    Row{Primitive::control_group, any_error, kubernetes,
        "a pod has no control groups of its own to give: set resources.limits.memory for it"},
    Row{Primitive::control_group, any_error, first_hierarchy,
        "this host uses cgroup v1 or both versions: boot with systemd.unified_cgroup_hierarchy=1; "
        "until then give the service or container a memory limit"},
    Row{Primitive::control_group, ENOSYS, container,
        "the container's seccomp profile refuses clone3: permit it, or give the container a memory "
        "limit"},
    Row{Primitive::control_group, any_error, systemd_runs,
        "let the service manager give the satellite its own tree: Delegate=memory pids cpu in the "
        "unit, as deploy/checkstack-satellite.service has it"},
    Row{Primitive::control_group, any_error, always,
        "give the satellite a control group (v2) that its user may write to, with the controllers "
        "memory and pids; until then give the service or container a memory limit"},
    Row{Primitive::seccomp, any_error, container,
        "the container forbids seccomp filters: run it with a profile that permits prctl and "
        "seccomp"},
    Row{Primitive::seccomp, any_error, always, "this kernel needs CONFIG_SECCOMP_FILTER"},
    Row{Primitive::landlock, EOPNOTSUPP, always,
        "Landlock is built in but not switched on: add landlock to the kernel parameter lsm="},
    Row{Primitive::landlock, ENOSYS, container,
        "the kernel has no Landlock, or the container's seccomp profile hides it; the file system "
        "layer holds without it"},
    Row{Primitive::landlock, any_error, always,
        "a kernel of 5.13 or later with CONFIG_SECURITY_LANDLOCK adds a second file system layer; "
        "the first one holds without it"},
};

}  // namespace

std::string_view remedy_for(Primitive primitive, int error_number, const HostSigns& signs) {
  for (const Row& row : rows) {
    if (row.primitive != primitive || !row.applies(signs)) continue;
    if (row.error_number == any_error || row.error_number == error_number) return row.remedy;
  }
  return "see `checkstack-satellite doctor` on a host where it works, and compare";
}

}  // namespace satellite::sandbox
