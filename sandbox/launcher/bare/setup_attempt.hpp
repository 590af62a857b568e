#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"

namespace satellite::sandbox::bare {

/// Tells the launcher why this process gives up, and ends it.
[[noreturn]] void fail(int fd, SetupStep step, long result, int index = 0);

/// System calls of a set-up: each belongs to a step, and one that fails ends the process with a
/// report of that step. A fault takes the place of its step's calls.
class Attempt {
 public:
  Attempt(const Fault& fault, int report_fd) : fault_(fault), report_fd_(report_fd) {}

  /// The call's result; its failure is left to the caller.
  long may(SetupStep step, int index, long number, long a = 0, long b = 0, long c = 0, long d = 0,
           long e = 0) const {
    if (fault_.hits(step, index)) return -fault_.error_number;
    return call(number, a, b, c, d, e);
  }
  /// The call's result; its failure is the end.
  long must(SetupStep step, int index, long number, long a = 0, long b = 0, long c = 0, long d = 0,
            long e = 0) const {
    const long result = may(step, index, number, a, b, c, d, e);
    if (result < 0) fail(report_fd_, step, result, index);
    return result;
  }
  /// For a step that is no single call: fails where a fault hits it.
  void check_fault(SetupStep step, int index) const {
    if (fault_.hits(step, index)) fail(report_fd_, step, -fault_.error_number, index);
  }
  [[noreturn]] void give_up(SetupStep step, int index, long result) const {
    fail(report_fd_, step, result, index);
  }

 private:
  const Fault& fault_;
  int report_fd_;
};

}  // namespace satellite::sandbox::bare
