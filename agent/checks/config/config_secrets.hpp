#pragma once

#include "protocol/vocabulary/secret.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Where text in a configuration counts as a secret that is not there yet.
enum class SecretScan {
  everywhere,
  /// The `script` of a script collector is text of its author's: `${{ secrets.X }}` in it is a
  /// piece of shell, which the core's own executor leaves alone, too. A marker still counts.
  all_but_script_text,
};

/// Whether any string value begins with a marker or holds a reference. Sub-trees under a key named
/// `secretEnv` are skipped: run secrets have a way of their own.
bool has_unresolved_secrets(std::string_view config_json, SecretScan scan);

/// A configuration with secrets in it. It is wiped with its owner.
struct ResolvedConfig {
  Secret json;
  /// The values that were put in, and the secrets inside those that the core made of a text with
  /// references: for masking.
  std::vector<Secret> values;
};

/// Writes each value to its place (`env.PASSWORD`, `targets[0].token`). Only places that exist
/// already are written; others are skipped, and so are paths of more than 4 KiB.
/// Source: core-contract 4.4.
ResolvedConfig apply_config_secrets(std::string_view config_json,
                                    const std::map<std::string, Secret>& values);

}  // namespace satellite::agent
