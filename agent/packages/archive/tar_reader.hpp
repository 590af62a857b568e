#pragma once

#include "agent/packages/archive/archive_path.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace satellite::agent {

/// What one package may hold. The largest of 2,300 has 12,000 files of 90 MiB together.
struct ArchiveBounds {
  ByteCount content_max{256U << 20U};
  std::size_t names_max = 50'000;  ///< files and directories
};

/// Who takes what a tar reader finds: directories, then files, each after the directory that it
/// lies in. An error ends the reading.
class TarSink {
 public:
  virtual ~TarSink() = default;
  virtual Result<void> directory(const std::string& path) = 0;
  virtual Result<void> begin_file(const std::string& path, bool executable) = 0;
  virtual Result<void> content(std::string_view bytes) = 0;
  virtual Result<void> end_file() = 0;
};

/// A tar archive of one package, read as its bytes arrive. Pure but for its sink.
///
/// Shape:  POSIX ustar, GNU's long names, and the `path` of pax headers; a file of the archive's
///         one top directory is given to the sink by its path below that directory. Of a mode only
///         whether somebody may execute the file counts; owners and times do not.
/// Errors: invalid_input names the rule that the archive breaks: anything but files and
///         directories, a second top directory, a name twice, a file used as a directory, a bad
///         checksum, what stands behind the end, an end that is missing, sizes and links in pax
///         headers. limit_exceeded: bounds. After an error it must not be used any more.
/// Source: POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
class TarReader {
 public:
  TarReader(TarSink& sink, ArchiveBounds bounds) : sink_(sink), bounds_(bounds) {}

  Result<void> feed(std::string_view bytes);
  /// The archive has no more bytes.
  Result<void> finish() const;

  std::size_t files() const { return files_; }
  ByteCount content_size() const { return content_size_; }

 private:
  static constexpr std::size_t block_size = 512;
  enum class Reading { header, long_name, pax_records, global_records, content, end };

  Result<void> take_block();
  Result<void> take_header();
  Result<void> begin_extension(Reading kind, std::uint64_t size);
  Result<void> end_extension();
  Result<void> take_records(bool is_global);
  Result<void> take_record(std::string_view key, std::string_view value, bool is_global);
  Result<void> begin_entry(char type, std::uint64_t size, bool executable);
  Result<void> note_directory(const std::string& path);
  Result<void> note_file(const std::string& path);
  Result<void> note_name(const std::string& path, bool is_directory);
  std::string header_path() const;
  std::string_view field(std::size_t offset, std::size_t length) const;
  /// The bytes of content or of an extension in front of `bytes`, taken off it.
  std::string_view piece_of(std::string_view& bytes);

  TarSink& sink_;
  ArchiveBounds bounds_;
  Reading reading_ = Reading::header;
  std::array<char, block_size> block_{};
  std::size_t block_filled_ = 0;
  std::uint64_t left_ = 0;      ///< bytes of content or extension that are still to come
  std::uint64_t padding_ = 0;   ///< bytes up to the next block, after them
  std::string extension_;       ///< a long name, or pax records
  std::size_t extensions_ = 0;  ///< headers of that kind, which cost time and name nothing
  std::optional<std::string> next_path_;
  std::optional<std::string> top_;
  std::unordered_map<std::string, bool> names_;  ///< path -> whether it is a directory
  std::size_t files_ = 0;
  ByteCount content_size_;
  int zero_blocks_ = 0;
};

}  // namespace satellite::agent
