#include "sandbox/launcher/process/event_wait.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace satellite::sandbox {
namespace {

constexpr int look_again_milliseconds = 50;

bool any_ready(std::span<pollfd> watched, std::size_t part) {
  bool any = false;
  while (!watched.empty()) {
    const auto some = watched.first(std::min(part, watched.size()));
    any = ::poll(some.data(), some.size(), 0) > 0 || any;
    watched = watched.subspan(some.size());
  }
  return any;
}

}  // namespace

void wait_for_events(std::span<pollfd> watched, int milliseconds) {
  for (pollfd& one : watched) one.revents = 0;
  if (::poll(watched.data(), watched.size(), milliseconds) >= 0 || errno == EINTR) return;
  rlimit open{};
  ::getrlimit(RLIMIT_NOFILE, &open);
  if (open.rlim_cur > 0 && any_ready(watched, open.rlim_cur)) return;
  // Without an entry nothing is refused.
  ::poll(
      nullptr, 0,
      milliseconds < 0 ? look_again_milliseconds : std::min(milliseconds, look_again_milliseconds));
}

}  // namespace satellite::sandbox
