#include "sandbox/launcher/launched_run.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/child.hpp"
#include "sandbox/launcher/init_block_builder.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <span>
#include <sys/syscall.h>
#include <unistd.h>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// Init answers a kill within milliseconds; a process stuck in the kernel may take longer.
constexpr auto kill_overdue_after = 1s;
constexpr std::size_t wrapper_text_size_max = 400;
constexpr const char* init_program_path = "/proc/self/fd/10";
static_assert(init_fd_program == 10);

std::string program_path_environment() { return "PATH=/usr/local/bin:/usr/bin:/bin"; }

/// Everything that exists before the fork; closed in the launcher when it goes.
struct Preparation {
  UniqueFd block, standard_input, long_script, wrapper_messages;
  std::pair<UniqueFd, UniqueFd> control, barrier;  ///< first: ours, second: init's
  std::vector<std::string> wrapper;
};

RunSetupFailed failed(SetupStep step, const Error& error, int error_number = 0) {
  return RunSetupFailed{step, 0, error_number, error.message};
}

/// `name` if `directory` is a direct child of the scratch area. A compromised agent must not make a
/// privileged launcher create, give away or remove anything else.
Result<std::string> scratch_name_of(const std::string& directory, const std::string& area) {
  if (directory.empty()) return std::string();
  const std::string prefix = area + "/";
  if (!directory.starts_with(prefix) || directory.find('/', prefix.size()) != std::string::npos ||
      directory.size() == prefix.size()) {
    return Error{ErrorCode::not_permitted, "the scratch directory is not in " + area};
  }
  return directory.substr(prefix.size());
}

Result<UniqueFd> sealed_copy(const char* name, const std::optional<std::string>& text) {
  if (!text) return UniqueFd();
  return kernel::make_memory_file(name, *text);
}

std::optional<RunSetupFailed> prepare(const LaunchOrder& order, const LauncherState& state,
                                      Preparation& made) {
  auto input = sealed_copy("stdin", order.standard_input);
  if (!input) return failed(SetupStep::standard_input, input.error());
  made.standard_input = *std::move(input);
  auto script = sealed_copy("script", order.long_script);
  if (!script) return failed(SetupStep::prepare, script.error());
  made.long_script = *std::move(script);
  std::string block = build_init_block(order, state.is_root);
  auto block_file = kernel::make_memory_file("run", block);
  wipe(block);
  if (!block_file) return failed(SetupStep::prepare, block_file.error());
  made.block = *std::move(block_file);
  auto control = kernel::make_message_sockets();
  auto barrier = kernel::make_message_sockets();
  if (!control || !barrier) {
    return failed(SetupStep::prepare, control ? barrier.error() : control.error());
  }
  made.control = *std::move(control);
  made.barrier = *std::move(barrier);
  const auto named = kernel::ask_for_sender(made.barrier.first.get());
  if (!named) return failed(SetupStep::prepare, named.error());
  if (order.engine == Engine::none) return std::nullopt;
  auto messages = kernel::make_scratch_file("wrapper messages");
  if (!messages) return failed(SetupStep::prepare, messages.error());
  made.wrapper_messages = *std::move(messages);
  made.wrapper = order.wrapper;
  for (const char* word : {"--as-pid-1", "--", init_program_path}) made.wrapper.emplace_back(word);
  return std::nullopt;
}

std::vector<const char*> c_strings(const std::vector<std::string>& words) {
  std::vector<const char*> pointers;
  for (const auto& word : words) pointers.push_back(word.c_str());
  pointers.push_back(nullptr);
  return pointers;
}

/// `/dev/stdout` and its kin open the pipe anew, for which the script's user must own it.
void give_streams(const LaunchOrder& order, const RunStreams& streams, const LauncherState& state) {
  if (!state.is_root || !order.identity) return;
  for (const int fd : {streams.standard_output.get(), streams.standard_error.get()}) {
    static_cast<void>(::fchown(fd, order.identity->uid, order.identity->gid));
  }
}

struct Forked {
  pid_t pid = -1;
  UniqueFd pidfd;
};

Forked fork_init(const bare::InitLaunch& launch) {
  // The agent's copy of glibc knows nothing of this child, and need not: it calls only child.cpp.
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
  if (pid == 0) bare::become_init(launch);
  return {static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

}  // namespace

std::variant<std::unique_ptr<LaunchedRun>, RunSetupFailed> LaunchedRun::start(
    const LaunchOrder& order, RunStreams streams, const LauncherState& state) {
  const auto name = scratch_name_of(order.scratch_directory, state.scratch.path());
  if (!name) return failed(SetupStep::scratch_directory, name.error());
  if (order.identity && !state.is_root &&
      (order.identity->uid != ::geteuid() || order.identity->gid != ::getegid())) {
    return RunSetupFailed{SetupStep::user_id, 0, EPERM, "only root can change the identity"};
  }
  Preparation made;
  if (auto problem = prepare(order, state, made)) return *std::move(problem);
  const Identity owner = order.identity.value_or(Identity{::geteuid(), ::getegid()});
  if (!name->empty()) {
    const auto directory = state.scratch.make_directory(*name, owner.uid, owner.gid);
    if (!directory) return failed(SetupStep::scratch_directory, directory.error());
  }
  give_streams(order, streams, state);

  const auto wrapper = c_strings(made.wrapper);
  const std::string path = program_path_environment();
  const char* const environment[] = {path.c_str(), nullptr};
  bare::InitLaunch launch;
  launch.null_fd = state.null_device.get();
  launch.fds[init_fd_block] = made.block.get();
  launch.fds[init_fd_control] = made.control.second.get();
  launch.fds[init_fd_barrier] = made.barrier.second.get();
  launch.fds[init_fd_standard_input] =
      made.standard_input ? made.standard_input.get() : state.null_device.get();
  launch.fds[init_fd_standard_output] = streams.standard_output.get();
  launch.fds[init_fd_standard_error] = streams.standard_error.get();
  launch.fds[init_fd_long_script] = made.long_script.get();
  if (!made.wrapper.empty()) {
    launch.fds[init_fd_program] = state.init_program.get();
    launch.wrapper_messages_fd = made.wrapper_messages.get();
    launch.wrapper_path = wrapper.front();
    launch.wrapper_arguments = wrapper.data();
    launch.wrapper_environment = environment;
    launch.change_identity = state.is_root && order.identity.has_value();
    launch.uid = owner.uid;
    launch.gid = owner.gid;
  }
  Forked forked = fork_init(launch);
  if (forked.pid < 0) {
    const int reason = errno;
    static_cast<void>(state.scratch.remove_directory(*name, 1));
    return RunSetupFailed{SetupStep::fork, 0, reason, "cannot fork"};
  }
  auto run = std::unique_ptr<LaunchedRun>(new LaunchedRun);
  run->number_ = order.run_number;
  run->pid_ = forked.pid;
  run->pidfd_ = std::move(forked.pidfd);
  run->wrapped_ = !made.wrapper.empty();
  run->confined_ = is_confined(order);
  run->control_ = std::move(made.control.first);
  run->barrier_ = std::move(made.barrier.first);
  run->wrapper_messages_ = std::move(made.wrapper_messages);
  run->scratch_name_ = *name;
  run->scratch_directory_ = order.scratch_directory;
  run->expected_descriptors_ = order.long_script ? 5 : 4;  // 0 1 2, the text, the barrier
  run->expectation_ = order.expectation;
  return run;
}

namespace {

struct Incoming {
  bool closed = false;
  std::optional<InitReport> report;
  std::optional<pid_t> sender;
};

Incoming receive(int socket) {
  InitReport report;
  const auto message = kernel::receive_message(socket, std::as_writable_bytes(std::span(&report, 1)));
  if (!message) return {true, std::nullopt, std::nullopt};
  if (!*message) return {};
  const auto& got = **message;
  if (got.size != sizeof(report) || got.truncated) return {true, std::nullopt, std::nullopt};
  return {false, report, got.sender};
}

}  // namespace

void LaunchedRun::take_failure(const InitReport& report) {
  if (failure_) return;
  failure_ = RunSetupFailed{report.step, report.index, report.error_number, {}};
  // A number outside the enum can only be a foreign program on our socket.
  if (report.step > SetupStep::last) failure_->step = SetupStep::wrapper;
}

void LaunchedRun::refuse(std::string missing) {
  refusal_ = std::move(missing);
  // Waiting at the barrier, the script takes the closed socket for a no and ends.
  barrier_.reset();
  kill();
}

std::optional<RunStarted> LaunchedRun::on_barrier(const LauncherState& state) {
  const Incoming incoming = receive(barrier_.get());
  if (incoming.closed) return barrier_.reset(), std::nullopt;
  if (!incoming.report) return std::nullopt;
  if (incoming.report->kind == InitReportKind::failed) {
    return take_failure(*incoming.report), std::nullopt;
  }
  if (incoming.report->kind != InitReportKind::armed || stage_ != Stage::setting_up ||
      !incoming.sender) {
    return refuse("the script's process broke the protocol of the barrier"), std::nullopt;
  }
  const MeasureRequest request{*incoming.sender, scratch_directory_, expected_descriptors_};
  const auto posture = measure(request, state.surroundings);
  if (!posture) return refuse("cannot verify: " + posture.error().message), std::nullopt;
  auto missing = missing_of(expectation_, *posture);
  if (confined_ && !posture->no_new_privileges) {
    missing.push_back("privilege: no_new_privs is not set");
  }
  if (!missing.empty()) {
    std::string text;
    for (const auto& one : missing) text += (text.empty() ? "" : "; ") + one;
    return refuse(std::move(text)), std::nullopt;
  }
  stage_ = Stage::verified;
  return RunStarted{*posture};
}

void LaunchedRun::release() {
  if (stage_ != Stage::verified || !barrier_) return;
  const std::byte go{1};
  static_cast<void>(kernel::send_message(barrier_.get(), std::span(&go, 1)));
  stage_ = Stage::released;
}

void LaunchedRun::on_control() {
  const Incoming incoming = receive(control_.get());
  if (incoming.closed) return control_.reset();
  if (!incoming.report) return;
  if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
  if (incoming.report->kind == InitReportKind::ended) ended_ = *incoming.report;
}

LauncherRecord LaunchedRun::on_exit() {
  // What was said before the end may still lie in the sockets; both ends are closed over there.
  for (const UniqueFd* socket : {&barrier_, &control_}) {
    for (bool more = bool{*socket}; more;) {
      const Incoming incoming = receive(socket->get());
      more = incoming.report.has_value();
      if (!more) break;
      if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
      if (incoming.report->kind == InitReportKind::ended) ended_ = *incoming.report;
    }
  }
  LauncherRecord record{number_, RunEnded{}};
  if (refusal_) {
    record.event = RunRefused{*refusal_};
  } else if (failure_) {
    record.event = *failure_;
  } else if (stage_ == Stage::setting_up) {
    RunSetupFailed silent{wrapped_ ? SetupStep::wrapper : SetupStep::fork_script, 0, 0, {}};
    if (wrapper_messages_) {
      silent.text = kernel::read_beginning(wrapper_messages_.get(), wrapper_text_size_max);
    }
    record.event = std::move(silent);
  } else if (ended_) {
    record.event =
        RunEnded{true, ended_->wait_status, ended_->user_microseconds,
                 ended_->system_microseconds, ended_->resident_max_kibibytes};
  }
  return record;
}

void LaunchedRun::send_command(InitCommand command) {
  if (!control_) return;
  static_cast<void>(
      kernel::send_message(control_.get(), std::as_bytes(std::span(&command, 1))));
}

void LaunchedRun::terminate() {
  if (stage_ == Stage::setting_up) return kill();
  send_command(InitCommand::terminate);
}

void LaunchedRun::kill() {
  if (!overdue_at_) overdue_at_ = std::chrono::steady_clock::now() + kill_overdue_after;
  // During setup nobody may be listening yet, and there is nothing whose end we would have to tell.
  if (stage_ == Stage::setting_up) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    return;
  }
  send_command(InitCommand::kill);
}

void LaunchedRun::kill_if_overdue(std::chrono::steady_clock::time_point now) {
  if (!overdue_at_ || now < *overdue_at_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  overdue_at_ = now + kill_overdue_after;
}

}  // namespace satellite::sandbox
