#include "agent/agent.hpp"
#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/config/token_watch.hpp"
#include "agent/connection/core_url.hpp"
#include "agent/operation/reload.hpp"
#include "agent/runtime/private_memory.hpp"
#include "agent/storage/open_state.hpp"

#include <malloc.h>
#include <unistd.h>

#include <chrono>

namespace satellite::agent {

namespace {

/// Keeps what was freed instead of giving it back at once: frames and pipe buffers come and go by
/// the thousand, and a page that must be faulted in again costs more than all the work on its
/// bytes.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
  // The thread that reads large frames makes what the event loop keeps: one heap for both.
  ::mallopt(M_ARENA_MAX, 1);
}

}  // namespace

int run_command(const Invocation& invocation) {
  const auto process_started = std::chrono::steady_clock::now();
  keep_freed_memory();
  const bool had_default_file = ::access(default_config_file, F_OK) == 0;
  auto settings = core_settings(invocation, SettingsUse::connects_later);
  if (!settings) {
    print_error(settings.error().message);
    return exit_wrong_usage;
  }
  Config& config = settings->loaded.config;
  NotifySocket service(NotifySocket::take_from_environment());
  if (const auto scratch = check_scratch_directory(config); !scratch) {
    print_error(scratch.error().message);
    return exit_wrong_usage;
  }
  // Before the log, the event loop and TLS: the launcher must fork while this process is small and
  // has one thread.
  auto launcher = sandbox::Launcher::start(launcher_settings(config));
  if (!launcher) return no_launcher(launcher.error());
  // Only now, since every process that was forked from this one would have it for good.
  auto token = read_token(settings->loaded.token_source);
  if (!token) {
    print_error(token.error().message);
    return exit_wrong_usage;
  }
  keep_memory_private();
  tls::AuthorityFile authorities(config.ca_file);
  const auto trusted = authorities.refresh();
  auto checked = trusted ? check_authorities(config) : trusted.error();
  if (checked) checked = check_proxy(config);
  ClientIdentity identity(config.client_files);
  if (const auto shown = identity.refresh(); checked && !shown) checked = shown.error();
  if (!checked) {
    print_error(checked.error().message);
    return exit_wrong_usage;
  }
  // The launcher must not have a share in its lock.
  auto state = open_state(config);
  if (!state) {
    print_error(state.error().message);
    return exit_failed;
  }
  Log log(config.log_level, config.log_format);
  for (const std::string& warning : settings->loaded.warnings) log.warn("settings_odd", warning);
  TokenWatch watch(std::move(settings->loaded.token_source), std::move(token->value));
  Reload reload({config, std::move(settings->loaded.settings), watch, authorities, identity, log,
                 [&invocation, had_default_file] {
                   auto sources = config_sources(invocation);
                   // A file that is gone for a moment must not count as one without any
                   // restriction.
                   if (!sources.file && had_default_file) sources.file = default_config_file;
                   return load_config(sources, SettingsUse::running);
                 }});
  const AgentEnd end = serve({config, log, *std::move(launcher), process_started, watch,
                              authorities, identity, reload, service, state->store,
                              state->directory ? state->directory->path() : std::string()});
  return end == AgentEnd::stopped ? exit_done : exit_launcher_lost;
}

}  // namespace satellite::agent
