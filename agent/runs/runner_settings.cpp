#include "agent/runs/runner_settings.hpp"

namespace satellite::agent {

sandbox::RunnerSettings runner_settings(const Config& config) {
  sandbox::RunnerSettings settings;
  settings.default_identity = sandbox::Identity{config.sandbox_uid, config.sandbox_gid};
  settings.macvlan = sandbox::macvlan_of_environment();
  settings.prepared_runs = config.prepared_runs;
  settings.engines = config.sandbox_engines;
  return settings;
}

sandbox::LauncherSettings launcher_settings(const Config& config) {
  return {config.scratch_directory, sandbox::macvlan_of_environment().settings,
          config.sandbox_uid_range};
}

sandbox::ProbeSettings probe_settings(const Config& config) {
  return {sandbox::Identity{config.sandbox_uid, config.sandbox_gid},
          sandbox::macvlan_of_environment(), true, config.sandbox_engines};
}

sandbox::ResolvedPolicy policy_for_run(sandbox::ResolvedPolicy resolved, const Config& config) {
  sandbox::PrivilegePolicy& privilege = resolved.policy.privilege;
  if (privilege.mode == sandbox::PrivilegeMode::drop_to_uid && config.sandbox_identity_configured) {
    privilege.uid = config.sandbox_uid;
    privilege.gid = config.sandbox_gid;
  }
  return resolved;
}

}  // namespace satellite::agent
