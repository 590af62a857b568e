#include "agent/config/token_watch.hpp"

#include "agent/config/secret_file.hpp"

#include <sys/stat.h>

#include <utility>

namespace satellite::agent {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

TokenWatch::TokenWatch(TokenSource source, Secret token)
    : source_(std::move(source)), words_(source_.words()), token_(std::move(token)) {
  // One owner is enough.
  source_.environment.reset();
  source_.text = Secret();
  // What seen_ says here, nothing, makes the first look read the file once more: it may have
  // changed since it was read.
}

TokenWatch::Version TokenWatch::version_of_file() const {
  struct stat status {};
  if (::stat(source_.file.c_str(), &status) != 0) return {};
  return {status.st_dev,
          status.st_ino,
          static_cast<std::uint64_t>(status.st_size),
          status.st_mode,
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

Result<bool> TokenWatch::refresh() {
  if (!is_file()) return false;
  // Before the content: what changes in between is seen the next time.
  const Version version = version_of_file();
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
