#include "sandbox/report/outcome.hpp"

namespace satellite::sandbox {

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::exited:
      return "exited";
    case Outcome::signaled:
      return "signaled";
    case Outcome::timed_out:
      return "timed_out";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::output_limit:
      return "output_limit";
    case Outcome::memory_limit:
      return "memory_limit";
    case Outcome::refused:
      return "refused";
    case Outcome::setup_failed:
      return "setup_failed";
    case Outcome::interrupted:
      return "interrupted";
  }
  return "interrupted";
}

bool never_ran(Outcome outcome) {
  return outcome == Outcome::refused || outcome == Outcome::setup_failed;
}

}  // namespace satellite::sandbox
