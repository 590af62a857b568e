#pragma once

#include "protocol/vocabulary/result.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>

namespace satellite::agent {

/// A file that takes the place of another, or is made: whole or not at all, and on disk before it
/// does.
///
/// Shape:  written beside its place as `PATH.new`; gone with this object unless it was put. A link
///         stays one: what it leads to is replaced. Owner and group are those of what was there.
class WrittenFile {
 public:
  struct Mode {
    mode_t fresh;     ///< of a file that was not there
    mode_t kept_max;  ///< which bits of one that was there stay
  };
  /// Errors: those of open(2), write(2), fchown(2) and fsync(2), naming the file.
  static Result<WrittenFile> write(const std::string& path, std::string_view text, Mode mode);

  WrittenFile(WrittenFile&& other) noexcept;
  WrittenFile& operator=(WrittenFile&&) = delete;
  ~WrittenFile();

  /// From now on it is there. Errors: those of rename(2).
  Result<void> put();

 private:
  explicit WrittenFile(std::string place) : place_(std::move(place)) {}
  std::string next() const { return place_ + ".new"; }

  std::string place_;  ///< empty = nothing to take away
};

}  // namespace satellite::agent
