#include "tls/authority_file.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "tls/client_context.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace satellite::tls {
namespace {

// The public web's authorities are about 250 KiB.
constexpr std::size_t text_size_max = 32U << 20U;

}  // namespace

Settings AuthorityFile::settings() const {
  Settings settings;
  settings.ca_file = path_;
  settings.ca_pem = text_;
  return settings;
}

/// The text, if it is one that a connection can trust.
Result<std::string> AuthorityFile::read(const std::string& path) {
  const std::string name = "tls.ca_file \"" + path + '"';
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return error_from_errno(name, errno);
  std::string text;
  std::array<char, 16'384> piece{};
  while (text.size() <= text_size_max) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(name, errno);
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  if (text.size() > text_size_max) {
    return Error{ErrorCode::limit_exceeded, name + ": larger than 32 MiB"};
  }
  if (text.empty()) {
    return Error{ErrorCode::invalid_input, name + ": no certificate in it; it is empty"};
  }
  Settings settings;
  settings.ca_file = path;
  settings.ca_pem = text;
  const auto context = make_client_context(settings);
  if (!context) return context.error();
  return text;
}

Result<bool> AuthorityFile::refresh() {
  if (path_.empty()) return false;
  // Before the content: what changes in between is seen the next time.
  const FileVersion version = version_of_file(path_);
  if (was_seen_ && version == seen_) return false;
  auto text = read(path_);
  seen_ = version;
  was_seen_ = true;
  if (!text) return text.error();
  const bool is_new = *text != text_;
  text_ = *std::move(text);
  return is_new;
}

}  // namespace satellite::tls
