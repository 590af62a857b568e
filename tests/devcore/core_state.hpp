#pragma once

#include "tests/devcore/ledger.hpp"
#include "tests/devcore/settings.hpp"
#include "tests/devcore/transcript.hpp"

#include <optional>
#include <string>

namespace satellite::devcore {

/// What all connections share. Only the core's thread touches it, except the ledger.
struct CoreState {
  explicit CoreState(const Settings& settings_)
      : settings(settings_),
        ledger(settings_),
        transcript(settings_.transcript),
        policy(settings_.policy),
        assignments(settings_.assignments),
        secrets(settings_.secrets),
        packages(settings_.packages),
        acknowledge(settings_.acknowledge) {
    for (const auto& [client, token] : settings.tokens) transcript.hide(token);
    for (const std::string& text : texts_to_hide(secrets)) transcript.hide(text);
  }

  Settings settings;
  Ledger ledger;
  Transcript transcript;
  std::optional<std::string> policy;
  std::string assignments;
  SecretReplies secrets;
  PackageShelf packages;
  bool acknowledge;
};

}  // namespace satellite::devcore
