#include "tests/support/native_orders.hpp"

#include "sandbox/build_plan.hpp"
#include "sandbox/planning/make_launch_order.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <stdexcept>

namespace satellite::tests {

using namespace sandbox;

NativeOrders::NativeOrders(Egress egress, const std::optional<MacvlanSettings>& macvlan)
    : ScriptBench(Engine::native, egress, macvlan) {}

LaunchOrder NativeOrders::order(const Policy& policy) const {
  RunInputs inputs;
  inputs.command = {"sh", "-c", "echo ran"};
  inputs.base_environment = {{"PATH", "/usr/bin:/bin"}};
  inputs.default_identity = settings.default_identity;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.launcher_makes_network = true;
  OrderInputs numbered;
  numbered.run_number = launcher->next_run_number();
  inputs.scratch_directory =
      launcher->scratch_area() + "/run-" + std::to_string(numbered.run_number);
  const auto decision = build_plan({policy, false}, facts, inputs, host_world());
  if (!std::holds_alternative<Plan>(decision)) throw std::runtime_error("no plan");
  auto made = make_launch_order(std::get<Plan>(decision), std::move(numbered));
  if (!made || made->engine != Engine::native) throw std::runtime_error("no native order");
  return *std::move(made);
}

NativeOrders::End NativeOrders::perform(const LaunchOrder& what) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  Launcher::Streams streams{UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0)),
                            UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0))};
  writing.reset();
  auto link = launcher->start_run(what, std::move(streams));
  if (!link) throw std::runtime_error(link.error().message);
  End end;
  boost::asio::co_spawn(context, wait_for_end(*link, end), boost::asio::detached);
  context.restart();
  context.run();
  std::array<char, 256> buffer{};
  for (ssize_t got = 0; (got = ::read(reading.get(), buffer.data(), buffer.size())) > 0;) {
    end.output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return end;
}

boost::asio::awaitable<void> NativeOrders::wait_for_end(LaunchedRunLink& link, End& end) {
  for (bool ended = false; !ended;) {
    co_await link.arrived();
    while (auto record = link.take()) {
      ended = !std::holds_alternative<RunStarted>(record->event);
      end.record = *std::move(record);
    }
  }
  context.stop();
}

int children_of(pid_t launcher) {
  const std::string children =
      read_proc(launcher, "task/" + std::to_string(launcher) + "/children");
  return static_cast<int>(std::count(children.begin(), children.end(), ' '));
}

}  // namespace satellite::tests
