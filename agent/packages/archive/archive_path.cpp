#include "agent/packages/archive/archive_path.hpp"

#include <algorithm>
#include <cstddef>

namespace satellite::agent {
namespace {

constexpr std::size_t path_length_max = 1'024;
constexpr std::size_t segment_length_max = 255;  // NAME_MAX of every usual file system
constexpr std::size_t depth_max = 32;

bool has_drive_letter(std::string_view path) {
  return path.size() >= 2 && path[1] == ':' &&
         ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z'));
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

Result<ArchivePath> read_archive_path(std::string_view path) {
  if (path.empty()) return Error{ErrorCode::invalid_input, "an entry without a name"};
  if (path.size() > path_length_max) return Error{ErrorCode::limit_exceeded, "a path is too long"};
  if (path.front() == '/') return Error{ErrorCode::invalid_input, "an absolute path"};
  if (has_drive_letter(path)) return Error{ErrorCode::invalid_input, "a drive letter"};
  if (path.find('\\') != std::string_view::npos) {
    return Error{ErrorCode::invalid_input, "a backslash in a name"};
  }
  if (std::any_of(path.begin(), path.end(), is_control)) {
    return Error{ErrorCode::invalid_input, "a control character in a name"};
  }
  ArchivePath found;
  found.ends_with_slash = path.back() == '/';
  std::size_t depth = 0;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") return Error{ErrorCode::invalid_input, "a path with .. in it"};
    if (segment.size() > segment_length_max) {
      return Error{ErrorCode::limit_exceeded, "a name is too long"};
    }
    if (++depth > depth_max) return Error{ErrorCode::limit_exceeded, "a path is too deep"};
    if (depth == 1) {
      found.top = std::string(segment);
    } else {
      if (!found.inside.empty()) found.inside += '/';
      found.inside += segment;
    }
  }
  return found;
}

}  // namespace satellite::agent
