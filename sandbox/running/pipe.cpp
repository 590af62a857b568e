#include "sandbox/running/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::sandbox {
namespace {

constexpr int pipe_size = 256 << 10;

}  // namespace

Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno("pipe2", errno);
  ::fcntl(ends[0], F_SETPIPE_SZ, pipe_size);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace satellite::sandbox
