// What is written here lies in a directory that nobody else can change meanwhile, and no link is
// ever made in it: a path of names, without `..`, leads nowhere else.
#include "agent/packages/archive/unpack_archive.hpp"

#include "agent/packages/archive/gunzip.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "protocol/vocabulary/write_whole.hpp"
#include "tls/digest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace satellite::agent {
namespace {

constexpr mode_t directory_mode = 0755, file_mode = 0444, program_mode = 0555;
// Headers, padding and header texts beside the content.
constexpr ByteCount overhead_max{192U << 20U};
constexpr std::size_t read_size = 64U << 10U;

class DirectorySink : public TarSink {
 public:
  explicit DirectorySink(int root) : root_(root) {}
  PackageContents take() { return std::move(contents_); }

  Result<void> directory(const std::string& path) override {
    if (::mkdirat(root_, path.c_str(), directory_mode) != 0) {
      return unpack_file_error("make a directory of the package");
    }
    PackageContents::Entry entry;
    entry.path = path;
    entry.is_directory = true;
    contents_.entries.push_back(std::move(entry));
    return {};
  }

  Result<void> begin_file(const std::string& path, bool executable) override {
    file_.reset(::openat(root_, path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         S_IRUSR | S_IWUSR));
    if (!file_) return unpack_file_error("make a file of the package");
    PackageContents::Entry entry;
    entry.path = path;
    entry.executable = executable;
    contents_.entries.push_back(std::move(entry));
    return {};
  }

  Result<void> content(std::string_view bytes) override {
    digest_.update(bytes);
    contents_.entries.back().size += ByteCount{bytes.size()};
    if (!write_whole(file_.get(), bytes)) return unpack_file_error("write a file of the package");
    return {};
  }

  Result<void> end_file() override {
    PackageContents::Entry& entry = contents_.entries.back();
    entry.sha256 = digest_.finish();
    if (::fchmod(file_.get(), entry.executable ? program_mode : file_mode) != 0) {
      return error_from_errno("set the mode of a file of the package", errno);
    }
    file_.reset();
    return {};
  }

 private:
  int root_;
  UniqueFd file_;
  tls::Sha256 digest_;
  PackageContents contents_;
};

}  // namespace

Error unpack_file_error(std::string_view what) {
  if (errno != ENOSPC && errno != EDQUOT) {
    return {ErrorCode::io_failed, std::string(what) + ": " + std::strerror(errno)};
  }
  return {ErrorCode::unavailable, "no room to " + std::string(what)};
}

Result<PackageContents> unpack_archive(int archive, int directory, const ArchiveBounds& bounds) {
  DirectorySink sink(directory);
  TarReader reader(sink, bounds);
  Gunzip gunzip(bounds.content_max + overhead_max,
                [&reader](std::string_view bytes) { return reader.feed(bytes); });
  std::array<char, read_size> piece;
  while (true) {
    const ssize_t got = ::read(archive, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno("read the archive", errno);
    if (got == 0) break;
    const auto fed = gunzip.feed({piece.data(), static_cast<std::size_t>(got)});
    if (!fed) return fed.error();
  }
  if (const auto ended = gunzip.finish(); !ended) return ended.error();
  if (const auto ended = reader.finish(); !ended) return ended.error();
  return sink.take();
}

}  // namespace satellite::agent
