#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/commands/settings_answer.hpp"
#include "agent/runtime/log_line.hpp"
#include "agent/runtime/private_memory.hpp"

#include <unistd.h>

#include <iostream>

namespace satellite::agent {

ConfigSources config_sources(const Invocation& invocation) {
  ConfigSources sources;
  sources.options = invocation.options;
  sources.token = EnvironmentToken::take();
  sources.environment = take_environment();
  sources.own_uid = ::geteuid();
  sources.file = invocation.settings_file;
  if (!sources.file) {
    const auto variable = sources.environment.find("CHECKSTACK_SATELLITE_CONFIG");
    if (variable != sources.environment.end() && !variable->second.empty()) {
      sources.file = variable->second;
    } else if (::access(default_config_file, F_OK) == 0) {
      sources.file = default_config_file;
    }
  }
  return sources;
}

void print_error(const std::string& message) {
  std::cerr << "checkstack-satellite: " << escaped_for_terminal(message) << '\n';
}

int no_launcher(const Error& error) {
  print_error("cannot start the launcher: " + error.message);
  return error.code == ErrorCode::limit_exceeded ? exit_wrong_usage : exit_failed;
}

namespace {

int wrong_settings(const Invocation& invocation, const Error& error) {
  print_error(error.message);
  if (invocation.json) {
    std::cout << wrong_settings_json(error);
  }
  return exit_wrong_usage;
}

}  // namespace

int check_config_command(const Invocation& invocation) {
  keep_memory_private();
  const auto settings = core_settings(invocation, SettingsUse::connects);
  if (!settings) return wrong_settings(invocation, settings.error());
  const Config& config = settings->loaded.config;
  for (const auto check : {check_scratch_directory, check_authorities, check_proxy}) {
    if (const auto checked = check(config); !checked) {
      return wrong_settings(invocation, checked.error());
    }
  }
  const auto trust = trust_named_by(config);
  if (!trust) return wrong_settings(invocation, trust.error());
  if (invocation.json) {
    std::cout << settings_json(*settings, *trust);
  } else {
    print_settings(std::cout, *settings, *trust);
  }
  return exit_done;
}

}  // namespace satellite::agent
