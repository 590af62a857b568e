#include "tests/support/native_orders.hpp"

#include "sandbox/launcher/client/make_launch_order.hpp"
#include "sandbox/planning/build_plan.hpp"
#include "tests/support/require_layer.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <stdexcept>

namespace satellite::tests {

namespace asio = boost::asio;
using namespace sandbox;

namespace {

struct Pipe {
  UniqueFd reading;
  Launcher::Streams streams;
};

Pipe make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  UniqueFd writing(ends[1]);
  return {UniqueFd(ends[0]),
          {UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0)), std::move(writing)}};
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 256> buffer{};
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

bool is_end(const LauncherRecord& record) {
  return !std::holds_alternative<RunStarted>(record.event) &&
         !std::holds_alternative<RunPrepared>(record.event);
}

/// Until the run stands prepared, or is over.
asio::awaitable<void> wait_for(asio::io_context& context, LaunchedRunLink& link,
                               NativeOrders::End& end, bool until_prepared) {
  for (bool over = false; !over;) {
    co_await link.arrived();
    while (auto record = link.take()) {
      const bool prepared = std::holds_alternative<RunPrepared>(record->event);
      end.was_prepared = end.was_prepared || prepared;
      over = over || is_end(*record) || (until_prepared && prepared);
      end.record = *std::move(record);
    }
  }
  context.stop();
}

}  // namespace

NativeOrders::NativeOrders(Egress egress, const std::optional<MacvlanSettings>& macvlan)
    : ScriptBench(Engine::native, egress, macvlan) {}

LaunchOrder NativeOrders::order(const Policy& policy) const {
  RunInputs inputs;
  inputs.command = {"sh", "-c", "echo ran"};
  inputs.base_environment = {{"PATH", "/usr/bin:/bin"}};
  inputs.default_identity = settings.default_identity;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.host_view = settings.host_view;
  inputs.launcher_makes_network = true;
  OrderInputs numbered;
  numbered.run_number = launcher->next_run_number();
  inputs.scratch_directory = launcher->scratch_directory(numbered.run_number);
  const auto decision = build_plan({policy, false}, facts, inputs, this_host_paths());
  if (!std::holds_alternative<Plan>(decision)) throw std::runtime_error("the plan is a refusal");
  auto made = make_launch_order(std::get<Plan>(decision), std::move(numbered));
  if (!made || made->engine != Engine::native) throw std::runtime_error("no native order");
  return *std::move(made);
}

NativeOrders::End NativeOrders::perform(const LaunchOrder& what) {
  Pipe pipe = make_pipe();
  auto link = launcher->start_run(what, std::move(pipe.streams));
  if (!link) throw std::runtime_error(link.error().message);
  End end;
  asio::co_spawn(context, wait_for(context, *link, end, false), asio::detached);
  context.restart();
  context.run();
  end.output = read_all(pipe.reading.get());
  return end;
}

NativeOrders::End NativeOrders::perform_prepared(const LaunchOrder& prepared,
                                                 const std::optional<LaunchOrder>& begun) {
  auto link = launcher->prepare_run(prepared);
  if (!link) throw std::runtime_error(link.error().message);
  End end;
  asio::co_spawn(context, wait_for(context, *link, end, true), asio::detached);
  context.restart();
  context.run();
  if (!begun || !end.was_prepared) return end;
  Pipe pipe = make_pipe();
  if (const auto sent = launcher->begin_run(*begun, std::move(pipe.streams)); !sent) {
    throw std::runtime_error(sent.error().message);
  }
  asio::co_spawn(context, wait_for(context, *link, end, false), asio::detached);
  context.restart();
  context.run();
  end.output = read_all(pipe.reading.get());
  return end;
}

int count_children(pid_t launcher) {
  const std::string children =
      read_proc(launcher, "task/" + std::to_string(launcher) + "/children");
  return static_cast<int>(std::count(children.begin(), children.end(), ' '));
}

bool faults_can_be_injected() {
  return require_layer("fault_injection", has_fault_injection,
                       "a released program cannot make steps fail");
}

}  // namespace satellite::tests
