#include "tests/benchmarks/reference_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

namespace satellite::benchmarks {
namespace {

using Clock = std::chrono::steady_clock;

struct Going {
  pid_t pid = -1;
  int output = -1;
  Clock::time_point started;
};

Going start(std::vector<char*> argv) {
  static int number = 0;
  std::string numbered = "run-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  for (char*& word : argv) {
    if (word != nullptr && std::strcmp(word, "{number}") == 0) word = numbered.data();
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  Going going{-1, ends[0], Clock::now()};
  if (::posix_spawnp(&going.pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) {
    std::abort();
  }
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  return going;
}

/// Reads to the end of the pipe and waits: microseconds since the start.
double collect(Going& going) {
  std::array<char, 4096> buffer{};
  while (::read(going.output, buffer.data(), buffer.size()) > 0) {
  }
  ::close(going.output);
  ::waitpid(going.pid, nullptr, 0);
  return std::chrono::duration<double, std::micro>(Clock::now() - going.started).count();
}

std::string measure_here(std::vector<std::string> words, int runs, int at_a_time) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::ostringstream answer;
  const auto begun = Clock::now();
  std::vector<Going> going;
  for (int begun_runs = 0; begun_runs < runs || !going.empty();) {
    while (begun_runs < runs && going.size() < static_cast<std::size_t>(at_a_time)) {
      going.push_back(start(argv));
      ++begun_runs;
    }
    std::vector<pollfd> outputs;
    for (const Going& one : going) outputs.push_back(pollfd{one.output, POLLIN, 0});
    ::poll(outputs.data(), outputs.size(), -1);
    for (std::size_t i = outputs.size(); i-- > 0;) {
      if (outputs[i].revents == 0) continue;
      answer << collect(going[i]) << ' ';
      going.erase(going.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  answer << std::chrono::duration<double>(Clock::now() - begun).count();
  return answer.str();
}

class BareSpawns final : public MeasuringProcess::Measurement {
 public:
  std::string answer(const std::string& text) override {
    std::istringstream order(text);
    int runs = 0;
    int at_a_time = 0;
    order >> runs >> at_a_time;
    order.ignore(1);
    std::vector<std::string> argv;
    for (std::string word; std::getline(order, word, '\0');) argv.push_back(word);
    return measure_here(std::move(argv), runs, at_a_time);
  }
};

MeasuringProcess::Measurement* begin_as_we_are() {
  return new BareSpawns;
}

MeasuringProcess::Measurement* begin_bare_spawns() {
  // Scripts never run as root, so neither does what they are compared with.
  if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(65532, 65532, 65532) != 0 ||
                           ::setresuid(65532, 65532, 65532) != 0)) {
    return nullptr;
  }
  if (::chdir("/tmp") != 0) return nullptr;
  return new BareSpawns;
}

}  // namespace

ReferenceProcess::ReferenceProcess(User user)
    : process_(user == User::own ? begin_as_we_are : begin_bare_spawns) {}

Timing ReferenceProcess::measure(const std::vector<std::string>& argv, int runs, int at_a_time) {
  std::string order = std::to_string(runs) + " " + std::to_string(at_a_time) + " ";
  for (const std::string& word : argv) order.append(word).push_back('\0');
  return process_.ask(order);
}

}  // namespace satellite::benchmarks
