#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// The hash of no packages at all: SHA-256 of nothing.
inline constexpr std::string_view hash_of_nothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The whole closure of packages that a lockfile hash stands for, checked.
///
/// Shape:  sorted by name, then version, in JavaScript's locale order; each pair once; every name
///         and version fit for a path; the hash is that of the entries.
/// Source: core-contract 5.1.
struct PackageManifest {
  std::string lockfile_hash;
  std::vector<protocol::ScriptPackage> entries;
};

/// What the core sent -> a manifest that may be used. Pure.
///
/// Errors: invalid_input, each with the package or the rule: names, versions, digests, a package
///         twice, a hash that is not that of the entries; not_found for a list that is empty
///         although the hash is not that of nothing, which is how the core says that it has moved
///         on.
Result<PackageManifest> check_manifest(protocol::ScriptPackageManifest message);

/// The same as a file: a first line with the hash, then one line a package. What parse gives was
/// checked as above.
std::string manifest_text(const PackageManifest& manifest);
Result<PackageManifest> parse_manifest_text(std::string_view text);

/// `name@version`, for people.
std::string label_of(const protocol::ScriptPackage& package);

/// The first twelve digits of a hash, for people.
std::string short_hash(std::string_view hash);

}  // namespace satellite::agent
