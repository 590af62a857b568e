#include "sandbox/launcher/client/launcher_link.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/scratch_area.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/kernel/user_processes.hpp"
#include "sandbox/launcher/process/detach_from_agent.hpp"
#include "sandbox/launcher/process/launcher_process.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <map>
#include <set>
#include <span>

namespace satellite::sandbox {

namespace asio = boost::asio;

struct Launcher::State {
  explicit State(kernel::ScratchArea area) : scratch(std::move(area)) {}

  void listen();
  void take_messages();
  void on_record(LauncherRecord record);
  void set_aside(std::uint64_t run_number);
  void take_back(std::uint64_t run_number);
  void lose_launcher();
  Result<void> send_order(RequestKind kind, const LaunchOrder& order, const Streams* streams) const;
  LaunchedRunLink link_to(std::uint64_t run_number);

  kernel::ScratchArea scratch;
  UniqueFd unattached;  ///< the socket, until attach() gives it to the loop
  pid_t pid = -1;
  std::uint64_t run_number_last = 0;
  bool is_gone = false;
  bool is_root = false;
  asio::io_context* context = nullptr;
  std::shared_ptr<int> socket;
  std::optional<asio::posix::stream_descriptor> descriptor;
  std::function<void()> on_gone;
  std::map<std::uint64_t, std::shared_ptr<LaunchedRunLink::State>> runs;
  std::optional<IdentityPool> identities;
  std::map<std::uint64_t, IdentityPool::Lease> leases;  ///< by run number
  std::set<std::uint64_t> unkillable;                   ///< run numbers
  std::function<void(const UnkillableRun&)> on_unkillable;
};

void Launcher::State::listen() {
  descriptor->async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           if (error == asio::error::operation_aborted) return;
                           take_messages();
                           if (!is_gone) listen();
                         });
}

void Launcher::State::take_messages() {
  std::array<std::byte, record_size_max> buffer;
  while (!is_gone) {
    const auto received = kernel::receive_message(*socket, buffer);
    if (!received) return lose_launcher();
    if (!*received) return;
    const auto& message = **received;
    if (message.size == 0 || message.truncated) return lose_launcher();
    const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), message.size);
    auto record = decode_record(bytes);
    if (!record) return lose_launcher();
    on_record(*std::move(record));
  }
}

void Launcher::State::on_record(LauncherRecord record) {
  const bool goes_on = std::holds_alternative<RunStarted>(record.event) ||
                       std::holds_alternative<RunPrepared>(record.event) ||
                       std::holds_alternative<RunCounted>(record.event);
  if (!goes_on && record.remains == Remains::nothing) leases.erase(record.run_number);
  if (record.remains >= Remains::unkillable) set_aside(record.run_number);
  if (std::holds_alternative<RunGone>(record.event)) return take_back(record.run_number);
  const auto found = runs.find(record.run_number);
  if (found == runs.end()) return;
  const auto run = found->second;
  if (!goes_on) {
    run->ended = true;
    runs.erase(found);
  }
  run->push(std::move(record));
}

void Launcher::State::set_aside(std::uint64_t run_number) {
  unkillable.insert(run_number);
  if (on_unkillable) on_unkillable({run_number, true, unkillable.size()});
}

void Launcher::State::take_back(std::uint64_t run_number) {
  if (unkillable.erase(run_number) == 0 || !on_unkillable) return;
  on_unkillable({run_number, false, unkillable.size()});
}

void Launcher::State::lose_launcher() {
  is_gone = true;
  const auto lost = std::exchange(runs, {});
  for (const auto& [number, run] : lost) {
    run->ended = true;
    run->push({number, RunEnded{}});
  }
  socket.reset();
  if (on_gone) std::exchange(on_gone, nullptr)();
}

Launcher::Launcher(std::unique_ptr<State> state) : state_(std::move(state)) {}

Launcher::~Launcher() {
  const pid_t pid = state_->pid;
  state_->on_gone = nullptr;
  state_->on_unkillable = nullptr;
  state_->lose_launcher();
  state_->descriptor.reset();
  state_->unattached.reset();
  // It ends by itself within a bound; waiting keeps it from becoming a zombie of ours.
  while (pid > 0 && ::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  state_->scratch.remove();  // only still there when the launcher could not do it
}

Result<std::unique_ptr<Launcher>> Launcher::start(LauncherSettings settings) {
  const auto started_with = raise_limit_of_open_files();
  if (!started_with) return started_with.error();
  auto area = kernel::ScratchArea::make(settings.scratch_parent);
  if (!area) return area.error();
  auto ends = kernel::make_message_sockets();
  if (!ends) return ends.error();
  const pid_t agent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    const int reason = errno;
    area->remove();
    return error_from_errno("fork the launcher", reason);
  }
  if (pid == 0) {
    ends->first.reset();
    ::_exit(run_launcher(std::move(ends->second), *area, agent, std::move(settings),
                         script_open_files(*started_with)));
  }
  auto state = std::make_unique<State>(*std::move(area));
  state->pid = pid;
  state->is_root = ::geteuid() == 0;
  if (state->is_root && settings.identity_range)
    state->identities.emplace(*settings.identity_range, kernel::user_has_processes);
  state->unattached = std::move(ends->first);
  return std::unique_ptr<Launcher>(new Launcher(std::move(state)));
}

void Launcher::attach(asio::io_context& context, std::function<void()> on_gone) {
  state_->context = &context;
  state_->on_gone = std::move(on_gone);
  state_->socket = std::make_shared<int>(state_->unattached.get());
  state_->descriptor.emplace(context, state_->unattached.release());
  state_->listen();
}

Result<void> Launcher::State::send_order(RequestKind kind, const LaunchOrder& order,
                                         const Streams* streams) const {
  if (is_gone || !socket) return Error{ErrorCode::unavailable, "the launcher is gone"};
  std::string bytes = encode_order(order);
  if (bytes.size() > launch_order_size_max.value) {
    return Error{ErrorCode::limit_exceeded, "the launch order is too long"};
  }
  const auto file = kernel::make_memory_file("order", bytes);
  wipe(bytes);
  if (!file) return file.error();
  const std::string request = encode_request({kind, order.run_number, std::nullopt});
  std::vector<int> descriptors{file->get()};
  if (streams != nullptr) {
    descriptors.push_back(streams->standard_output.get());
    descriptors.push_back(streams->standard_error.get());
    if (order.is_module) {
      descriptors.push_back(streams->module_task.get());
      descriptors.push_back(streams->module_answer.get());
    }
    if (order.state_bytes > 0) descriptors.push_back(streams->state.get());
  }
  return kernel::send_message(*socket, std::as_bytes(std::span(request)), descriptors);
}

LaunchedRunLink Launcher::State::link_to(std::uint64_t run_number) {
  auto run = std::make_shared<LaunchedRunLink::State>(*context, run_number, socket);
  runs.emplace(run_number, run);
  return LaunchedRunLink(std::move(run));
}

Result<LaunchedRunLink> Launcher::start_run(const LaunchOrder& order, Streams streams,
                                            std::optional<IdentityPool::Lease> lease) {
  const auto sent = state_->send_order(RequestKind::start, order, &streams);
  if (!sent) return sent.error();
  if (lease) state_->leases.emplace(order.run_number, *std::move(lease));
  return state_->link_to(order.run_number);
}

Result<LaunchedRunLink> Launcher::prepare_run(const LaunchOrder& order,
                                              std::optional<IdentityPool::Lease> lease) {
  const auto sent = state_->send_order(RequestKind::prepare, order, nullptr);
  if (!sent) return sent.error();
  if (lease) state_->leases.emplace(order.run_number, *std::move(lease));
  return state_->link_to(order.run_number);
}

Result<void> Launcher::begin_run(const LaunchOrder& order, Streams streams) {
  return state_->send_order(RequestKind::begin, order, &streams);
}

Result<LaunchedRunLink> Launcher::start_namespaces(const std::optional<Identity>& identity) {
  if (state_->is_gone || !state_->socket) {
    return Error{ErrorCode::unavailable, "the launcher is gone"};
  }
  const std::uint64_t number = next_run_number();
  const std::string request = encode_request({RequestKind::try_namespaces, number, identity});
  const auto sent = kernel::send_message(*state_->socket, std::as_bytes(std::span(request)));
  if (!sent) return sent.error();
  return state_->link_to(number);
}

const std::string& Launcher::scratch_area() const {
  return state_->scratch.path();
}
std::string Launcher::scratch_directory(std::uint64_t run_number) const {
  return state_->scratch.directory_of(run_number);
}
std::uint64_t Launcher::next_run_number() {
  return ++state_->run_number_last;
}
pid_t Launcher::pid() const {
  return state_->pid;
}
bool Launcher::is_root() const {
  return state_->is_root;
}
void Launcher::watch_unkillable(std::function<void(const UnkillableRun&)> watcher) {
  state_->on_unkillable = std::move(watcher);
}
IdentityPool* Launcher::identities() {
  return state_->identities ? &*state_->identities : nullptr;
}
bool Launcher::gone() const {
  return state_->is_gone;
}

}  // namespace satellite::sandbox
