#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satellite::agent {

/// A version as npm orders it: `1.2.3-beta.4+build`.
///
/// Shape:  build metadata is read and forgotten, since it orders nothing. `before` holds the parts
///         of what stands behind the hyphen: numbers or words.
/// Source: https://semver.org sections 9 to 11; https://github.com/npm/node-semver.
struct SemanticVersion {
  using Part = std::variant<std::uint64_t, std::string>;
  std::array<std::uint64_t, 3> numbers{};
  std::vector<Part> before;
};

/// Negative, zero or positive. Pure.
int compare(const SemanticVersion& a, const SemanticVersion& b);

/// Nothing for a text that npm does not take for a version.
std::optional<SemanticVersion> parse_version(std::string_view text);

/// The parts of what stands behind the hyphen; nothing if npm would not take it.
std::optional<std::vector<SemanticVersion::Part>> parse_before(std::string_view text);

/// A number of a version: digits without a leading zero, at most what a JavaScript number holds.
std::optional<std::uint64_t> parse_version_number(std::string_view text);

}  // namespace satellite::agent
