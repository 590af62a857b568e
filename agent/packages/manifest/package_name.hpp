#pragma once

#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>

namespace satellite::agent {

// Names and versions become parts of paths and of links between packages. Pure.

/// Whether it is the name of a package: at most 214 bytes, `name` or `@scope/name`, each part of
/// letters, digits and `- . _ ~`, none beginning with `.` or `_`, and not `node_modules`.
///
/// Errors: invalid_input with the rule.
/// Source: https://docs.npmjs.com/cli/configuring-npm/package-json#name
Result<void> check_package_name(std::string_view name);

/// Whether it is an exact version of at most 64 bytes: letters, digits and `. - +`, beginning with
/// a digit.
Result<void> check_package_version(std::string_view version);

/// Whether it is a digest as the core writes it: 64 lowercase hexadecimal digits.
bool is_sha256(std::string_view text);

/// One directory name for one version of a package: `@scope+name@1.2.3`. No name and no version has
/// a `/` or `@` of its own, but for the scope's, so that two packages never share one.
std::string directory_name_of(std::string_view name, std::string_view version);

}  // namespace satellite::agent
