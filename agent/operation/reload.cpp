#include "agent/operation/reload.hpp"

#include "tls/client_context.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::array<std::string_view, 15> reloaded_settings{"token_file",
                                                             "tls.ca_file",
                                                             "tls.ca_directory",
                                                             "tls.system_store",
                                                             "tls.pins",
                                                             "tls.certificate_file",
                                                             "tls.key_file",
                                                             "connection.refresh",
                                                             "connection.route_probe",
                                                             "operator.health_checks",
                                                             "operator.automation",
                                                             "operator.timeout_max",
                                                             "stop.drain",
                                                             "log.level",
                                                             "log.format"};

void take_values(Config& running, const Config& loaded) {
  running.refresh_every = loaded.refresh_every;
  running.registration_probe_every = loaded.registration_probe_every;
  running.allow_health_checks = loaded.allow_health_checks;
  running.allow_automation = loaded.allow_automation;
  running.script_timeout_max = loaded.script_timeout_max;
  running.drain_max = loaded.drain_max;
  running.log_level = loaded.log_level;
  running.log_format = loaded.log_format;
}

std::string in_one_line(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ", ") + key;
  return text;
}

}  // namespace

bool takes_effect_on_reload(std::string_view key) {
  return std::find(reloaded_settings.begin(), reloaded_settings.end(), key) !=
         reloaded_settings.end();
}

SettingChanges changes_between(const std::vector<EffectiveSetting>& running,
                               const std::vector<EffectiveSetting>& loaded) {
  SettingChanges changes;
  for (const EffectiveSetting& setting : loaded) {
    // Stands there without a value: its file is looked at by itself.
    if (setting.key == "token") continue;
    const auto before = std::find_if(running.begin(), running.end(), [&setting](const auto& other) {
      return other.key == setting.key;
    });
    if (before != running.end() && before->value == setting.value) continue;
    (takes_effect_on_reload(setting.key) ? changes.applied : changes.needing_restart)
        .push_back(setting.key);
  }
  return changes;
}

bool Reload::perform() {
  const bool names_others = take_settings();
  // Who asks for it wants to hear of a pair that is still wrong.
  parts_.identity.forget_look();
  return look_at_files() || names_others;
}

bool Reload::take_settings() {
  auto loaded = parts_.load();
  if (!loaded) {
    parts_.log.warn("reload_failed",
                    loaded.error().message + "; the settings that were read before stay in use",
                    {{"error_code", loaded.error().code}});
    return false;
  }
  SettingChanges changes = changes_between(parts_.settings, loaded->settings);
  if (parts_.config.operators_word.ceiling != loaded->config.operators_word.ceiling &&
      std::count(changes.needing_restart.begin(), changes.needing_restart.end(),
                 "operator.ceiling") == 0) {
    changes.needing_restart.push_back("operator.ceiling");
  }
  bool names_others = take_token_of(*loaded);
  names_others = take_trust_of(loaded->config) || names_others;
  names_others = take_identity_of(loaded->config) || names_others;
  take_values(parts_.config, loaded->config);
  parts_.log.set_level(parts_.config.log_level);
  parts_.log.set_format(parts_.config.log_format);
  for (EffectiveSetting& setting : parts_.settings) {
    if (!takes_effect_on_reload(setting.key)) continue;
    const auto now =
        std::find_if(loaded->settings.begin(), loaded->settings.end(),
                     [&setting](const auto& other) { return other.key == setting.key; });
    if (now != loaded->settings.end()) setting = *now;
  }
  log_changes(changes);
  return names_others;
}

/// Another path than before; the content of a file that stays is looked at by itself.
bool Reload::take_token_of(LoadedConfig& loaded) {
  const std::string& file = loaded.token_source.file;
  // The variable, which outranks the credential, was taken out of the environment at the start.
  const bool is_fallback =
      !parts_.token.is_file() && loaded.token_source.setting == "$CREDENTIALS_DIRECTORY";
  if (file.empty() || is_fallback || file == parts_.token.file()) return false;
  const auto replaced = parts_.token.replace(std::move(loaded.token_source));
  if (!replaced) {
    parts_.log.warn("token_unreadable",
                    replaced.error().message + "; the token that was read before stays in use",
                    {{"error_code", replaced.error().code}});
  }
  return replaced && *replaced;
}

/// All of it or nothing: a directory that is wrong beside a good file would leave half a trust.
bool Reload::take_trust_of(const Config& loaded) {
  Config& running = parts_.config;
  const bool has_other_pins = running.pins != loaded.pins;
  running.pins = loaded.pins;
  const bool is_same = loaded.ca_file == parts_.authorities.path() &&
                       loaded.ca_directory == running.ca_directory &&
                       loaded.system_store == running.system_store;
  if (is_same) return has_other_pins;
  tls::AuthorityFile authorities(loaded.ca_file);
  const auto read = authorities.refresh();
  std::optional<Error> problem = read ? std::nullopt : std::optional<Error>(read.error());
  if (!problem) {
    tls::Settings trust = authorities.settings();
    trust.ca_directory = loaded.ca_directory;
    trust.system_store = loaded.system_store;
    const auto context = tls::make_client_context(trust);
    if (!context) problem = context.error();
  }
  if (problem) {
    parts_.log.warn("authorities_unreadable",
                    problem->message + "; those that were read before stay in use",
                    {{"error_code", problem->code}});
    return has_other_pins;
  }
  parts_.authorities = std::move(authorities);
  running.ca_file = loaded.ca_file;
  running.ca_directory = loaded.ca_directory;
  running.system_store = loaded.system_store;
  return true;
}

bool Reload::take_identity_of(const Config& loaded) {
  const ClientFiles& before = parts_.identity.files();
  if (loaded.client_files.certificate == before.certificate &&
      loaded.client_files.key == before.key) {
    return false;
  }
  const auto replaced = parts_.identity.replace(loaded.client_files);
  if (replaced) {
    parts_.config.client_files = loaded.client_files;
    return true;
  }
  log_wrong_identity(replaced.error());
  return false;
}

void Reload::log_wrong_identity(const Error& error) {
  parts_.log.warn("client_certificate_unusable",
                  error.message + "; the one that was read before stays in use",
                  {{"error_code", error.code}});
}

bool Reload::look_at_files() {
  const auto token = parts_.token.refresh();
  if (!token) {
    parts_.log.warn("token_unreadable",
                    token.error().message + "; the token that was read before stays in use",
                    {{"error_code", token.error().code}});
  } else if (*token) {
    parts_.log.info("token_changed", parts_.token.source());
  }
  const auto authorities = parts_.authorities.refresh();
  if (!authorities) {
    parts_.log.warn("authorities_unreadable",
                    authorities.error().message + "; those that were read before stay in use",
                    {{"error_code", authorities.error().code}});
  } else if (*authorities) {
    parts_.log.info("authorities_changed", parts_.authorities.path());
  }
  const auto identity = parts_.identity.refresh();
  if (!identity) {
    log_wrong_identity(identity.error());
  } else if (*identity) {
    parts_.log.info("client_certificate_changed", parts_.identity.files().certificate);
  }
  return (token && *token) || (authorities && *authorities) || (identity && *identity);
}

void Reload::log_changes(const SettingChanges& changes) {
  const std::string applied = in_one_line(changes.applied);
  parts_.log.info("reloaded", applied.empty() ? "no setting that may change has changed" : "",
                  {{"changed", applied}});
  if (changes.needing_restart.empty()) return;
  parts_.log.warn("reload_needs_restart",
                  "these settings are different now and take effect after a restart only: " +
                      in_one_line(changes.needing_restart));
}

}  // namespace satellite::agent
