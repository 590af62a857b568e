#include "agent/packages/archive/tar_reader.hpp"

#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::uint64_t extension_size_max = 64U << 10U;
// The fields of a header, as offset and length.
constexpr std::size_t name_at = 0, name_length = 100, mode_at = 100, mode_length = 8, size_at = 124,
                      size_length = 12, checksum_at = 148, checksum_length = 8, type_at = 156,
                      magic_at = 257, prefix_at = 345, prefix_length = 155;
constexpr std::string_view posix_magic(
    "ustar\0"
    "00",
    8);
constexpr std::string_view gnu_magic("ustar  \0", 8);
constexpr std::uint64_t any_execute_bit = 0111;

Error broken(std::string_view rule) {
  return {ErrorCode::invalid_input, std::string(rule)};
}

/// Octal digits between spaces, ended by a space, a zero byte or the field.
std::optional<std::uint64_t> octal(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  std::uint64_t number = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '7') {
    number = number * 8 + static_cast<std::uint64_t>(text[digits] - '0');
    ++digits;
  }
  const std::string_view rest = text.substr(digits);
  const bool is_ended =
      std::all_of(rest.begin(), rest.end(), [](char c) { return c == ' ' || c == '\0'; });
  if (!is_ended) return std::nullopt;
  return number;  // a field without any digit is zero
}

bool is_all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

}  // namespace

std::string_view TarReader::field(std::size_t offset, std::size_t length) const {
  return {block_.data() + offset, length};
}

Result<void> TarReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (reading_ == Reading::end) {
      if (!is_all_zero(bytes)) return broken("bytes behind the end of the archive");
      return {};
    }
    if (left_ > 0) {
      const std::string_view piece = piece_of(bytes);
      if (reading_ == Reading::content) {
        if (const auto taken = sink_.content(piece); !taken) return taken.error();
        if (left_ > 0) continue;
        if (const auto ended = sink_.end_file(); !ended) return ended.error();
      } else {
        extension_ += piece;
        if (left_ > 0) continue;
        if (const auto ended = end_extension(); !ended) return ended.error();
      }
      reading_ = Reading::header;
      continue;
    }
    if (padding_ > 0) {
      const std::size_t skipped = std::min<std::uint64_t>(padding_, bytes.size());
      bytes.remove_prefix(skipped);
      padding_ -= skipped;
      continue;
    }
    const std::size_t taken = std::min(block_size - block_filled_, bytes.size());
    std::memcpy(block_.data() + block_filled_, bytes.data(), taken);
    bytes.remove_prefix(taken);
    block_filled_ += taken;
    if (block_filled_ < block_size) continue;
    block_filled_ = 0;
    if (const auto done = take_block(); !done) return done.error();
  }
  return {};
}

std::string_view TarReader::piece_of(std::string_view& bytes) {
  const std::string_view piece = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
  bytes.remove_prefix(piece.size());
  left_ -= piece.size();
  return piece;
}

Result<void> TarReader::finish() const {
  if (reading_ != Reading::end) return broken("the archive has no end");
  return {};
}

Result<void> TarReader::take_block() {
  if (is_all_zero({block_.data(), block_size})) {
    if (next_path_) return broken("a long name without an entry");
    // Two blocks of zeros end an archive.
    if (++zero_blocks_ == 2) reading_ = Reading::end;
    return {};
  }
  if (zero_blocks_ != 0) return broken("bytes behind the end of the archive");
  return take_header();
}

Result<void> TarReader::take_header() {
  const std::string_view magic = field(magic_at, posix_magic.size());
  if (magic != posix_magic && magic != gnu_magic) return broken("a block that is no tar header");
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block_size; ++i) {
    const bool is_checksum = i >= checksum_at && i < checksum_at + checksum_length;
    sum += is_checksum ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(block_[i]);
  }
  if (octal(field(checksum_at, checksum_length)) != sum) return broken("a bad checksum");
  const auto size = octal(field(size_at, size_length));
  const auto mode = octal(field(mode_at, mode_length));
  if (!size || !mode) return broken("a header with a number that is none");
  const char type = block_[type_at];
  switch (type) {
    case 'L':
      return begin_extension(Reading::long_name, *size);
    case 'x':
      return begin_extension(Reading::pax_records, *size);
    case 'g':
      return begin_extension(Reading::global_records, *size);
    case '0':
    case '\0':
    case '5':
      return begin_entry(type, *size, (*mode & any_execute_bit) != 0);
    default:
      return broken("an entry that is neither a file nor a directory");
  }
}

Result<void> TarReader::begin_extension(Reading kind, std::uint64_t size) {
  if (size == 0 || size > extension_size_max) {
    return Error{ErrorCode::limit_exceeded, "a header text of a size that none has"};
  }
  if (++extensions_ > bounds_.names_max) {
    return Error{ErrorCode::limit_exceeded, "too many header texts"};
  }
  if (kind == Reading::long_name && next_path_) return broken("two names for one entry");
  reading_ = kind;
  extension_.clear();
  left_ = size;
  padding_ = (block_size - size % block_size) % block_size;
  return {};
}

Result<void> TarReader::end_extension() {
  if (reading_ != Reading::long_name) return take_records(reading_ == Reading::global_records);
  const std::size_t end = std::min(extension_.find('\0'), extension_.size());
  if (!is_all_zero(std::string_view(extension_).substr(end)))
    return broken("a zero byte in a name");
  next_path_ = extension_.substr(0, end);
  return {};
}

/// Records of the form `LENGTH KEY=VALUE\n`; the length counts all of it.
Result<void> TarReader::take_records(bool is_global) {
  std::string_view rest = extension_;
  while (!rest.empty()) {
    std::uint64_t length = 0;
    std::size_t digits = 0;
    constexpr std::size_t digits_max = 6;  // a record is no longer than its header text
    while (digits < rest.size() && digits < digits_max && rest[digits] >= '0' &&
           rest[digits] <= '9') {
      length = length * 10 + static_cast<std::uint64_t>(rest[digits++] - '0');
    }
    if (digits == 0 || length > rest.size() || length < digits + 3 || rest[digits] != ' ' ||
        rest[length - 1] != '\n') {
      return broken("a pax record that is none");
    }
    const std::string_view record = rest.substr(digits + 1, length - digits - 2);
    rest.remove_prefix(length);
    const std::size_t equals = record.find('=');
    if (equals == std::string_view::npos) return broken("a pax record that is none");
    const auto taken = take_record(record.substr(0, equals), record.substr(equals + 1), is_global);
    if (!taken) return taken.error();
  }
  return {};
}

Result<void> TarReader::take_record(std::string_view key, std::string_view value, bool is_global) {
  const bool is_refused = key == "size" || key == "linkpath" || key.starts_with("GNU.sparse");
  if (is_refused) return broken("a pax header for " + printable(key.substr(0, 16)));
  if (key != "path") return {};
  if (is_global) return broken("a path for all entries");
  if (value.find('\0') != std::string_view::npos) return broken("a zero byte in a name");
  next_path_ = std::string(value);
  return {};
}

std::string TarReader::header_path() const {
  const auto text = [this](std::size_t at, std::size_t length) {
    const std::string_view all = field(at, length);
    return std::string(all.substr(0, std::min(all.find('\0'), all.size())));
  };
  std::string path = text(name_at, name_length);
  // GNU's header has times where that of POSIX has what stands before the name.
  if (field(magic_at, posix_magic.size()) != posix_magic) return path;
  const std::string prefix = text(prefix_at, prefix_length);
  return prefix.empty() ? path : prefix + '/' + path;
}

Result<void> TarReader::begin_entry(char type, std::uint64_t size, bool executable) {
  const auto path = read_archive_path(next_path_ ? *next_path_ : header_path());
  next_path_.reset();
  if (!path) return path.error();
  // Old programs write directories as files whose names end with a slash.
  const bool is_directory = type == '5' || path->ends_with_slash;
  if (is_directory && size != 0) return broken("a directory with content");
  if (path->top.empty()) {
    if (is_directory) return {};
    return broken("an entry without a name");
  }
  if (top_ && *top_ != path->top) return broken("a second top directory");
  top_ = path->top;
  if (is_directory) return path->inside.empty() ? Result<void>{} : note_directory(path->inside);
  if (path->inside.empty()) return broken("a file outside the top directory");
  content_size_ += ByteCount{size};
  if (size > bounds_.content_max.value || content_size_ > bounds_.content_max) {
    return Error{ErrorCode::limit_exceeded, "more content than a package may have"};
  }
  if (const auto noted = note_file(path->inside); !noted) return noted.error();
  if (const auto begun = sink_.begin_file(path->inside, executable); !begun) return begun.error();
  ++files_;
  if (size == 0) return sink_.end_file();
  reading_ = Reading::content;
  left_ = size;
  padding_ = (block_size - size % block_size) % block_size;
  return {};
}

Result<void> TarReader::note_name(const std::string& path, bool is_directory) {
  if (names_.size() >= bounds_.names_max) {
    return Error{ErrorCode::limit_exceeded, "more files than a package may have"};
  }
  names_.emplace(path, is_directory);
  return {};
}

/// The directory and all above it that are new.
Result<void> TarReader::note_directory(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    const auto known = names_.find(part);
    if (known != names_.end() && !known->second) return broken("a file used as a directory");
    if (known == names_.end()) {
      if (const auto noted = note_name(part, true); !noted) return noted.error();
      if (const auto made = sink_.directory(part); !made) return made.error();
    }
    if (end == std::string::npos) return {};
  }
}

Result<void> TarReader::note_file(const std::string& path) {
  if (names_.contains(path)) return broken("a name twice");
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos) {
    if (const auto above = note_directory(path.substr(0, slash)); !above) return above.error();
  }
  return note_name(path, false);
}

}  // namespace satellite::agent
