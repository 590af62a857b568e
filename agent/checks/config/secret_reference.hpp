#pragma once

#include "protocol/vocabulary/secret.hpp"

#include <string_view>
#include <vector>

namespace satellite::agent {

/// How a configuration names a secret instead of holding it.
/// Source: core-contract 4.3, 4.4.

/// Holds at least one `${{ secrets.NAME }}`, anywhere.
bool holds_secret_reference(std::string_view text);
/// The secrets inside a value that the core made of a text with references, such as
/// `user:${{ secrets.x }}@host`: the agent is told only the whole, and a script may print the part.
///
/// Shape:  exact for one reference. Where several can be told apart in more than one way, the parts
///         of each way, of sixteen ways at most and until they are 64 KiB together. None for more
///         than sixteen references, for references without a character between them, and for a
///         value that is too long for any run. Both texts are the core's: time grows with their
///         sizes, sixteen times at most.
std::vector<Secret> secrets_inside(std::string_view text, std::string_view value);
/// A bare name: a letter, then letters, digits, `_` and `-`, at most 63 in all.
bool is_secret_name(std::string_view text);
/// `__hcsecret__:…`, which stands where the core keeps the value.
bool is_config_secret_marker(std::string_view text);

}  // namespace satellite::agent
