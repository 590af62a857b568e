#include "agent/config/token_watch.hpp"

#include "agent/config/secret_file.hpp"

#include <utility>

namespace satellite::agent {

TokenWatch::TokenWatch(TokenSource source, Secret token)
    : source_(std::move(source)), words_(source_.words()), token_(std::move(token)) {
  // One owner is enough.
  source_.environment.reset();
  source_.text = Secret();
  // What seen_ says here, nothing, makes the first look read the file once more: it may have
  // changed since it was read.
}

Result<bool> TokenWatch::refresh() {
  if (!is_file()) return false;
  // Before the content: what changes in between is seen the next time.
  const FileVersion version = version_of_file(source_.file);
  if (version == seen_) return false;
  auto read = read_token_file(source_.file, source_.setting);
  if (!read && !lasts(read.error())) {
    // Nothing was seen: it is read again the next time, but not logged again with the same words.
    if (std::exchange(told_, read.error().message) == read.error().message) return false;
    return read.error();
  }
  seen_ = version;
  told_.clear();
  if (!read) return read.error();
  if (read->value.reveal() == token_.reveal()) return false;
  token_ = std::move(read->value);
  return true;
}

Result<bool> TokenWatch::replace(TokenSource source) {
  auto read = read_token(source);
  if (!read) return read.error();
  const bool is_new = read->value.reveal() != token_.reveal();
  *this = TokenWatch(std::move(source), std::move(read->value));
  return is_new;
}

}  // namespace satellite::agent
