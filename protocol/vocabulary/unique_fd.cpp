#include "protocol/vocabulary/unique_fd.hpp"

#include <unistd.h>

namespace satellite {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  // Linux releases the descriptor even when close reports an error, so it must not be tried again.
  if (old >= 0) ::close(old);
}

}  // namespace satellite
