#include "sandbox/launcher/wire/setup_steps.hpp"

#include <array>
#include <cerrno>

namespace satellite::sandbox {
namespace {

struct StepName {
  SetupStep step;
  std::string_view name;
};

constexpr std::array names{
    StepName{SetupStep::none, "none"},
    StepName{SetupStep::decode_order, "decode_order"},
    StepName{SetupStep::scratch_directory, "scratch_directory"},
    StepName{SetupStep::standard_input, "standard_input"},
    StepName{SetupStep::prepare, "prepare"},
    StepName{SetupStep::fork, "fork"},
    StepName{SetupStep::descriptors, "descriptors"},
    StepName{SetupStep::groups, "groups"},
    StepName{SetupStep::group_id, "group_id"},
    StepName{SetupStep::user_id, "user_id"},
    StepName{SetupStep::confirm_identity, "confirm_identity"},
    StepName{SetupStep::exec_wrapper, "exec_wrapper"},
    StepName{SetupStep::wrapper, "wrapper"},
    StepName{SetupStep::map_block, "map_block"},
    StepName{SetupStep::subreaper, "subreaper"},
    StepName{SetupStep::signals, "signals"},
    StepName{SetupStep::fork_script, "fork_script"},
    StepName{SetupStep::new_session, "new_session"},
    StepName{SetupStep::standard_streams, "standard_streams"},
    StepName{SetupStep::limit, "limit"},
    StepName{SetupStep::no_new_privileges, "no_new_privileges"},
    StepName{SetupStep::working_directory, "working_directory"},
    StepName{SetupStep::find_command, "find_command"},
    StepName{SetupStep::exec, "exec"},
    StepName{SetupStep::namespaces, "namespaces"},
    StepName{SetupStep::identity_map, "identity_map"},
    StepName{SetupStep::mount, "mount"},
    StepName{SetupStep::join_namespace, "join_namespace"},
    StepName{SetupStep::loopback, "loopback"},
    StepName{SetupStep::private_mounts, "private_mounts"},
    StepName{SetupStep::new_root, "new_root"},
    StepName{SetupStep::file_step, "file_step"},
    StepName{SetupStep::seal_root, "seal_root"},
    StepName{SetupStep::pivot_root, "pivot_root"},
    StepName{SetupStep::detach_host, "detach_host"},
    StepName{SetupStep::session_keyring, "session_keyring"},
    StepName{SetupStep::capabilities, "capabilities"},
    StepName{SetupStep::nested_user_namespace, "nested_user_namespace"},
    StepName{SetupStep::landlock, "landlock"},
    StepName{SetupStep::seccomp, "seccomp"},
    StepName{SetupStep::network_namespace, "network_namespace"},
    StepName{SetupStep::network_ipv6, "network_ipv6"},
    StepName{SetupStep::network_loopback, "network_loopback"},
    StepName{SetupStep::network_filter, "network_filter"},
    StepName{SetupStep::network_filter_check, "network_filter_check"},
    StepName{SetupStep::network_uplink, "network_uplink"},
    StepName{SetupStep::network_address, "network_address"},
    StepName{SetupStep::network_route, "network_route"},
    StepName{SetupStep::network_slirp4netns, "network_slirp4netns"},
    StepName{SetupStep::control_group, "control_group"},
    StepName{SetupStep::receive_task, "receive_task"},
    StepName{SetupStep::exec_init, "exec_init"},
    StepName{SetupStep::network_forwarder, "network_forwarder"},
    StepName{SetupStep::disk, "disk"},
};

struct Hint {
  SetupStep step;
  int error_number;  ///< 0 = any other
  std::string_view text;
};

constexpr std::string_view mounts_forbidden =
    "the host lets the satellite make namespaces but not mounts: on Ubuntu 23.10 and later install "
    "an AppArmor profile with `userns,` for it (or kernel.apparmor_restrict_unprivileged_userns = "
    "0); in a container give it a seccomp and AppArmor profile that permit mount and pivot_root";

constexpr std::array hints{
    Hint{SetupStep::fork, ENOSPC,
         "no more namespaces may be made: raise user.max_user_namespaces (and the other "
         "user.max_*_namespaces), which hardening guides for RHEL set to 0"},
    Hint{
        SetupStep::fork, EPERM,
        "namespaces are forbidden to the satellite: kernel.unprivileged_userns_clone = 1 (Debian), "
        "in a container a seccomp profile that permits clone with CLONE_NEW* (Docker: "
        "--security-opt seccomp=..., Kubernetes: a Localhost profile), as root CAP_SYS_ADMIN"},
    Hint{SetupStep::fork, EINVAL, "the kernel lacks a kind of namespace: CONFIG_*_NS"},
    Hint{SetupStep::fork, EAGAIN,
         "the satellite's process limit is used up: LimitNPROC=, TasksMax="},
    Hint{SetupStep::identity_map, EPERM,
         "the user namespace came without its capabilities: on Ubuntu 23.10 and later install an "
         "AppArmor profile with `userns,` for the satellite"},
    Hint{SetupStep::identity_map, EACCES,
         "/proc of the satellite is mounted with hidepid or masked"},
    Hint{SetupStep::loopback, EPERM,
         "the satellite may make network namespaces and not use them: as root give it "
         "CAP_NET_ADMIN; "
         "without root, on Ubuntu 23.10 and later, install an AppArmor profile with `userns,` for "
         "it "
         "(or kernel.apparmor_restrict_unprivileged_userns = 0)"},
    Hint{SetupStep::private_mounts, EPERM, mounts_forbidden},
    Hint{SetupStep::private_mounts, EACCES, mounts_forbidden},
    Hint{SetupStep::new_root, EPERM, mounts_forbidden},
    Hint{SetupStep::new_root, EACCES, mounts_forbidden},
    Hint{SetupStep::file_step, EPERM,
         "a mount was forbidden; when it is /proc, the satellite's own /proc is partly masked by "
         "its container: Kubernetes `procMount: Unmasked`, Docker `--security-opt systempaths="
         "unconfined`"},
    Hint{
        SetupStep::disk, EPERM,
        "the directory that stood for a file system of the host was opened to others; the next run "
        "looks for another one"},
    Hint{SetupStep::pivot_root, EINVAL, "the root directory is an initramfs: switch_root first"},
    Hint{SetupStep::session_keyring, EDQUOT, "raise kernel.keys.maxkeys"},
    Hint{SetupStep::capabilities, EPERM,
         "give the satellite's service CAP_SETPCAP, or run it as an unprivileged user"},
    Hint{SetupStep::groups, EPERM, "give the satellite's service CAP_SETGID"},
    Hint{SetupStep::group_id, EPERM, "give the satellite's service CAP_SETGID"},
    Hint{SetupStep::user_id, EPERM, "give the satellite's service CAP_SETUID"},
    Hint{SetupStep::user_id, EAGAIN, "the user's processes are at its limit"},
    Hint{SetupStep::nested_user_namespace, ENOSPC, "raise user.max_user_namespaces"},
    Hint{SetupStep::nested_user_namespace, EPERM,
         "a second user namespace is forbidden: kernel.unprivileged_userns_clone, AppArmor"},
    Hint{SetupStep::seccomp, EINVAL, "the kernel lacks CONFIG_SECCOMP_FILTER"},
    Hint{SetupStep::seccomp, ENOSYS, "the kernel lacks CONFIG_SECCOMP_FILTER"},
};

}  // namespace

std::string_view name_of(SetupStep step) {
  for (const auto& entry : names) {
    if (entry.step == step) return entry.name;
  }
  return "none";
}

std::string_view operator_hint(SetupStep step, int error_number) {
  for (const auto& hint : hints) {
    if (hint.step == step && hint.error_number == error_number) return hint.text;
  }
  // Whatever the step was about, this is not.
  if (error_number == EMFILE) {
    return "the satellite's limit of open files is used up: LimitNOFILE= in its unit, ulimit -n";
  }
  if (error_number == ENFILE) return "the host's files are used up: raise fs.file-max";
  return {};
}

}  // namespace satellite::sandbox
