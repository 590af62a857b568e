#include "sandbox/kernel/cgroup_text.hpp"
#include "sandbox/planning/cgroup_plan.hpp"
#include "tests/unit/sandbox/hosts.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace satellite::sandbox;
using namespace satellite::sandbox::kernel;
using namespace satellite::sandbox::test;

namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

HostFacts host_with_groups() {
  HostFacts facts = root_launcher_host();
  facts.cgroup_memory = facts.cgroup_pids = facts.cgroup_cpu = true;
  return facts;
}

GroupPosition position(uid_t user, uid_t owner, uid_t parent_owner) {
  GroupPosition position;
  position.own_name = "satellite.service";
  position.own.owner = owner;
  position.parent = GroupFacts{parent_owner, false};
  position.user = user;
  position.systemd_runs = true;
  return position;
}

RunInputs dropping_run() {
  RunInputs inputs = run_in("/tmp/run");
  inputs.default_identity = Identity{65'532, 65'532};
  return inputs;
}

bool has_note(const Plan& plan, const std::string& words) {
  return std::any_of(plan.promise.notes.begin(), plan.promise.notes.end(),
                     [&](const Note& note) { return note.note.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE(
    "where control groups can be had, memory and processes are theirs and no note is needed") {
  const Plan plan = plan_for(shipped_default_policy(), host_with_groups(), dropping_run());
  CHECK(plan.cgroup.memory_bytes == shipped_default_policy().resources.memory_bytes);
  CHECK(plan.cgroup.processes ==
        *shipped_default_policy().resources.max_processes + cgroup_own_processes);
  CHECK_FALSE(plan.cgroup.cpu_percent.has_value());
  CHECK_FALSE(has_limit(plan, Resource::processes));
  CHECK_FALSE(has_note(plan, "memoryBytes"));
  CHECK(plan.promise.layers.at(0).mechanism.find("control group: memory, pids") !=
        std::string::npos);
  // Without them: the limits of the process, and the honest note.
  const Plan without = plan_for(shipped_default_policy(), root_launcher_host(), dropping_run());
  CHECK_FALSE(without.cgroup.any());
  CHECK(has_limit(without, Resource::processes));
  CHECK(has_note(without, "memoryBytes"));
}

TEST_CASE("a group that the script could write to is said to hold against mistakes only") {
  HostFacts facts = unprivileged_bwrap_host();
  facts.cgroup_memory = facts.cgroup_pids = true;
  const Policy open = default_with(
      R"({"onUnavailable":"degrade","filesystem":{"mode":"off"},
          "network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false}})");
  CHECK(has_note(plan_for(open, facts, run_in("/tmp/run")), "mistakes only"));
  CHECK_FALSE(
      has_note(plan_for(shipped_default_policy(), facts, run_in("/tmp/run")), "mistakes only"));
}

TEST_CASE("limits become files, and what is read back is held against them") {
  const CgroupLimits limits{1'048'576, 12, 150};
  std::string text;
  for (const auto& write : cgroup_writes(limits)) {
    text += std::string(write.file) + "=" + write.text + ";";
  }
  CHECK(text ==
        "memory.max=1048576;memory.swap.max=0;memory.oom.group=1;pids.max=12;"
        "cpu.max=150000 100000;");
  MeasuredCgroup seen{true, true, 1'048'576, 0, 12, 150};
  CHECK(missing_of(limits, seen).empty());
  CHECK(evidence_of(seen).starts_with("memory.max 1048576, memory.swap.max 0, pids.max 12"));
  seen.swap_max.reset();
  CHECK(missing_of(limits, seen).empty());
  const auto breaks = [&](auto change) {
    MeasuredCgroup other = seen;
    change(other);
    return missing_of(limits, other).size() == 1;
  };
  CHECK(breaks([](auto& group) { group.member = false; }));
  CHECK(breaks([](auto& group) { group.oom_group = false; }));
  CHECK(breaks([](auto& group) { group.memory_max = unlimited; }));
  CHECK(breaks([](auto& group) { group.memory_max.reset(); }));
  CHECK(breaks([](auto& group) { group.swap_max = 4096; }));
  CHECK(breaks([](auto& group) { group.pids_max = 13; }));
  CHECK(breaks([](auto& group) { group.cpu_percent = unlimited; }));
}

TEST_CASE("the files of a group are read as the kernel writes them") {
  CHECK(unified_path("4:memory:/x\n0::/system.slice/a.service\n") == "/system.slice/a.service");
  CHECK_FALSE(unified_path("4:memory:/x\n").has_value());
  CHECK_FALSE(unified_path("0::/../other\n").has_value());
  CHECK(cgroup_number("max\n") == unlimited);
  CHECK(cgroup_number("4096\n") == 4096U);
  CHECK_FALSE(cgroup_number("-1\n").has_value());
  CHECK_FALSE(cgroup_number("").has_value());
  CHECK(cgroup_value("low 0\noom 3\noom_kill 7\n", "oom") == 3U);
  CHECK(cgroup_value("low 0\noom 3\noom_kill 7\n", "oom_kill") == 7U);
  CHECK_FALSE(cgroup_value("low 0\n", "oom").has_value());
  CHECK(cpu_max_percent("20000 100000\n") == 20U);
  CHECK(cpu_max_percent("max 100000\n") == unlimited);
  CHECK_FALSE(cpu_max_percent("1 0\n").has_value());
  CHECK(names_controller("cpu memory pids\n", "memory"));
  CHECK_FALSE(names_controller("hugetlb\n", "memory"));
  const std::string mounts =
      "30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
      "31 20 0:26 /a /mnt/a rw - cgroup2 cgroup2 rw\n";
  CHECK(mounted_path(mounts, "/a/b") == "/sys/fs/cgroup/a/b");
  CHECK(mounted_path(mounts, "/") == "/sys/fs/cgroup");
}

TEST_CASE("groups are made only where the tree was given to the satellite") {
  GroupPosition marked = position(0, 0, 0);
  CHECK(base_for(marked) == GroupBase::none);  // root may write there, but systemd owns it
  marked.own.delegated = true;
  CHECK(base_for(marked) == GroupBase::own);
  GroupPosition subgroup = position(65532, 65532, 65532);
  CHECK(base_for(subgroup) == GroupBase::none);  // inside somebody's `systemd --user`
  subgroup.parent->delegated = true;
  CHECK(base_for(subgroup) == GroupBase::parent);  // DelegateSubgroup=
  CHECK(base_for(position(65532, 65532, 0)) == GroupBase::own);
  CHECK(base_for(position(65532, 0, 0)) == GroupBase::none);
  GroupPosition second = position(65532, 65532, 65532);
  second.own_name = supervisor_group;
  CHECK(base_for(second) == GroupBase::parent);
  GroupPosition container = position(0, 0, 0);
  container.systemd_runs = false;
  container.parent.reset();
  CHECK(base_for(container) == GroupBase::own);
}
