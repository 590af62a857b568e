#include "sandbox/launcher/process/event_wait.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/support/in_child.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// Pipes with nothing in them, and what to watch of them.
struct Pipes {
  std::vector<UniqueFd> ends;
  std::vector<pollfd> watched;
  explicit Pipes(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::array<int, 2> pair{};
      if (::pipe2(pair.data(), O_CLOEXEC) != 0) continue;
      ends.emplace_back(pair[0]);
      ends.emplace_back(pair[1]);
      watched.push_back({pair[0], POLLIN, 0});
    }
  }
  void write_to(std::size_t index) {
    static_cast<void>(::write(ends[2 * index + 1].get(), "x", 1));
  }
};

bool lower_open_files(rlim_t to) {
  const rlimit limit{to, to};
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

TEST_CASE("events are seen and waits are kept with more descriptors open than may be by now") {
  const auto limit = GENERATE(rlim_t{20}, rlim_t{4}, rlim_t{1}, rlim_t{0});
  const std::string wrong = in_child([limit]() -> std::string {
    Pipes pipes(8);
    if (pipes.watched.size() != 8) return "no pipes";
    if (!lower_open_files(limit)) return "no limit";
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i) wait_for_events(pipes.watched, 40);
    // poll(2) that is refused does not wait.
    if (std::chrono::steady_clock::now() - begun < 160ms) return "it does not wait";
    for (const pollfd& one : pipes.watched) {
      if (one.revents != 0) return "an event that is none";
    }
    if (limit == 0) return "";
    pipes.write_to(7);
    wait_for_events(pipes.watched, -1);
    if (pipes.watched[7].revents != POLLIN) return "the last is not seen";
    if (pipes.watched[0].revents != 0) return "the first has nothing";
    return "";
  });
  CHECK(wrong.empty());
}
