#include "tests/support/in_child.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <exception>
#include <stdexcept>

namespace satellite::tests {
namespace {

std::string text_of(const std::function<std::string()>& body) {
  try {
    return body();
  } catch (const std::exception& problem) {
    return std::string("exception: ") + problem.what();
  }
}

}  // namespace

std::string in_child(const std::function<std::string()>& body) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  UniqueFd reading(ends[0]), writing(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    const std::string answer = text_of(body);
    for (std::string_view rest = answer; !rest.empty();) {
      const ssize_t written = ::write(writing.get(), rest.data(), rest.size());
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    ::_exit(0);
  }
  writing.reset();
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(reading.get(), buffer, sizeof(buffer))) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  ::waitpid(pid, nullptr, 0);
  return answer;
}

void take_own_mounts() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    throw std::runtime_error("cannot take mounts of our own");
  }
}

}  // namespace satellite::tests
