#include "agent/packages/package_disk.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <filesystem>
#include <random>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::size_t remarks_max = 64;

/// A name as the launcher gives its scratch areas: one that nobody holds a lock of is removed by
/// the next agent that starts (sandbox/kernel/scratch_area.hpp).
std::string temporary_name() {
  constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  constexpr int length = 12;
  std::random_device random;
  std::string name = "csat-";
  for (int i = 0; i < length; ++i) name += letters[random() % letters.size()];
  return name;
}

}  // namespace

std::string packages_directory_in(const std::string& state_directory) {
  return state_directory + "/script-packages";
}

struct PackageDisk::Opened {
  Opened(StoreDirectory directory_, const std::string& program, const std::stop_token& stop)
      : directory(std::move(directory_)),
        store(directory, program, stop),
        trees(directory, store, stop) {}
  StoreDirectory directory;
  PackageStore store;
  PackageTrees trees;
};

PackageDisk::PackageDisk(PackagesPlace place, std::stop_token stop)
    : place_(std::move(place)), stop_(std::move(stop)) {
  if (!place_.state_directory.empty()) directory_ = packages_directory_in(place_.state_directory);
}

PackageDisk::~PackageDisk() {
  if (opened_) {
    opened_->store.end_unpacking();
    opened_->directory.close();
  }
  opened_.reset();
  if (temporary_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(temporary_, ignored);
}

Result<void> PackageDisk::make_temporary_directory() {
  const std::string made = place_.scratch_parent + "/" + temporary_name();
  // Scripts of another user must be able to walk through to the tree that they are shown.
  const mode_t mode = ::geteuid() == 0 ? 0711 : 0700;
  if (::mkdir(made.c_str(), S_IRWXU) != 0) return disk_error("make", made, errno);
  temporary_lock_.reset(::open(made.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!temporary_lock_ || ::flock(temporary_lock_.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::fchmod(temporary_lock_.get(), mode) != 0) {
    return error_from_errno("prepare " + made, errno);
  }
  temporary_ = made;
  directory_ = made + "/script-packages";
  return {};
}

Result<PackageDisk::Opened*> PackageDisk::opened() {
  if (stop_.stop_requested()) return Error{ErrorCode::cancelled, "stopped"};
  if (opened_) return opened_.get();
  if (directory_.empty()) {
    if (const auto made = make_temporary_directory(); !made) return made.error();
  }
  auto directory = StoreDirectory::open(directory_);
  if (!directory) return directory.error();
  opened_ = std::make_unique<Opened>(*std::move(directory), place_.unpack_program, stop_);
  return opened_.get();
}

Result<std::optional<std::string>> PackageDisk::open() {
  const bool is_there = !directory_.empty() && ::access(directory_.c_str(), F_OK) == 0;
  if (!is_there) return std::optional<std::string>();
  const auto disk = opened();
  if (!disk) return disk.error();
  auto current = (*disk)->trees.current();
  if (!current) return current;
  const auto found = (*disk)->trees.find(*current);
  if (!found) return found.error();
  if (!*found) current.reset();
  return current;
}

Result<bool> PackageDisk::look_for(const std::string& lockfile_hash) {
  const auto disk = opened();
  if (!disk) return disk.error();
  return (*disk)->trees.find(lockfile_hash);
}

Result<ManifestCompared::Missing> PackageDisk::compare(protocol::ScriptPackageManifest message) {
  const auto disk = opened();
  if (!disk) return disk.error();
  auto comparison = (*disk)->trees.compare(std::move(message));
  if (!comparison) return comparison.error();
  return ManifestCompared::Missing{std::move(comparison->manifest), std::move(comparison->missing)};
}

Result<void> PackageDisk::take_blob(const protocol::ScriptPackage& package,
                                    std::string_view base64) {
  const auto disk = opened();
  if (!disk) return disk.error();
  PackageStore& store = (*disk)->store;
  const bool is_first = store.walls().empty();
  auto taken = store.take_blob(package, base64);
  if (is_first && !store.walls().empty()) {
    remarks_.push_back("packages are unpacked behind: " + store.walls());
  }
  return taken;
}

Result<void> PackageDisk::build(const PackageManifest& manifest) {
  const auto disk = opened();
  if (!disk) return disk.error();
  (*disk)->store.end_unpacking();
  auto built = (*disk)->trees.build(manifest);
  if (!built) return built.error();
  for (std::string& warning : built->warnings) {
    if (remarks_.size() < remarks_max) remarks_.push_back(std::move(warning));
  }
  return {};
}

Result<void> PackageDisk::use(const std::optional<std::string>& lockfile_hash) {
  // Where nothing was ever wanted there is nothing to take out of use. It is noted also when the
  // agent stops meanwhile, for the next start.
  if (!opened_) return {};
  return opened_->trees.make_current(lockfile_hash);
}

void PackageDisk::collect(const std::set<std::string>& kept) {
  if (!opened_ || stop_.stop_requested()) return;
  const std::size_t trees = opened_->trees.collect(kept);
  const std::size_t packages = opened_->store.collect();
  if (trees + packages > 0) {
    remarks_.push_back("removed what nobody uses any more: " + std::to_string(trees) + " trees, " +
                       std::to_string(packages) + " packages");
  }
}

std::vector<std::string> PackageDisk::take_remarks() {
  if (opened_) {
    if (const std::size_t damaged = opened_->store.take_damaged(); damaged > 0) {
      remarks_.push_back(std::to_string(damaged) + " damaged packages were removed from " +
                         directory_ + "; they are fetched again");
    }
  }
  return std::exchange(remarks_, {});
}

}  // namespace satellite::agent
