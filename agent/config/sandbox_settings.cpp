#include "agent/config/sandbox_settings.hpp"

#include <utility>

namespace satellite::agent {

sandbox::RunnerSettings runner_settings(const Config& config) {
  sandbox::RunnerSettings settings;
  settings.default_identity = sandbox::Identity{config.sandbox_uid, config.sandbox_gid};
  settings.macvlan = config.macvlan;
  settings.prepared_runs = config.prepared_runs;
  settings.module_runtime = config.module_runtime;
  settings.standing_modules.count_max = config.prepared_modules;
  settings.prepared_memory = config.prepared_memory;
  settings.engines = config.sandbox_engines;
  settings.honours_first_line = config.honour_shebang;
  settings.host_view = config.host_view;
  return settings;
}

sandbox::LauncherSettings launcher_settings(const Config& config) {
  return {config.scratch_directory, config.macvlan.settings, config.sandbox_uid_range,
          config.operators_word.allow_root_scripts ? sandbox::RootScripts::allowed
                                                   : sandbox::RootScripts::refused};
}

sandbox::ProbeSettings probe_settings(const Config& config) {
  return {sandbox::Identity{config.sandbox_uid, config.sandbox_gid}, config.macvlan, true,
          config.sandbox_engines};
}

sandbox::ResolvedPolicy policy_for_run(sandbox::ResolvedPolicy resolved, const Config& config) {
  return sandbox::apply_operators_word(std::move(resolved), config.operators_word);
}

void hold_timeout(sandbox::RunRequest& request, const Config& config) {
  if (request.timeout <= config.script_timeout_max) return;
  request.longer_timeout = request.timeout;
  request.timeout = config.script_timeout_max;
}

}  // namespace satellite::agent
