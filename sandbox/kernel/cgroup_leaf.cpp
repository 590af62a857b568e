#include "sandbox/kernel/cgroup_leaf.hpp"

#include "sandbox/kernel/cgroup_text.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/kernel/tree_removal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

namespace satellite::sandbox::kernel {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Killed processes end within milliseconds. While this waits, every run of the launcher waits.
constexpr auto emptying_max = 200ms;

std::string text_of(int group, const char* file) {
  auto text = read_small_file(group, file);
  return text ? *std::move(text) : std::string();
}

bool is_populated(int group) {
  return cgroup_value(text_of(group, "cgroup.events"), "populated").value_or(0) != 0;
}

/// The kernel wakes those who poll cgroup.events when `populated` changes.
bool wait_until_empty(int group) {
  const UniqueFd events(::openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC));
  const auto deadline = Clock::now() + emptying_max;
  while (is_populated(group)) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (!events || left <= 0ms) return false;
    char text[256];
    while (::read(events.get(), text, sizeof(text)) > 0) {
    }
    if (!is_populated(group)) break;
    pollfd watched{events.get(), POLLPRI, 0};
    ::poll(&watched, 1, static_cast<int>(left.count()));
    ::lseek(events.get(), 0, SEEK_SET);
  }
  return true;
}

}  // namespace

Result<void> write_group_file(int group, const char* file, const std::string& text) {
  const UniqueFd fd(::openat(group, file, O_WRONLY | O_CLOEXEC));
  if (!fd) return error_from_errno(std::string("open ") + file, errno);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return error_from_errno("write " + text + " to " + file, errno);
  }
  return {};
}

bool remove_group(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  const UniqueFd group(::openat(parent, name.c_str(), directory_flags));
  if (!group) return false;
  static_cast<void>(write_group_file(group.get(), "cgroup.kill", "1"));
  return wait_until_empty(group.get()) && ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0;
}

Result<CgroupLeaf> CgroupLeaf::make(int parent, const std::string& parent_path, std::string name,
                                    const std::vector<CgroupWrite>& limits) {
  if (::mkdirat(parent, name.c_str(), 0755) != 0) {
    return error_from_errno("make the control group " + parent_path + "/" + name, errno);
  }
  UniqueFd directory(::openat(parent, name.c_str(), directory_flags));
  std::string path = parent_path + "/" + name;
  // From here on the destructor removes the directory.
  CgroupLeaf leaf(parent, std::move(name), std::move(path), std::move(directory));
  if (!leaf.directory_) return error_from_errno("open the control group " + leaf.path_, errno);
  for (const auto& [file, text, may_be_absent] : limits) {
    auto written = write_group_file(leaf.descriptor(), file, text);
    if (!written && !(may_be_absent && written.error().code == ErrorCode::not_found)) {
      return written.error();
    }
  }
  return leaf;
}

CgroupLeaf::CgroupLeaf(CgroupLeaf&& other) noexcept
    : parent_(std::exchange(other.parent_, -1)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      directory_(std::move(other.directory_)) {}

CgroupLeaf& CgroupLeaf::operator=(CgroupLeaf&& other) noexcept {
  std::swap(parent_, other.parent_);
  std::swap(name_, other.name_);
  std::swap(path_, other.path_);
  std::swap(directory_, other.directory_);
  return *this;
}

CgroupLeaf::~CgroupLeaf() {
  if (parent_ >= 0) static_cast<void>(remove_group(parent_, name_));
}

Result<MeasuredCgroup> CgroupLeaf::measure(int process) const {
  const auto membership = read_small_file(process, "cgroup");
  if (!membership) return membership.error();
  MeasuredCgroup measured;
  measured.member = unified_path(*membership) == path_;
  measured.memory_max = cgroup_number(text_of(descriptor(), "memory.max"));
  measured.swap_max = cgroup_number(text_of(descriptor(), "memory.swap.max"));
  measured.pids_max = cgroup_number(text_of(descriptor(), "pids.max"));
  measured.cpu_percent = cpu_max_percent(text_of(descriptor(), "cpu.max"));
  measured.oom_group = cgroup_number(text_of(descriptor(), "memory.oom.group")) == 1U;
  return measured;
}

CgroupUsage CgroupLeaf::usage() const {
  CgroupUsage usage;
  const std::string memory = text_of(descriptor(), "memory.events");
  usage.memory_kills = cgroup_value(memory, "oom_kill").value_or(0);
  // The kernel also kills here when a group above reaches its limit.
  usage.memory_limit_hit = usage.memory_kills > 0 && cgroup_value(memory, "oom").value_or(0) > 0;
  usage.refused_forks = cgroup_value(text_of(descriptor(), "pids.events"), "max").value_or(0);
  const std::string cpu = text_of(descriptor(), "cpu.stat");
  usage.user_microseconds = cgroup_value(cpu, "user_usec").value_or(0);
  usage.system_microseconds = cgroup_value(cpu, "system_usec").value_or(0);
  usage.memory_peak = cgroup_number(text_of(descriptor(), "memory.peak")).value_or(0);
  return usage;
}

bool CgroupLeaf::kill() const {
  return write_group_file(descriptor(), "cgroup.kill", "1").has_value();
}

bool CgroupLeaf::is_emptied() const {
  return !is_populated(descriptor()) || (kill() && !is_populated(descriptor()));
}

}  // namespace satellite::sandbox::kernel
