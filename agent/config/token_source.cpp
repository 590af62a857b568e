#include "agent/config/token_source.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <string.h>  // explicit_bzero
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace satellite::agent {

const char* const token_variable = "CHECKSTACK_SATELLITE_TOKEN";

std::shared_ptr<EnvironmentToken> EnvironmentToken::take() {
  char* const value = ::getenv(token_variable);
  if (value == nullptr || *value == '\0') return nullptr;
  const std::size_t size = std::strlen(value);
  void* const page =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::shared_ptr<EnvironmentToken> token;
  if (page != MAP_FAILED) {
    ::madvise(page, size, MADV_DONTFORK);
    ::madvise(page, size, MADV_DONTDUMP);
    token.reset(new EnvironmentToken());
    token->page_ = static_cast<char*>(page);
    token->size_ = size;
    std::memcpy(page, value, size);
  }
  ::explicit_bzero(value, size);
  ::unsetenv(token_variable);
  return token;
}

EnvironmentToken::~EnvironmentToken() {
  if (page_ == nullptr) return;
  ::explicit_bzero(page_, size_);
  ::munmap(page_, size_);
}

std::string TokenSource::words() const {
  if (!file.empty()) return setting + ": token file " + file;
  return found() ? "environment " + std::string(token_variable) : std::string();
}

Result<Token> read_token(const TokenSource& source) {
  if (!source.file.empty()) return read_token_file(source.file, source.setting);
  const std::string_view text =
      source.environment != nullptr ? source.environment->reveal() : source.text.reveal();
  return checked_token(std::string(text), source.words());
}

Result<Token> checked_token(std::string text, const std::string& source) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (begin < end && is_space(text[begin])) ++begin;
  while (end > begin && is_space(text[end - 1])) --end;
  Secret secret(text.substr(begin, end - begin));
  wipe(text);
  const std::string_view token = secret.reveal();
  if (token.empty()) {
    return Error{ErrorCode::invalid_input,
                 "token: " + source + " is empty; put the satellite's token there"};
  }
  if (token.size() > limits::token_size_max.value) {
    return Error{ErrorCode::invalid_input, "token: " + source + " is longer than " +
                                               std::to_string(limits::token_size_max.value) +
                                               " bytes; it should hold one token and nothing else"};
  }
  if (token.starts_with("\xef\xbb\xbf") || token.starts_with("\xff\xfe") ||
      token.starts_with("\xfe\xff")) {
    return Error{
        ErrorCode::invalid_input,
        "token: " + source + " begins with a byte order mark; save it as plain text without one"};
  }
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  if (is_quote(token.front()) || is_quote(token.back())) {
    return Error{ErrorCode::invalid_input,
                 "token: " + source + " has quotes around it; write the token without them"};
  }
  if (!std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; })) {
    return Error{ErrorCode::invalid_input,
                 "token: " + source +
                     " holds white space or bytes that are not printable ASCII; it should hold one "
                     "token and nothing else"};
  }
  return Token{std::move(secret), source};
}

Result<Token> read_token_file(const std::string& path, const std::string& setting) {
  constexpr std::size_t piece_size = 4096;
  const std::string name = setting + ": token file " + path;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return error_from_errno(name, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return error_from_errno(name, errno);
  if (!S_ISREG(status.st_mode)) {
    return Error{ErrorCode::invalid_input, name + " is not a regular file"};
  }
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return Error{ErrorCode::not_permitted,
                 name +
                     " can be read or replaced by other users of this host; remedy: chmod 600, or, "
                     "for a secret that is mounted read-only, mount it with mode 0400 (defaultMode "
                     "in Kubernetes, mode in Docker)"};
  }
  std::string text;
  // At its full size from the start: growing would leave pieces of the token behind.
  text.reserve(limits::token_size_max.value + piece_size);
  std::array<char, piece_size> piece{};
  // One byte more than allowed is enough to know that it is too long.
  while (text.size() <= limits::token_size_max.value) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(name, errno);
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::explicit_bzero(piece.data(), piece.size());
  return checked_token(std::move(text), setting + ": token file " + path);
}

}  // namespace satellite::agent
