#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/types.h>

namespace satellite::agent {

/// How a program is started beside the loop: no signal blocked or ignored, in a session of its own,
/// since a terminal's signals are not for it, and with the descriptors that are named here beside
/// those without close-on-exec.
///
/// Source: posix_spawn(3).
class SpawnSettings {
 public:
  SpawnSettings() {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  /// `number` is the child's; one that equals `fd` loses its close-on-exec there.
  void pass(int fd, int number) { ::posix_spawn_file_actions_adddup2(&actions_, fd, number); }
  void open_null(int number) {
    ::posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", O_RDWR, 0);
  }

  /// 0 and `pid`, or the number of the error. Without a slash `program` is looked for on our PATH.
  /// Both lists end with a null pointer.
  int start(const char* program, char* const arguments[], char* const environment[],
            pid_t& pid) const {
    return ::posix_spawnp(&pid, program, &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace satellite::agent
