#include "sandbox/kernel/user_processes.hpp"

#include <sys/resource.h>
#include <cerrno>

namespace satellite::sandbox::kernel {

bool user_has_processes(std::uint32_t uid) {
  errno = 0;
  ::getpriority(PRIO_USER, uid);
  return errno != ESRCH;
}

}  // namespace satellite::sandbox::kernel
