#include "sandbox/launcher/process/wrapper_command.hpp"

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/planning/wrapper_request.hpp"

#include <sys/resource.h>
#include <unistd.h>
#include <initializer_list>
#include <sstream>

namespace satellite::sandbox {
namespace {

using Words = std::vector<std::string>;

constexpr const char* init_program_path = "/proc/self/fd/10";
static_assert(init_fd_program == 10);
static_assert(wrapper_file_fd_first == init_fd_end);

void add(Words& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more);
}

Words bubblewrap_command(const LaunchOrder& order, bool as_namespace_root) {
  Words words = order.wrapper;
  // Started as root it would leave the script the capabilities of a root.
  if (as_namespace_root) {
    words.insert(words.begin() + 1,
                 {"--unshare-user", "--cap-drop", "ALL", "--uid", std::to_string(::geteuid()),
                  "--gid", std::to_string(::getegid())});
  }
  add(words, {"--as-pid-1"});
  return words;
}

Words nsjail_command(const LaunchOrder& order, bool as_namespace_root) {
  Words words = order.wrapper;
  if (as_namespace_root) {
    add(words, {"--user", std::to_string(::geteuid()) + ":0:1", "--group",
                std::to_string(::getegid()) + ":0:1"});
  }
  // Without the option nsjail sets every script to the lowest priority.
  add(words, {"--nice_level", std::to_string(::getpriority(PRIO_PROCESS, 0))});
  // The proc of the run is read-only: nobody in it could say this any more.
  add(words, {"--oom_score_adj", "1000"});
  // Exactly those that are open: a free number among them may become one of nsjail's own, and
  // would then be handed to the script.
  for (int fd = init_fd_block; fd < init_fd_end; ++fd) {
    if (fd == init_fd_long_script && !order.long_script && !order.is_module) continue;
    if (fd == init_fd_answer && !order.is_module) continue;
    add(words, {"--pass_fd", std::to_string(fd)});
  }
  return words;
}

}  // namespace

std::vector<std::string> wrapper_command(const LaunchOrder& order, bool as_namespace_root) {
  Words words = order.engine == Engine::nsjail ? nsjail_command(order, as_namespace_root)
                                               : bubblewrap_command(order, as_namespace_root);
  add(words, {"--", init_program_path});
  return words;
}

std::string reason_of_wrapper(const std::string& messages) {
  constexpr std::size_t told_size_max = 400;
  std::string told;
  std::istringstream lines(messages);
  for (std::string line; std::getline(lines, line);) {
    // nsjail warns of every mapping to the root of the user namespace that owns a run's network.
    if (line.find("logParams()") != std::string::npos) continue;
    told += line + "\n";
  }
  return told.substr(0, told_size_max);
}

}  // namespace satellite::sandbox
