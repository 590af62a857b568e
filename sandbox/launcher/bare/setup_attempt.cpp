// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the init program.
#include "sandbox/launcher/bare/setup_attempt.hpp"

#include <linux/prctl.h>

namespace satellite::sandbox::bare {

void fail(int fd, SetupStep step, long result, int index) {
  InitReport report;
  report.kind = InitReportKind::failed;
  report.step = step;
  report.index = index;
  report.error_number = static_cast<std::int32_t>(-result);
  call(__NR_write, fd, address(&report), sizeof(report));
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);  // init may share this memory
  for (;;) call(__NR_exit_group, 127);
}

}  // namespace satellite::sandbox::bare
