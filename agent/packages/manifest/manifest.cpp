#include "agent/packages/manifest/manifest.hpp"

#include "agent/packages/manifest/locale_order.hpp"
#include "agent/packages/manifest/package_name.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "tls/digest.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace satellite::agent {
namespace {

using protocol::ScriptPackage;

constexpr std::size_t integrity_length_max = 256;
constexpr std::string_view first_word = "packages";

int compare(const ScriptPackage& a, const ScriptPackage& b) {
  const int by_name = compare_in_locale_order(a.name, b.name);
  return by_name != 0 ? by_name : compare_in_locale_order(a.version, b.version);
}

/// Words of one line without spaces: npm's subresource integrity may name several algorithms, with
/// a space between them, but a lockfile has one.
bool is_integrity(std::string_view text) {
  return !text.empty() && text.size() <= integrity_length_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Result<void> check_entry(const ScriptPackage& package) {
  const auto wrong = [&package](std::string_view why) {
    return Error{ErrorCode::invalid_input,
                 "script package " + printable(label_of(package)) + " " + std::string(why)};
  };
  if (const auto name = check_package_name(package.name); !name) return wrong(name.error().message);
  if (const auto version = check_package_version(package.version); !version) {
    return wrong(version.error().message);
  }
  if (!is_integrity(package.integrity)) return wrong("has no integrity that can be used");
  if (package.blob_sha256 && !is_sha256(*package.blob_sha256)) {
    return wrong("has a blobSha256 that is none");
  }
  return {};
}

std::string hash_of(const std::vector<ScriptPackage>& sorted) {
  tls::Sha256 digest;
  for (const ScriptPackage& package : sorted) {
    digest.update(package.name + ' ' + package.version + ' ' + package.integrity + '\n');
  }
  return digest.finish();
}

/// The text up to the separator, which is taken off `rest` together with it.
std::string_view next_word(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

}  // namespace

Result<PackageManifest> check_manifest(protocol::ScriptPackageManifest message) {
  if (!is_sha256(message.lockfile_hash)) {
    return Error{ErrorCode::invalid_input, "the lockfile hash of the script packages is none"};
  }
  if (message.entries.size() > limits::packages_max) {
    return Error{ErrorCode::limit_exceeded, "the list of script packages is too long"};
  }
  if (message.entries.empty() && message.lockfile_hash != hash_of_nothing) {
    return Error{ErrorCode::not_found, "The core has no package list for " +
                                           short_hash(message.lockfile_hash) + ": it has moved on"};
  }
  for (const ScriptPackage& package : message.entries) {
    if (const auto checked = check_entry(package); !checked) return checked.error();
  }
  PackageManifest manifest{std::move(message.lockfile_hash), std::move(message.entries)};
  auto& entries = manifest.entries;
  std::sort(entries.begin(), entries.end(),
            [](const ScriptPackage& a, const ScriptPackage& b) { return compare(a, b) < 0; });
  const auto twice = std::adjacent_find(
      entries.begin(), entries.end(),
      [](const ScriptPackage& a, const ScriptPackage& b) { return compare(a, b) == 0; });
  if (twice != entries.end()) {
    return Error{ErrorCode::invalid_input,
                 "script package " + label_of(*twice) + " is in the list twice"};
  }
  if (hash_of(entries) != manifest.lockfile_hash) {
    return Error{ErrorCode::invalid_input, "Script package manifest does not match its hash"};
  }
  return manifest;
}

std::string manifest_text(const PackageManifest& manifest) {
  std::string text = std::string(first_word) + ' ' + manifest.lockfile_hash + '\n';
  for (const ScriptPackage& package : manifest.entries) {
    text += package.name + ' ' + package.version + ' ' + package.integrity + ' ' +
            package.blob_sha256.value_or("-") + '\n';
  }
  return text;
}

Result<PackageManifest> parse_manifest_text(std::string_view text) {
  const Error wrong{ErrorCode::invalid_input, "is no list of script packages"};
  protocol::ScriptPackageManifest message;
  std::string_view first = next_word(text, '\n');
  if (next_word(first, ' ') != first_word) return wrong;
  message.lockfile_hash = std::string(first);
  while (!text.empty()) {
    if (message.entries.size() == limits::packages_max || !text.ends_with('\n')) return wrong;
    std::string_view line = next_word(text, '\n');
    ScriptPackage package;
    package.name = std::string(next_word(line, ' '));
    package.version = std::string(next_word(line, ' '));
    package.integrity = std::string(next_word(line, ' '));
    if (line != "-") package.blob_sha256 = std::string(line);
    message.entries.push_back(std::move(package));
  }
  return check_manifest(std::move(message));
}

std::string label_of(const ScriptPackage& package) {
  return package.name + '@' + package.version;
}

std::string short_hash(std::string_view hash) {
  constexpr std::size_t shown = 12;
  return printable(hash.substr(0, shown));
}

}  // namespace satellite::agent
