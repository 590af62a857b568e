#include "agent/packages/archive/package_contents.hpp"

#include "agent/packages/archive/archive_path.hpp"
#include "agent/packages/manifest/package_name.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace satellite::agent {
namespace {

std::string_view contents_word(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

bool is_inside(std::string_view path) {
  const auto read = read_archive_path("top/" + std::string(path));
  return !path.empty() && read && read->inside == path;
}

}  // namespace

std::size_t PackageContents::files() const {
  return static_cast<std::size_t>(std::count_if(
      entries.begin(), entries.end(), [](const Entry& entry) { return !entry.is_directory; }));
}

ByteCount PackageContents::size() const {
  ByteCount size;
  for (const Entry& entry : entries) size += entry.size;
  return size;
}

std::string contents_text(const PackageContents& contents) {
  std::string text;
  for (const PackageContents::Entry& entry : contents.entries) {
    if (entry.is_directory) {
      text += "d ";
    } else {
      text += entry.executable ? "x " : "f ";
      text += entry.sha256 + ' ' + std::to_string(entry.size.value) + ' ';
    }
    text += entry.path + '\n';
  }
  return text;
}

Result<PackageContents> parse_contents(std::string_view text) {
  const Error wrong{ErrorCode::invalid_input, "is no list of a package's files"};
  if (!text.empty() && text.back() != '\n') return wrong;
  PackageContents contents;
  while (!text.empty()) {
    std::string_view line = contents_word(text, '\n');
    const std::string_view kind = contents_word(line, ' ');
    PackageContents::Entry entry;
    entry.is_directory = kind == "d";
    entry.executable = kind == "x";
    if (kind == "f" || kind == "x") {
      entry.sha256 = std::string(contents_word(line, ' '));
      const std::string_view size = contents_word(line, ' ');
      const auto [rest, problem] =
          std::from_chars(size.data(), size.data() + size.size(), entry.size.value);
      const bool is_size = problem == std::errc{} && rest == size.data() + size.size() &&
                           std::to_string(entry.size.value) == size;
      if (!is_sha256(entry.sha256) || !is_size) return wrong;
    } else if (!entry.is_directory) {
      return wrong;
    }
    entry.path = std::string(line);
    if (!is_inside(entry.path)) return wrong;
    contents.entries.push_back(std::move(entry));
  }
  return contents;
}

}  // namespace satellite::agent
