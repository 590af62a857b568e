#include "agent/packages/archive/unpack_process.hpp"

#include "agent/packages/archive/unpack_child.hpp"
#include "agent/runtime/spawn_settings.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::size_t answer_max = 512;
constexpr std::chrono::seconds answer_deadline{180};  // past its limit of processor time
constexpr int look_every_ms = 100;                    // whether somebody asks us to stop
// Above the numbers that the child has, so that no dup2 overwrites what a later one needs.
constexpr int numbers_from = 16;

Error error_of_answer(std::string_view text) {
  text.remove_prefix(unpack_error.size());
  const std::size_t space = std::min(text.find(' '), text.size());
  int code = -1;
  std::from_chars(text.data(), text.data() + space, code);
  const bool is_known = code >= 0 && code <= static_cast<int>(ErrorCode::internal);
  return {is_known ? static_cast<ErrorCode>(code) : ErrorCode::internal,
          printable(text.substr(std::min(space + 1, text.size())), answer_max)};
}

bool send_with(int socket, const std::string& text, int passed) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &passed, sizeof(passed));
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

}  // namespace

Result<UnpackProcess> UnpackProcess::start(const std::string& program, int directory) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return error_from_errno("socketpair", errno);
  }
  UniqueFd ours(ends[0]);
  const UniqueFd low(ends[1]);
  const UniqueFd theirs(::fcntl(low.get(), F_DUPFD_CLOEXEC, numbers_from));
  const UniqueFd writable(::fcntl(directory, F_DUPFD_CLOEXEC, numbers_from));
  if (!theirs || !writable) return error_from_errno("fcntl(F_DUPFD_CLOEXEC)", errno);
  SpawnSettings settings;
  for (const int number : {0, 1, 2}) settings.open_null(number);
  settings.pass(theirs.get(), unpack_socket);
  settings.pass(writable.get(), unpack_directory);
  std::string name(unpack_program_name);
  std::array<char*, 2> arguments{name.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const int failure = settings.start(program.c_str(), arguments.data(), environment.data(), pid);
  if (failure != 0) return error_from_errno("start " + program + " to unpack packages", failure);
  // Nobody else reaps our children, so that the number is still that of this one.
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!handle) return error_from_errno("pidfd_open", errno);
  UnpackProcess process(std::move(handle), std::move(ours));
  const auto first = process.receive({});
  if (!first) return first.error();
  if (first->starts_with(unpack_error)) return error_of_answer(*first);
  process.walls_ = printable(first->substr(unpack_ready.size()), answer_max);
  return process;
}

UnpackProcess::~UnpackProcess() {
  static_cast<void>(end());
}

Error UnpackProcess::end() {
  socket_.reset();
  Error error{ErrorCode::io_failed, "the process that unpacks packages is gone"};
  if (!process_) return error;
  ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
  siginfo_t how{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &how, WEXITED) < 0 &&
         errno == EINTR) {
  }
  process_.reset();
  error.message = std::string("the process that unpacks packages ") +
                  (how.si_code == CLD_EXITED ? "ended with code " : "was ended by signal ") +
                  std::to_string(how.si_status);
  return error;
}

Result<std::string> UnpackProcess::receive(const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + answer_deadline;
  std::array<char, answer_max> text{};
  while (true) {
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&wait, 1, look_every_ms);
    if (ready > 0) break;
    const bool is_late = std::chrono::steady_clock::now() > deadline;
    if (!stop.stop_requested() && !is_late) continue;
    static_cast<void>(end());
    if (is_late) return Error{ErrorCode::timed_out, "the process that unpacks packages is stuck"};
    return Error{ErrorCode::cancelled, "stopped while a package was unpacked"};
  }
  const ssize_t got = ::recv(socket_.get(), text.data(), text.size(), 0);
  if (got <= 0) return end();
  return std::string(text.data(), static_cast<std::size_t>(got));
}

Result<void> UnpackProcess::unpack(int archive, const std::string& name,
                                   const std::stop_token& stop) {
  ++orders_;
  if (!is_usable()) return end();
  if (!send_with(socket_.get(), name, archive)) return end();
  const auto answer = receive(stop);
  if (!answer) return answer.error();
  if (answer->starts_with(unpack_error)) return error_of_answer(*answer);
  if (*answer == unpack_done) return {};
  return end();
}

}  // namespace satellite::agent
