#include "agent/packages/store/package_trees.hpp"

#include "agent/packages/manifest/package_name.hpp"
#include "agent/packages/placement/package_needs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <sstream>
#include <utility>

namespace satellite::agent {
namespace {

// A tree of another layout is made anew.
constexpr int layout_version = 1;
constexpr ByteCount complete_size_max{4U << 10U};
constexpr ByteCount manifest_size_max{32U << 20U};
constexpr ByteCount package_json_size_max{4U << 20U};
constexpr std::chrono::hours retired_trees_kept_for{1};
constexpr std::string_view current_target = "trees/";

std::string complete_text(const TreeSize& size) {
  return "layout " + std::to_string(layout_version) + "\nfiles " + std::to_string(size.files) +
         "\nlinks " + std::to_string(size.links) + "\nbytes " + std::to_string(size.bytes.value) +
         "\n";
}

std::optional<TreeSize> parse_complete(const std::string& text) {
  std::istringstream in(text);
  std::string layout, files, links, bytes;
  int version = 0;
  TreeSize size;
  in >> layout >> version >> files >> size.files >> links >> size.links >> bytes >>
      size.bytes.value;
  if (!in || version != layout_version || complete_text(size) != text) return std::nullopt;
  return size;
}

std::string blob_of(const std::string& entry) {
  return entry.substr(entry.rfind('/') + 1);
}

/// One file under two names, or a copy of it.
bool is_same_file(const std::string& stored, const std::string& shown,
                  const PackageContents::Entry& entry) {
  struct stat a {
  }, b{};
  if (::lstat(stored.c_str(), &a) != 0 || ::lstat(shown.c_str(), &b) != 0) return false;
  if (entry.is_directory) return S_ISDIR(b.st_mode);
  return (a.st_dev == b.st_dev && a.st_ino == b.st_ino) || has_digest(shown, entry.sha256);
}

void touch(const std::string& path) {
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

}  // namespace

std::optional<TreeSize> PackageTrees::completed_size(const std::string& lockfile_hash) const {
  const auto text =
      read_store_file(directory_.tree(lockfile_hash) + "/.complete", complete_size_max);
  return text ? parse_complete(*text) : std::nullopt;
}

Result<PackageManifest> PackageTrees::manifest_of(const std::string& lockfile_hash) const {
  const auto text = read_store_file(directory_.manifest(lockfile_hash), manifest_size_max);
  if (!text) return text.error();
  auto manifest = parse_manifest_text(*text);
  if (manifest && manifest->lockfile_hash != lockfile_hash) {
    return Error{ErrorCode::invalid_input, "is the list of other script packages"};
  }
  return manifest;
}

std::vector<std::string> PackageTrees::all() const {
  std::vector<std::string> hashes;
  for (std::string& name : directory_.names_in("trees")) {
    if (is_sha256(name) && completed_size(name)) hashes.push_back(std::move(name));
  }
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

bool PackageTrees::is_whole(const std::string& lockfile_hash) {
  const auto made = completed_size(lockfile_hash);
  if (!made) return false;
  const auto there = measure_tree(directory_.tree(lockfile_hash) + "/node_modules");
  if (!there || *there != *made) return false;
  // The files of the tree are those of the store, so that it answers for their content.
  if (directory_.is_content_certain()) return true;
  const auto manifest = manifest_of(lockfile_hash);
  return manifest &&
         std::all_of(manifest->entries.begin(), manifest->entries.end(),
                     [this](const auto& package) { return store_.find(package).has_value(); });
}

Result<bool> PackageTrees::find(const std::string& lockfile_hash) {
  if (is_whole(lockfile_hash)) return true;
  if (stop_.stop_requested()) return Error{ErrorCode::cancelled, "stopped"};
  if (::access(directory_.tree(lockfile_hash).c_str(), F_OK) == 0) {
    directory_.remove(directory_.tree(lockfile_hash));
  }
  const auto manifest = manifest_of(lockfile_hash);
  if (!manifest) return false;
  const bool has_all =
      std::all_of(manifest->entries.begin(), manifest->entries.end(),
                  [this](const auto& package) { return store_.find(package).has_value(); });
  if (!has_all) return false;
  const auto built = build(*manifest);
  if (!built) return built.error();
  return true;
}

Result<PackageTrees::Comparison> PackageTrees::compare(protocol::ScriptPackageManifest message) {
  auto manifest = check_manifest(std::move(message));
  if (!manifest) return manifest.error();
  Comparison comparison{*std::move(manifest), {}};
  std::set<std::string> asked;
  for (std::size_t i = 0; i < comparison.manifest.entries.size(); ++i) {
    if (stop_.stop_requested()) return Error{ErrorCode::cancelled, "stopped"};
    const protocol::ScriptPackage& package = comparison.manifest.entries[i];
    if (store_.find(package)) continue;
    if (asked.insert(package.integrity).second) comparison.missing.push_back(i);
  }
  return comparison;
}

/// Notes in the manifest under which name the store has each package.
Result<std::vector<TreePackage>> PackageTrees::packages_of(PackageManifest& manifest) {
  std::vector<TreePackage> packages;
  for (protocol::ScriptPackage& package : manifest.entries) {
    const auto entry = store_.find(package);
    if (!entry) return Error{ErrorCode::not_found, label_of(package) + " is not in the store"};
    auto contents = store_.contents_of(*entry);
    if (!contents) return contents.error();
    package.blob_sha256 = blob_of(*entry);
    touch(*entry + "/contents");
    packages.push_back({package.name, package.version, *entry, *std::move(contents)});
  }
  return packages;
}

Result<PackageTrees::Built> PackageTrees::build(const PackageManifest& wanted) {
  PackageManifest manifest = wanted;
  const auto packages = packages_of(manifest);
  if (!packages) return packages.error();
  Built built;
  std::vector<PlacedPackage> placed;
  for (const TreePackage& package : *packages) {
    placed.push_back({package.name, package.version, {}});
    const auto text =
        read_store_file(package.entry + "/package/package.json", package_json_size_max);
    auto needs = text ? read_package_needs(*text) : text.error();
    if (needs) {
      placed.back().needs = *std::move(needs);
    } else {
      built.warnings.push_back("package.json of " + package.name + '@' + package.version +
                               " cannot be read: " + needs.error().message);
    }
  }
  const auto placement = place_packages(placed);
  if (!placement) return placement.error();
  built.warnings.insert(built.warnings.end(), placement->warnings.begin(),
                        placement->warnings.end());

  const std::string partial = directory_.partial("trees");
  const auto size = build_tree(partial, *packages, *placement, stop_);
  Result<void> done = size ? Result<void>{} : size.error();
  if (done) done = write_store_file(partial + "/.complete", complete_text(*size));
  if (done)
    done = write_store_file(directory_.manifest(manifest.lockfile_hash), manifest_text(manifest));
  const std::string tree = directory_.tree(manifest.lockfile_hash);
  if (done && ::access(tree.c_str(), F_OK) == 0) directory_.remove(tree);
  if (done && ::rename(partial.c_str(), tree.c_str()) != 0) {
    done = disk_error("rename", partial, errno);
  }
  if (!done) {
    directory_.remove(partial);
    return done.error();
  }
  built.size = *size;
  return built;
}

std::optional<std::string> PackageTrees::current() const {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(directory_.current().c_str(), target.data(), target.size());
  const std::string_view text(target.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!text.starts_with(current_target)) return std::nullopt;
  const std::string_view hash = text.substr(current_target.size());
  if (!is_sha256(hash)) return std::nullopt;
  return std::string(hash);
}

Result<void> PackageTrees::make_current(const std::optional<std::string>& lockfile_hash) {
  const auto before = current();
  if (before && before != lockfile_hash) {
    static_cast<void>(write_store_file(directory_.tree(*before) + "/.retired", ""));
  }
  if (!lockfile_hash) {
    if (::unlink(directory_.current().c_str()) != 0 && errno != ENOENT) {
      return disk_error("remove", directory_.current(), errno);
    }
    return {};
  }
  ::unlink((directory_.tree(*lockfile_hash) + "/.retired").c_str());
  if (before == lockfile_hash) return {};
  const std::string made = directory_.partial("trees");
  const std::string target = std::string(current_target) + *lockfile_hash;
  if (::symlink(target.c_str(), made.c_str()) != 0 ||
      ::rename(made.c_str(), directory_.current().c_str()) != 0) {
    return disk_error("link", directory_.current(), errno);
  }
  return {};
}

std::size_t PackageTrees::collect(const std::set<std::string>& kept) {
  std::size_t removed = 0;
  for (const std::string& name : directory_.names_in("trees")) {
    if (stop_.stop_requested()) return removed;
    if (kept.contains(name)) continue;
    const std::string tree = directory_.tree(name);
    const std::string mark = tree + "/.retired";
    struct stat facts {};
    if (completed_size(name)) {
      if (::lstat(mark.c_str(), &facts) != 0) {
        static_cast<void>(write_store_file(mark, ""));
        continue;
      }
      const auto retired = std::chrono::system_clock::from_time_t(facts.st_mtime);
      if (std::chrono::system_clock::now() - retired < retired_trees_kept_for) continue;
    }
    directory_.remove(tree);
    ++removed;
  }
  for (const std::string& name : directory_.names_in("manifests")) {
    if (kept.contains(name) || ::access(directory_.tree(name).c_str(), F_OK) == 0) continue;
    ::unlink(directory_.manifest(name).c_str());
  }
  return removed;
}

bool PackageTrees::is_of_store(const std::string& lockfile_hash) const {
  const auto manifest = manifest_of(lockfile_hash);
  const auto made = completed_size(lockfile_hash);
  const std::string modules = directory_.tree(lockfile_hash) + "/node_modules";
  const auto there = measure_tree(modules);
  if (!manifest || !made || !there || *made != *there) return false;
  return std::all_of(manifest->entries.begin(), manifest->entries.end(), [&](const auto& package) {
    const std::string entry = directory_.entry(package.blob_sha256.value_or(""));
    const std::string place = modules + "/.store/" +
                              directory_name_of(package.name, package.version) + "/node_modules/" +
                              package.name;
    const auto contents = store_.contents_of(entry);
    return contents && std::all_of(contents->entries.begin(), contents->entries.end(),
                                   [&](const PackageContents::Entry& one) {
                                     return is_same_file(entry + "/package/" + one.path,
                                                         place + "/" + one.path, one);
                                   });
  });
}

void PackageTrees::remove_with(const std::string& blob_sha256) {
  for (const std::string& hash : all()) {
    const auto manifest = manifest_of(hash);
    const bool has = manifest && std::any_of(manifest->entries.begin(), manifest->entries.end(),
                                             [&](const auto& package) {
                                               return package.blob_sha256 == blob_sha256;
                                             });
    if (has) directory_.remove(directory_.tree(hash));
  }
}

}  // namespace satellite::agent
