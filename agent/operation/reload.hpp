#pragma once

#include "agent/config/client_identity.hpp"
#include "agent/config/load_config.hpp"
#include "agent/config/token_watch.hpp"
#include "agent/runtime/log.hpp"
#include "tls/authority_file.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Whether a setting can change without a restart. All others were told to a launcher that forked
/// before anything came from the network, or are bounds of what exists already.
bool takes_effect_on_reload(std::string_view key);

/// Which settings differ. Pure.
struct SettingChanges {
  std::vector<std::string> applied;  ///< keys, in the order of the table
  std::vector<std::string> needing_restart;
};
SettingChanges changes_between(const std::vector<EffectiveSetting>& running,
                               const std::vector<EffectiveSetting>& loaded);

/// Settings, token, authorities and client certificate read again, while the agent runs.
///
/// Shape:  each of the four is taken if it is good and kept as it was if not, whatever becomes of
///         the others; the log says which, and names the settings that need a restart.
class Reload {
 public:
  struct Parts {
    Config& config;  ///< what everybody reads; only settings that may change are written
    std::vector<EffectiveSetting> settings;
    TokenWatch& token;
    tls::AuthorityFile& authorities;
    ClientIdentity& identity;
    Log& log;
    std::function<Result<LoadedConfig>()> load;  ///< with SettingsUse::running
  };
  explicit Reload(Parts parts) : parts_(std::move(parts)) {}

  /// True if what a connection begins with has changed: token, trust, or client certificate.
  bool perform();
  /// Looks at the files alone; true if one of them has changed.
  bool look_at_files();

 private:
  /// Whether a good settings file names another token or client certificate, or trusts others.
  bool take_settings();
  bool take_token_of(LoadedConfig& loaded);
  bool take_trust_of(const Config& loaded);
  bool take_identity_of(const Config& loaded);
  void log_wrong_identity(const Error& error);
  void log_changes(const SettingChanges& changes);

  Parts parts_;
};

}  // namespace satellite::agent
