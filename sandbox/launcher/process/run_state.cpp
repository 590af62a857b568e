#include "sandbox/launcher/process/run_state.hpp"

#include "sandbox/state/packed_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::sandbox {

Result<void> RunState::open_directory(pid_t script) {
  if (!is_given() || directory_) return {};
  const std::string path =
      "/proc/" + std::to_string(script) + "/root" + std::string(state_directory);
  directory_.reset(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!directory_ || ::fstat(directory_.get(), &facts) != 0) {
    return error_from_errno("open the state directory of the run", errno);
  }
  size_of_empty_ = facts.st_size;
  return {};
}

/// A directory of tmpfs grows and shrinks with its list of names.
bool RunState::has_names() const {
  struct stat facts {};
  return ::fstat(directory_.get(), &facts) != 0 || facts.st_size != size_of_empty_;
}

bool RunState::has_packed() const {
  struct stat facts {};
  return ::fstat(file_.get(), &facts) == 0 && facts.st_size > 0;
}

bool RunState::wants_filling() const {
  return directory_ && file_ && has_packed();
}

bool RunState::wants_packing(bool was_killed) {
  if (!directory_ || !file_ || is_asked_) return false;
  is_asked_ = true;
  const bool has_any = has_names();
  if (!has_any && !has_packed()) return directory_.reset(), false;
  if (was_killed) {
    end_ = StateEnd::left;
    directory_.reset();
    return false;
  }
  if (has_any) return true;
  end_ = ::ftruncate(file_.get(), 0) == 0 ? StateEnd::packed : StateEnd::left;
  directory_.reset();
  return false;
}

bool RunState::filled(std::string problem) {
  const bool is_whole = problem.empty() || !has_names();
  fill_problem_ = std::move(problem);
  return is_whole;
}

void RunState::packed(std::string problem) {
  end_ = problem.empty() ? StateEnd::packed : StateEnd::refused;
  pack_problem_ = std::move(problem);
  directory_.reset();
}

/// A run whose init was killed, as by its control group, is never asked for what it left.
bool RunState::lost_something() const {
  return end_ == StateEnd::none && directory_ && file_ && (has_names() || has_packed());
}

void RunState::write_to(RunEnded& end) const {
  end.state = lost_something() ? StateEnd::left : end_;
  end.state_lost = fill_problem_;
  end.state_problem = pack_problem_;
}

}  // namespace satellite::sandbox
