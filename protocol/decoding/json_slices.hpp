#pragma once

#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::protocol {

/// Some members of a JSON object, as slices of its text.
///
/// Shape:  a value tree would lose the order of members and the spelling of numbers, both of which
///         scripts can see (core-contract 3.3, 7), and would cost ten times the text for a frame
///         that is mostly carried on unread. Slices borrow the text.
/// Errors: the text must have passed check_bounded_json. For any other text the functions stay
///         inside it and answer invalid_input or nonsense slices, never more.
class JsonSlices {
 public:
  /// Only the named members. Errors: a named member that occurs twice.
  static Result<JsonSlices> of(std::string_view object, std::span<const std::string_view> names);

  /// The member's JSON text, or nothing.
  std::optional<std::string_view> find(std::string_view name) const;
  /// An object of the named members that are present, for typed access.
  nlohmann::json parsed(std::span<const std::string_view> names) const;
  nlohmann::json parsed(std::initializer_list<std::string_view> names) const;

 private:
  struct Member {
    std::string_view name;
    std::string_view text;
  };
  std::vector<Member> members_;
};

/// The entries of a JSON array, as slices of its text.
///
/// Errors: invalid_input if it is no array, limit_exceeded beyond `entries_max`.
Result<std::vector<std::string_view>> slice_entries(std::string_view array,
                                                    std::size_t entries_max);

}  // namespace satellite::protocol
