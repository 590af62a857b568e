#pragma once

#include <string_view>

namespace satellite::agent {

/// How a configuration names a secret instead of holding it.
/// Source: core-contract 4.3, 4.4.

/// Holds at least one `${{ secrets.NAME }}`, anywhere.
bool holds_secret_reference(std::string_view text);
/// A bare name: a letter, then letters, digits, `_` and `-`, at most 63 in all.
bool is_secret_name(std::string_view text);
/// `__hcsecret__:…`, which stands where the core keeps the value.
bool is_config_secret_marker(std::string_view text);

}  // namespace satellite::agent
