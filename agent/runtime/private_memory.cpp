#include "agent/runtime/private_memory.hpp"

#include <sys/prctl.h>

namespace satellite::agent {

void keep_memory_private() {
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace satellite::agent
