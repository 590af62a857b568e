// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the init program.
#include "sandbox/launcher/bare/receive_task.hpp"

#include "sandbox/launcher/bare/init.hpp"
#include "sandbox/launcher/bare/socket_message.hpp"

#include <asm/errno.h>
#include <linux/fcntl.h>

namespace satellite::sandbox::bare {
namespace {

struct Received {
  int count = 0;
  int descriptors[task_descriptors];
  int long_script = -1, answer = -1;
};

/// Puts `from` at the number that the script knows it by; without one nothing is there.
void place(const Attempt& attempt, int from, int to) {
  if (from < 0) {
    call(__NR_close, to);
  } else if (from == to) {
    attempt.must(SetupStep::standard_streams, to, __NR_fcntl, from, F_SETFD, 0);
  } else {
    attempt.must(SetupStep::standard_streams, to, __NR_dup3, from, to, 0);
  }
}

Received receive(const Attempt& attempt) {
  TaskMessage message;
  iovec vector{&message, sizeof(message)};
  Rights<task_descriptors_max> rights;
  MessageHead head{nullptr, 0, &vector, 1, &rights, sizeof(rights), 0};
  long got = -EINTR;
  while (got == -EINTR) {
    got = attempt.may(SetupStep::receive_task, 0, __NR_recvmsg, script_fd_barrier, address(&head),
                      msg_cmsg_cloexec);
  }
  // The launcher ended the run before it had anything to do, or is gone.
  if (got == 0) call(__NR_exit_group, 1);
  if (got < 0) attempt.give_up(SetupStep::receive_task, 0, got);
  Received received;
  const bool is_task = got == static_cast<long>(sizeof(message)) && message.magic == task_magic;
  if (is_task) received.count = rights.count();
  // Fewer than were sent also means that the limit of open files is too low for them.
  const int wanted =
      task_descriptors + (message.has_long_script != 0 ? 1 : 0) + (message.has_answer != 0 ? 1 : 0);
  if (received.count != wanted || head.is_cut()) {
    attempt.give_up(SetupStep::receive_task, 1, -EPROTO);
  }
  for (int i = 0; i < task_descriptors; ++i) received.descriptors[i] = rights.descriptors[i];
  int next = task_descriptors;
  if (message.has_long_script != 0) received.long_script = rights.descriptors[next++];
  if (message.has_answer != 0) received.answer = rights.descriptors[next];
  return received;
}

}  // namespace

const InitBlock& receive_task(const Attempt& attempt) {
  const Received received = receive(attempt);
  InitBlock& task = map_block(received.descriptors[0], script_fd_barrier);
  relocate_all(task, script_fd_barrier);
  const Attempt own(task.fault, script_fd_barrier);
  for (int i = 0; i < 3; ++i) {
    own.must(SetupStep::standard_streams, i, __NR_dup3, received.descriptors[1 + i], i, 0);
  }
  // Whichever of the two the other's number belongs to goes out of its way.
  int answer = received.answer;
  if (answer == script_fd_long_script) {
    answer = static_cast<int>(
        own.must(SetupStep::standard_streams, 4, __NR_fcntl, answer, F_DUPFD, script_fd_filtered));
  }
  place(own, received.long_script, script_fd_long_script);
  place(own, answer, script_fd_answer);
  own.must(SetupStep::descriptors, 0, __NR_close_range, script_fd_barrier + 1, ~0U, 0);
  return task;
}

}  // namespace satellite::sandbox::bare
