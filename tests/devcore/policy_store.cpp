#include "tests/devcore/policy_store.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "protocol/vocabulary/write_whole.hpp"
#include "sandbox/policy/policy_json.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace satellite::sandbox {
namespace {

namespace fs = std::filesystem;

Error failed(std::string_view what, const fs::path& path) {
  const int error_number = errno;
  return error_from_errno(std::string(what) + " " + path.string(), error_number);
}

Result<std::string> read_bounded(int fd, const fs::path& path) {
  std::string text(static_cast<std::size_t>(limits::policy_file_size_max.value) + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = ::read(fd, text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read", path);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size == text.size()) {
    return Error{ErrorCode::limit_exceeded, path.string() + " is too long for a policy"};
  }
  text.resize(size);
  return text;
}

Result<void> write_and_sync(int fd, std::string_view text, const fs::path& path) {
  if (!write_whole(fd, text)) return failed("write", path);
  if (::fsync(fd) != 0) return failed("fsync", path);
  return {};
}

Result<void> sync_directory_of(const fs::path& file) {
  const fs::path directory = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed("open", directory);
  if (::fsync(fd.get()) != 0) return failed("fsync", directory);
  return {};
}

/// A name of this process only, beside the file, since rename must not cross file systems.
fs::path temporary_beside(const fs::path& file) {
  return file.string() + "." + std::to_string(::getpid()) + ".new";
}

Result<void> store(const fs::path& file, std::string_view text) {
  const fs::path temporary = temporary_beside(file);
  ::unlink(temporary.c_str());  // a crash of an earlier process with our number may have left one
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return failed("create", temporary);
  auto written = write_and_sync(fd.get(), text, temporary);
  if (written && ::rename(temporary.c_str(), file.c_str()) != 0) {
    written = failed("rename to", file);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_directory_of(file);
}

}  // namespace

Result<Policy> PolicyStore::read() const {
  const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return safe_default_;
  if (!fd) return failed("open", file_);
  const auto text = read_bounded(fd.get(), file_);
  if (!text) return text.error();
  auto policy = parse_policy(*text);
  if (!policy) return Error{policy.error().code, file_.string() + ": " + policy.error().message};
  return policy;
}

Result<Policy> PolicyStore::write(std::string_view partial_policy_text) {
  auto policy = merge_policy(safe_default_, partial_policy_text);
  if (!policy) return policy;
  if (auto stored = store(file_, to_json(*policy).dump(2) + "\n"); !stored) return stored.error();
  return policy;
}

}  // namespace satellite::sandbox
