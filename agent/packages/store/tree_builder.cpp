#include "agent/packages/store/tree_builder.hpp"

#include "agent/packages/manifest/package_name.hpp"
#include "agent/packages/store/store_directory.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace satellite::agent {
namespace {

constexpr std::uint64_t tree_files_max = 1'000'000;
constexpr ByteCount tree_bytes_max{2ULL << 30U};
constexpr mode_t tree_directory_mode = 0755;
constexpr mode_t tree_file_mode = 0444, tree_program_mode = 0555;

class TreeBuilding {
 public:
  TreeBuilding(const std::string& directory, const std::stop_token& stop)
      : root_(directory + "/node_modules"), stop_(stop) {}

  Result<TreeSize> build(const std::vector<TreePackage>& packages,
                         const PackagePlacement& placement) {
    if (const auto made = make_directories(".store"); !made) return made.error();
    for (std::size_t i = 0; i < packages.size(); ++i) {
      if (stop_.stop_requested()) return Error{ErrorCode::cancelled, "stopped"};
      const auto placed = place(packages[i]);
      if (!placed) return placed.error();
      const std::string beside = own_folder(packages[i]);
      for (const auto& one : placement.links[i]) {
        const auto linked = link(beside, one.alias, packages[one.target]);
        if (!linked) return linked.error();
      }
    }
    for (const auto& [name, index] : placement.top) {
      if (const auto linked = link("", name, packages[index]); !linked) return linked.error();
    }
    return size_;
  }

 private:
  /// The `node_modules` folder that holds a package and what it imports, below the root.
  static std::string own_folder(const TreePackage& package) {
    return ".store/" + directory_name_of(package.name, package.version) + "/node_modules/";
  }

  /// A directory below the root with all above it.
  Result<void> make_directories(const std::string& path) {
    std::error_code failure;
    std::filesystem::create_directories(root_ + "/" + path, failure);
    if (failure) return disk_error("make", root_ + "/" + path, failure.value());
    return {};
  }

  Result<void> place(const TreePackage& package) {
    size_.files += package.contents.files();
    size_.bytes += package.contents.size();
    if (size_.files > tree_files_max || size_.bytes > tree_bytes_max) {
      return Error{ErrorCode::limit_exceeded,
                   "the script packages have more than 1,000,000 files or 2 GiB together"};
    }
    const std::string path = own_folder(package) + package.name;
    if (const auto made = make_directories(path); !made) return made.error();
    const UniqueFd to(::open((root_ + "/" + path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd from(
        ::open((package.entry + "/package").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!to || !from) return error_from_errno("open " + package.entry, errno);
    for (const auto& entry : package.contents.entries) {
      const auto done = entry.is_directory ? make_directory(to.get(), entry.path)
                                           : take_file(from.get(), to.get(), entry);
      if (!done) return done.error();
    }
    return {};
  }

  Result<void> make_directory(int in, const std::string& path) {
    if (::mkdirat(in, path.c_str(), tree_directory_mode) == 0) return {};
    return disk_error("make", path, errno);
  }

  Result<void> take_file(int from, int to, const PackageContents::Entry& entry) {
    if (::linkat(from, entry.path.c_str(), to, entry.path.c_str(), 0) == 0) return {};
    const bool cannot_link = errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP;
    if (!cannot_link) return disk_error("link", entry.path, errno);
    const UniqueFd in(::openat(from, entry.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    const UniqueFd out(::openat(to, entry.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                S_IRUSR | S_IWUSR));
    if (!in || !out) return disk_error("copy", entry.path, errno);
    for (std::uint64_t left = entry.size.value; left > 0;) {
      const ssize_t copied = ::sendfile(out.get(), in.get(), nullptr, left);
      if (copied < 0 && errno == EINTR) continue;
      if (copied <= 0) return disk_error("copy", entry.path, copied < 0 ? errno : EIO);
      left -= static_cast<std::uint64_t>(copied);
    }
    ::fchmod(out.get(), entry.executable ? tree_program_mode : tree_file_mode);
    return {};
  }

  /// `in` is a folder below the root, empty or ending with a slash.
  Result<void> link(const std::string& in, const std::string& alias, const TreePackage& target) {
    const bool is_scoped = alias.find('/') != std::string::npos;
    if (is_scoped) {
      const auto scope = make_directories(in + alias.substr(0, alias.find('/')));
      if (!scope) return scope.error();
    }
    // From `.store/<package>/node_modules/` three steps up to the root, one more from a scope.
    std::string to = is_scoped ? "../" : "";
    if (!in.empty()) to += "../../../";
    to += own_folder(target) + target.name;
    const std::string path = root_ + "/" + in + alias;
    if (::symlink(to.c_str(), path.c_str()) != 0) return disk_error("link", path, errno);
    ++size_.links;
    return {};
  }

  std::string root_;
  const std::stop_token& stop_;
  TreeSize size_;
};

}  // namespace

Result<TreeSize> build_tree(const std::string& directory, const std::vector<TreePackage>& packages,
                            const PackagePlacement& placement, const std::stop_token& stop) {
  return TreeBuilding(directory, stop).build(packages, placement);
}

Result<TreeSize> measure_tree(const std::string& node_modules) {
  TreeSize size;
  std::error_code failure;
  for (std::filesystem::recursive_directory_iterator at(node_modules, failure), end;
       !failure && at != end; at.increment(failure)) {
    struct stat facts {};
    if (::lstat(at->path().c_str(), &facts) != 0) return error_from_errno("look at a tree", errno);
    if (S_ISLNK(facts.st_mode)) ++size.links;
    if (!S_ISREG(facts.st_mode)) continue;
    ++size.files;
    size.bytes += ByteCount{static_cast<std::uint64_t>(facts.st_size)};
  }
  if (failure) return error_from_errno("look at " + node_modules, failure.value());
  return size;
}

}  // namespace satellite::agent
