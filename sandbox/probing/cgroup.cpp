#include "sandbox/probing/probing.hpp"

#include "sandbox/probing/remedies.hpp"

#include <cerrno>

namespace satellite::sandbox {
namespace {

// Enough for `true`, and no default of the kernel, so that reading it back proves that it was set.
constexpr std::uint64_t trial_memory = 67'108'864;
constexpr std::uint64_t trial_processes = 16;
constexpr std::uint64_t trial_cpu_percent = 90;

LaunchOrder trial_of(const Probing& probing, const CgroupLimits& limits) {
  LaunchOrder order = bare_trial(probing.launcher, probing.identity);
  order.cgroup = order.expectation.cgroup = limits;
  return order;
}

}  // namespace

/// A run in a group of its own with every limit, read back at its barrier, as later runs have it.
boost::asio::awaitable<void> probe_cgroup(Probing probing) {
  CgroupLimits limits{trial_memory, trial_processes, trial_cpu_percent};
  LaunchOrder with_processor = trial_of(probing, limits);
  auto end = co_await try_order(probing.context, probing.launcher, std::move(with_processor));
  if (!problem_of_trial(end).empty()) {
    limits.cpu_percent.reset();
    LaunchOrder without = trial_of(probing, limits);
    auto second = co_await try_order(probing.context, probing.launcher, std::move(without));
    end = std::move(second);
  }
  const std::string problem = problem_of_trial(end);
  const bool works = problem.empty();
  HostFacts& facts = probing.facts;
  facts.cgroup_memory = facts.cgroup_pids = works;
  facts.cgroup_cpu = works && limits.cpu_percent.has_value();
  if (works) {
    const char* const detail = facts.cgroup_cpu
                                   ? "memory, pids and cpu limited and read back"
                                   : "memory and pids limited and read back; no cpu controller";
    co_return set_finding(facts, "cgroup_v2", true, detail, {});
  }
  const bool read_only = problem.find("Read-only file system") != std::string::npos;
  const int reason = read_only ? EROFS : error_number_of(end);
  set_finding(facts, "cgroup_v2", false, problem,
              remedy_for(Primitive::control_group, reason, read_host_signs()));
}

}  // namespace satellite::sandbox
