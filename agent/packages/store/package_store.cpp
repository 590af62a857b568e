#include "agent/packages/store/package_store.hpp"

#include "agent/packages/manifest/package_name.hpp"
#include "agent/packages/store/base64.hpp"
#include "tls/digest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <utility>

namespace satellite::agent {
namespace {

// 50,000 lines of paths of a kilobyte.
constexpr ByteCount contents_size_max{64U << 20U};
constexpr ByteCount index_size_max{256};
constexpr int orders_of_a_process_max = 250;
constexpr std::chrono::hours unused_entries_kept_for{24};
// What a package takes on disk, beside its compressed size.
constexpr std::uint64_t unpacked_per_packed = 3;

std::string in_megabytes(ByteCount size) {
  return std::to_string((size.value + 999'999) / 1'000'000) + " MB";
}

}  // namespace

/// The bytes of a package as the core sent them, in a file without a name.
struct PackageStore::Blob {
  UniqueFd file;
  std::string sha256;
};

PackageStore::PackageStore(const StoreDirectory& directory, std::string unpack_program,
                           std::stop_token stop)
    : directory_(directory), unpack_program_(std::move(unpack_program)), stop_(std::move(stop)) {}

PackageStore::~PackageStore() {
  end_unpacking();
}

std::optional<std::string> PackageStore::entry_of(const protocol::ScriptPackage& package) const {
  if (package.blob_sha256) return directory_.entry(*package.blob_sha256);
  const auto name = read_store_file(directory_.index(package.integrity), index_size_max);
  if (!name || !name->ends_with('\n')) return std::nullopt;
  const std::string digest = name->substr(0, name->size() - 1);
  if (!is_sha256(digest)) return std::nullopt;
  return directory_.entry(digest);
}

std::optional<std::string> PackageStore::find(const protocol::ScriptPackage& package) {
  auto entry = entry_of(package);
  if (!entry || ::access(entry->c_str(), F_OK) != 0) return std::nullopt;
  const bool is_trusted = directory_.is_content_certain() || trusted_.contains(*entry);
  if (!is_whole(*entry, is_trusted ? Depth::sizes : Depth::digests)) {
    if (stop_.stop_requested()) return std::nullopt;  // it was not looked at to its end
    directory_.remove(*entry);
    trusted_.erase(*entry);
    ++damaged_;
    return std::nullopt;
  }
  trusted_.insert(*entry);
  return entry;
}

std::size_t PackageStore::take_damaged() {
  return std::exchange(damaged_, 0);
}

Result<PackageContents> PackageStore::contents_of(const std::string& entry) const {
  const auto text = read_store_file(entry + "/contents", contents_size_max);
  if (!text) return text.error();
  return parse_contents(*text);
}

bool PackageStore::is_whole(const std::string& entry, Depth depth) const {
  const auto contents = contents_of(entry);
  if (!contents) return false;
  return std::all_of(contents->entries.begin(), contents->entries.end(), [&](const auto& one) {
    const std::string path = entry + "/package/" + one.path;
    struct stat facts {};
    if (stop_.stop_requested() || ::lstat(path.c_str(), &facts) != 0) return false;
    if (one.is_directory) return S_ISDIR(facts.st_mode);
    const bool has_size =
        S_ISREG(facts.st_mode) && static_cast<std::uint64_t>(facts.st_size) == one.size.value;
    return has_size && (depth == Depth::sizes || has_digest(path, one.sha256));
  });
}

Result<void> PackageStore::check_room(std::string_view base64) const {
  const ByteCount needed{base64.size() / 4 * 3 * unpacked_per_packed};
  const auto room = directory_.free_room();
  if (!room || *room >= needed) return {};
  return Error{ErrorCode::limit_exceeded, "No room for script packages in " + directory_.path() +
                                              ": need about " + in_megabytes(needed) + ", " +
                                              in_megabytes(*room) + " free"};
}

Result<PackageStore::Blob> PackageStore::decode(const protocol::ScriptPackage& package,
                                                std::string_view base64) const {
  const std::string path = directory_.partial("store");
  Blob blob;
  blob.file.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!blob.file) return disk_error("make", path, errno);
  ::unlink(path.c_str());
  tls::Sha256 digest;
  const auto decoded = decode_base64(base64, [&](std::string_view bytes) -> Result<void> {
    digest.update(bytes);
    while (!bytes.empty()) {
      const ssize_t written = ::write(blob.file.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return disk_error("write", path, errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  });
  if (!decoded && decoded.error().code == ErrorCode::invalid_input) {
    return Error{ErrorCode::invalid_input,
                 "blob of " + label_of(package) + " " + decoded.error().message};
  }
  if (!decoded) return decoded.error();
  blob.sha256 = digest.finish();
  if (package.blob_sha256 && *package.blob_sha256 != blob.sha256) {
    return Error{ErrorCode::invalid_input, "blob of " + label_of(package) + ": expected sha256 " +
                                               *package.blob_sha256 + ", got " + blob.sha256};
  }
  if (::lseek(blob.file.get(), 0, SEEK_SET) != 0) return error_from_errno("lseek", errno);
  return blob;
}

Result<void> PackageStore::take_blob(const protocol::ScriptPackage& package,
                                     std::string_view base64) {
  if (const auto room = check_room(base64); !room) return room.error();
  const auto blob = decode(package, base64);
  if (!blob) return blob.error();
  const std::string entry = directory_.entry(blob->sha256);
  if (::access(entry.c_str(), F_OK) != 0) {
    if (const auto unpacked = unpack(label_of(package), *blob); !unpacked) return unpacked.error();
  }
  trusted_.insert(entry);
  return write_store_file(directory_.index(package.integrity), blob->sha256 + "\n");
}

Result<void> PackageStore::start_unpacking() {
  if (unpacking_ && unpacking_->is_usable() && unpacking_->orders() < orders_of_a_process_max) {
    return {};
  }
  end_unpacking();
  unpack_directory_ = directory_.partial("store");
  if (::mkdir(unpack_directory_.c_str(), 0700) != 0) {
    return disk_error("make", unpack_directory_, errno);
  }
  const UniqueFd writable(
      ::open(unpack_directory_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!writable) return error_from_errno("open " + unpack_directory_, errno);
  auto started = UnpackProcess::start(unpack_program_, writable.get());
  if (!started) return started.error();
  unpacking_.emplace(*std::move(started));
  walls_ = unpacking_->walls();
  return {};
}

void PackageStore::end_unpacking() {
  unpacking_.reset();
  if (unpack_directory_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(unpack_directory_, ignored);
  unpack_directory_.clear();
}

Result<void> PackageStore::unpack(const std::string& label, const Blob& blob) {
  if (const auto started = start_unpacking(); !started) return started.error();
  const std::string name = std::to_string(unpacking_->orders());
  const auto unpacked = unpacking_->unpack(blob.file.get(), name, stop_);
  const std::string made = unpack_directory_ + "/" + name;
  if (unpacked) {
    if (::rename(made.c_str(), directory_.entry(blob.sha256).c_str()) == 0) return {};
    return disk_error("rename", made, errno);
  }
  const Error& why = unpacked.error();
  std::error_code ignored;
  std::filesystem::remove_all(made, ignored);
  if (why.code == ErrorCode::invalid_input || why.code == ErrorCode::limit_exceeded) {
    return Error{why.code, "archive of " + label + " refused: " + why.message};
  }
  if (why.code == ErrorCode::unavailable) {
    return disk_error("unpack into", directory_.path(), ENOSPC);
  }
  return Error{why.code, "unpacking " + label + ": " + why.message};
}

bool PackageStore::is_unused(const std::string& entry) const {
  struct stat facts {};
  if (::lstat((entry + "/contents").c_str(), &facts) != 0) return true;
  const auto used = std::chrono::system_clock::from_time_t(facts.st_mtime);
  if (std::chrono::system_clock::now() - used < unused_entries_kept_for) return false;
  const auto contents = contents_of(entry);
  if (!contents) return true;
  return std::all_of(contents->entries.begin(), contents->entries.end(), [&](const auto& one) {
    struct stat file {};
    return one.is_directory || ::lstat((entry + "/package/" + one.path).c_str(), &file) != 0 ||
           file.st_nlink == 1;
  });
}

std::size_t PackageStore::collect() {
  std::size_t removed = 0;
  for (const std::string& name : directory_.names_in("store")) {
    if (stop_.stop_requested()) return removed;
    const std::string entry = directory_.entry(name);
    if (!is_unused(entry)) continue;
    directory_.remove(entry);
    trusted_.erase(entry);
    ++removed;
  }
  for (const std::string& name : directory_.names_in("index")) {
    const std::string path = directory_.path() + "/index/" + name;
    const auto leads_to = read_store_file(path, index_size_max);
    const bool leads =
        leads_to && leads_to->ends_with('\n') &&
        ::access(directory_.entry(leads_to->substr(0, leads_to->size() - 1)).c_str(), F_OK) == 0;
    if (!leads) ::unlink(path.c_str());
  }
  return removed;
}

}  // namespace satellite::agent
