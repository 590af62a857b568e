#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace satellite::agent {

/// Finished lines into a descriptor that may be full, and that others share.
///
/// Shape:  never waits: what the descriptor does not take is kept, up to a bound, and goes out
///         before what comes later; past the bound lines are lost and counted. O_NONBLOCK belongs
///         to the open file, which a shell or a service manager may share, so that it is never set
///         there: a pipe or terminal is opened anew through /proc, a socket is sent to with
///         MSG_DONTWAIT, and where neither works poll(2) is asked first and no more written than a
///         pipe takes whole. A regular file is just written to.
/// Errors: none: a line that cannot be written is a lost line.
/// Source: pipe(7) "PIPE_BUF"; fcntl(2) "File status flags".
class LogOutput {
 public:
  static constexpr ByteCount waiting_size_max{256U << 10U};

  explicit LogOutput(int borrowed_fd);

  void write(std::string_view line);
  /// Tries to write what waits; true if nothing waits any more.
  bool flush();
  /// Lines that were lost since this was asked last.
  std::uint64_t take_lost();
  bool has_lost() const { return lost_ > 0; }

 private:
  enum class Kind { file, reopened, socket, shared };
  /// Bytes taken; 0 = it is full; -1 = it never will.
  std::int64_t put(std::string_view bytes);

  int fd_;
  UniqueFd own_;  ///< the same pipe or terminal, opened by us
  Kind kind_ = Kind::shared;
  std::string waiting_;  ///< whole lines, of the first perhaps only the rest
  std::uint64_t lost_ = 0;
};

}  // namespace satellite::agent
