#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

namespace satellite::agent {

/// Whose a state is: one collector of one check in one environment.
struct StateKey {
  std::string check;      ///< check, system and environment, as PlannedRun::key
  std::string collector;  ///< the id of its entry in the assignment
  auto operator<=>(const StateKey&) const = default;
};

/// Ids come from a core; longer ones keep nothing.
inline constexpr std::size_t state_key_size_max = 4'096;
/// As many bytes of a file always hold the key.
inline constexpr std::size_t state_head_size_max = 2 * state_key_size_max + 128;

// The file of one state on disk: whose it is, the digest of what is packed, and that. Pure; safe on
// any bytes (a fuzz target).

/// The file's name: a digest, so that no id of a core is ever a path.
std::string state_file_name(const StateKey& key);
std::string encode_check_state(const StateKey& key, std::string_view packed);
/// What is packed in a file of this key. Errors: invalid_input for a file of another key, a torn or
/// damaged one.
Result<std::string_view> decode_check_state(std::string_view file, const StateKey& key);
/// Whether another version of this program wrote what begins like this.
bool is_of_another_version(std::string_view beginning);
/// Whose file begins like this. Errors: invalid_input.
Result<StateKey> read_state_key(std::string_view beginning);

}  // namespace satellite::agent
