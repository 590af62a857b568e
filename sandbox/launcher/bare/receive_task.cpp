// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the init program.
#include "sandbox/launcher/bare/receive_task.hpp"

#include "sandbox/launcher/bare/init.hpp"
#include "sandbox/launcher/bare/script_child.hpp"

#include <linux/fcntl.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long error_interrupted = -4;      // EINTR
constexpr long error_protocol = -71;        // EPROTO
constexpr long close_on_exec = 0x40000000;  // MSG_CMSG_CLOEXEC
constexpr unsigned cut_short = 0x20 | 0x8;  // MSG_TRUNC, MSG_CTRUNC
constexpr int level_socket = 1, type_rights = 1;

// The kernel's own structs; sys/socket.h belongs to libc.
struct IoVector {
  void* base;
  unsigned long size;
};
struct MessageHead {
  void* name;
  int name_size;
  IoVector* vectors;
  unsigned long vector_count;
  void* control;
  unsigned long control_size;
  unsigned flags;
};
struct Rights {
  unsigned long size;
  int level, type;
  int descriptors[task_descriptors_max];
};

struct Received {
  int count = 0;
  int descriptors[task_descriptors_max];
};

Received receive(const Attempt& attempt) {
  TaskMessage message;
  IoVector vector{&message, sizeof(message)};
  alignas(8) Rights rights{};
  MessageHead head{nullptr, 0, &vector, 1, &rights, sizeof(rights), 0};
  long got = error_interrupted;
  while (got == error_interrupted) {
    got = attempt.may(SetupStep::receive_task, 0, __NR_recvmsg, script_fd_barrier, address(&head),
                      close_on_exec);
  }
  // The launcher ended the run before it had anything to do, or is gone.
  if (got == 0) call(__NR_exit_group, 1);
  if (got < 0) attempt.give_up(SetupStep::receive_task, 0, got);
  Received received;
  const bool is_task = got == static_cast<long>(sizeof(message)) && message.magic == task_magic;
  const auto carried = rights.size - __builtin_offsetof(Rights, descriptors);
  if (is_task && rights.level == level_socket && rights.type == type_rights) {
    received.count = static_cast<int>(carried / sizeof(int));
  }
  // Fewer than were sent also means that the limit of open files is too low for them.
  const int wanted = task_descriptors + (message.has_long_script != 0 ? 1 : 0);
  if (received.count != wanted || (head.flags & cut_short) != 0) {
    attempt.give_up(SetupStep::receive_task, 1, error_protocol);
  }
  for (int i = 0; i < wanted; ++i) received.descriptors[i] = rights.descriptors[i];
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
  const bool has_script = received.count > task_descriptors;
  const int script = has_script ? received.descriptors[task_descriptors] : -1;
  if (has_script && script == script_fd_long_script) {
    own.must(SetupStep::standard_streams, 3, __NR_fcntl, script, F_SETFD, 0);
  } else if (has_script) {
    own.must(SetupStep::standard_streams, 3, __NR_dup3, script, script_fd_long_script, 0);
  } else {
    call(__NR_close, script_fd_long_script);
  }
  own.must(SetupStep::descriptors, 0, __NR_close_range, script_fd_barrier + 1, ~0U, 0);
  return task;
}

}  // namespace satellite::sandbox::bare
