#include "agent/config/token_source.hpp"

#include "agent/config/secret_file.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <string.h>  // explicit_bzero
#include <sys/mman.h>

#include <algorithm>
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
  const std::string name = setting + ": token file " + path;
  auto text = read_secret_file(path, name, limits::token_size_max);
  if (!text) return text.error();
  return checked_token(*std::move(text), name);
}

}  // namespace satellite::agent
