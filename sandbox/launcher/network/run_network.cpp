#include "sandbox/launcher/network/run_network.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/kernel/socket_messages.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <string>

namespace satellite::sandbox {
namespace {

constexpr std::size_t answer_size_max = 512;
constexpr std::size_t messages_shown_max = 300;

void kill_process(const UniqueFd& pidfd) {
  if (pidfd) ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

/// The last line a program wrote, which is where it says why it gives up.
std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

}  // namespace

SetupResult<std::unique_ptr<RunNetwork>> RunNetwork::begin(const LaunchOrder& order,
                                                           const NetworkMeans& means) {
  auto sockets = kernel::make_message_sockets();
  if (!sockets) {
    return RunSetupFailed{SetupStep::network_namespace, 0, 0, sockets.error().message};
  }
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
  if (pid < 0) return RunSetupFailed{SetupStep::network_namespace, 0, errno, "cannot fork"};
  if (pid == 0) build_network(order, means, sockets->second.get());
  auto network = std::unique_ptr<RunNetwork>(new RunNetwork(order, means));
  network->builder_ = static_cast<pid_t>(pid);
  network->builder_pidfd_ = UniqueFd(pidfd);
  network->answer_ = std::move(sockets->first);
  return network;
}

std::unique_ptr<RunNetwork> RunNetwork::begin_with(const LaunchOrder& order,
                                                   const NetworkMeans& means,
                                                   NetworkNamespace ready) {
  auto network = std::unique_ptr<RunNetwork>(new RunNetwork(order, means));
  network->go_on_with(std::move(ready));
  return network;
}

RunNetwork::RunNetwork(const LaunchOrder& order, const NetworkMeans& means)
    : egress_(order.network->egress),
      is_below_parents_(means.parent_user_namespace >= 0),
      fault_(order.fault),
      deadline_(Clock::now() + network_setup_time_max),
      wish_{order.network->loopback_ports, std::nullopt, 0},
      forwarder_program_(means.forwarder_program) {
  if (means.is_root) {
    wish_.identity = order.identity;
    wish_.own_uid = order.init_uid;
  }
  facts_.filter_rules = static_cast<std::uint32_t>(order.network->filter.rules.size());
}

RunNetwork::~RunNetwork() {
  end();
}

int RunNetwork::watched_fd() const {
  if (stage_ == Stage::building) return answer_.get();
  if (stage_ == Stage::raising_uplink) return uplink_.ready.get();
  if (stage_ == Stage::raising_ports) return forwarder_.ready.get();
  return -1;
}

void RunNetwork::fail(SetupStep step, std::string text) {
  if (stage_ == Stage::ended) return;
  if (const auto remedy = remedy_of_network_step(step); !remedy.empty()) {
    text += "; " + std::string(remedy);
  }
  failure_ = RunSetupFailed{step, 0, 0, std::move(text)};
  end();
}

void RunNetwork::on_built(SetupResult<NetworkNamespace> built) {
  if (stage_ != Stage::building) return;
  answer_.reset();
  if (!built) {
    failure_ = std::move(built).error();
    return end();
  }
  built->is_below_parents = is_below_parents_;
  go_on_with(*std::move(built));
}

void RunNetwork::go_on_with(NetworkNamespace made) {
  namespace_ = std::move(made);
  struct stat facts {};
  if (::fstat(namespace_.network_namespace.get(), &facts) != 0) {
    return fail(SetupStep::network_namespace, error_from_errno("fstat", errno).message);
  }
  facts_.network_namespace = {facts.st_dev, facts.st_ino};
  stage_ = Stage::built;
}

void RunNetwork::raise() {
  if (stage_ != Stage::built) return;
  if (!wish_.ports.empty() && !start_forwarder()) return;
  if (egress_ != Egress::slirp4netns) return go_on_behind_uplink();
  const bool is_faulty = fault_.hits(SetupStep::network_slirp4netns);
  auto started = is_faulty ? Result<Slirp4netns>(error_from_errno("a fault", fault_.error_number))
                           : start_slirp4netns(find_slirp4netns(), namespace_);
  if (!started) return fail(SetupStep::network_slirp4netns, started.error().message);
  uplink_ = *std::move(started);
  stage_ = Stage::raising_uplink;
}

/// False where it failed, with everything ended.
bool RunNetwork::start_forwarder() {
  const bool is_faulty = fault_.hits(SetupStep::network_forwarder);
  auto started = is_faulty
                     ? Result<LoopbackForwarder>(error_from_errno("a fault", fault_.error_number))
                     : start_loopback_forwarder(namespace_, wish_, forwarder_program_);
  if (!started) {
    fail(SetupStep::network_forwarder, started.error().message);
    return false;
  }
  forwarder_ = *std::move(started);
  return true;
}

void RunNetwork::go_on_behind_uplink() {
  stage_ = forwarder_.pid >= 0 || forwarder_.ready ? Stage::raising_ports : Stage::ready;
}

void RunNetwork::take_builder_message() {
  std::array<std::byte, answer_size_max> buffer;
  auto received = kernel::receive_message(answer_.get(), buffer);
  if (received && !*received) return;
  if (!received || (*received)->size == 0 || (*received)->truncated) {
    return fail(SetupStep::network_namespace, "the network's builder died");
  }
  const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), (*received)->size);
  on_built(take_built_network(bytes, std::move((*received)->descriptors)));
}

void RunNetwork::take_uplinks_byte() {
  char byte = 0;
  const ssize_t got = ::read(uplink_.ready.get(), &byte, 1);
  if (got == 1 && byte == '1') {
    go_on_behind_uplink();
  } else {
    fail(SetupStep::network_slirp4netns,
         "slirp4netns gave up: " +
             last_line(kernel::read_beginning(uplink_.messages.get(), messages_shown_max)));
  }
  uplink_.ready.reset();
}

void RunNetwork::take_forwarders_byte() {
  char byte = 0;
  const ssize_t got = ::read(forwarder_.ready.get(), &byte, 1);
  forwarder_.ready.reset();
  if (got == 1 && byte == '1') {
    stage_ = Stage::ready;
  } else {
    fail(SetupStep::network_forwarder, "the process that carries loopback ports gave up");
  }
}

void RunNetwork::on_readable() {
  if (stage_ == Stage::building) return take_builder_message();
  if (stage_ == Stage::raising_uplink) return take_uplinks_byte();
  if (stage_ == Stage::raising_ports) take_forwarders_byte();
}

bool RunNetwork::on_exit(pid_t pid) {
  if (pid <= 0) return false;
  if (pid == builder_) {
    builder_ = -1;
    // Its answer may still lie in the socket; its end of it is closed by now.
    if (stage_ == Stage::building) take_builder_message();
    return true;
  }
  if (pid == forwarder_.pid) {
    forwarder_.pid = -1;
    lost_uplink_ = lost_uplink_ || stage_ == Stage::ready;
    if (stage_ == Stage::raising_ports) on_readable();
    return true;
  }
  if (pid != uplink_.pid) return false;
  uplink_.pid = -1;
  lost_uplink_ = lost_uplink_ || stage_ == Stage::ready;
  if (stage_ == Stage::raising_uplink) on_readable();
  return true;
}

void RunNetwork::fail_if_overdue(Clock::time_point now) {
  if (deadline() && now >= deadline_) {
    fail(stage_ == Stage::building         ? SetupStep::network_namespace
         : stage_ == Stage::raising_uplink ? SetupStep::network_slirp4netns
                                           : SetupStep::network_forwarder,
         "took longer than " + std::to_string(network_setup_time_max.count()) + " seconds");
  }
}

std::optional<RunNetwork::Clock::time_point> RunNetwork::deadline() const {
  const bool waiting = stage_ != Stage::ready && stage_ != Stage::ended;
  return waiting ? std::optional(deadline_) : std::nullopt;
}

/// slirp4netns may have died before the run did, although its end is noticed later: its device, and
/// with it the script's connection, is gone before the process can be reaped.
void RunNetwork::check_uplink_process() {
  if (stage_ != Stage::ready || uplink_.pid <= 0) return;
  const auto stat =
      kernel::read_small_file(AT_FDCWD, "/proc/" + std::to_string(uplink_.pid) + "/stat");
  const auto exiting = stat ? kernel::parse_is_exiting(*stat) : Result<bool>(stat.error());
  lost_uplink_ = lost_uplink_ || (exiting && *exiting);
}

void RunNetwork::end() {
  check_uplink_process();
  stage_ = Stage::ended;
  answer_.reset();
  uplink_.ready.reset();
  forwarder_.ready.reset();
  if (forwarder_.pid >= 0) kill_process(forwarder_.pidfd);
  if (builder_ >= 0) kill_process(builder_pidfd_);
  if (uplink_.pid >= 0) kill_process(uplink_.pidfd);
  uplink_.exit.reset();
  namespace_ = NetworkNamespace{};
}

std::vector<pid_t> RunNetwork::processes() const {
  std::vector<pid_t> all;
  for (const pid_t pid : {builder_, uplink_.pid, forwarder_.pid}) {
    if (pid >= 0) all.push_back(pid);
  }
  return all;
}

}  // namespace satellite::sandbox
