#include "sandbox/launcher/process/native_preparation.hpp"

#include <sched.h>
#include <sys/stat.h>
#include <cstdio>

namespace satellite::sandbox {
namespace {

// A file or directory without content costs the kernel about this much.
constexpr std::uint64_t bytes_per_inode = 4'096;
constexpr std::uint64_t inodes_min = 1'024;

/// `outside` is the number in the parent user namespace.
std::string single_line_map(std::uint32_t id, std::uint32_t outside) {
  return std::to_string(id) + " " + std::to_string(outside) + " 1";
}

}  // namespace

NativePreparation::NativePreparation(const LaunchOrder& order, const Identity& owner,
                                     bool launcher_is_root) {
  const NativePlan& plan = *order.native;
  new_namespaces_ = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  const bool makes_network = plan.own_network && !order.network;
  if (makes_network) new_namespaces_ |= CLONE_NEWNET;
  if (!launcher_is_root) {
    new_namespaces_ |= CLONE_NEWUSER;
    setup_.own_user = true;
    // The user namespace that owns a run's network has our user as its root.
    const bool below_network = order.network.has_value();
    setup_.uid_map = kept(single_line_map(owner.uid, below_network ? 0 : owner.uid));
    setup_.gid_map = kept(single_line_map(owner.gid, below_network ? 0 : owner.gid));
  }
  steps_.reserve(plan.steps.size());
  for (const auto& step : plan.steps) {
    bare::PreparedStep prepared;
    prepared.kind = step.kind;
    prepared.target = step.target.c_str();
    prepared.source =
        step.kind == FileStepKind::memory ? kept(memory_options(step, owner)) : step.source.c_str();
    prepared.number = step.size;
    prepared.mode = step.mode;
    prepared.optional = step.optional;
    prepared.writable = step.writable;
    steps_.push_back(prepared);
  }
  setup_.steps = steps_.data();
  setup_.step_count = static_cast<int>(steps_.size());
  setup_.confined = plan.confined;
  setup_.raises_loopback = makes_network;
  setup_.change_identity = launcher_is_root && order.identity.has_value();
  setup_.uid = owner.uid;
  setup_.gid = owner.gid;
  setup_.fault = order.fault;
}

std::string NativePreparation::memory_options(const FileStep& step, const Identity& owner) const {
  char mode[16];
  std::snprintf(mode, sizeof(mode), "%o", step.mode);
  std::string options = "size=" + std::to_string(step.size) +
                        ",nr_inodes=" + std::to_string(step.size / bytes_per_inode + inodes_min) +
                        ",mode=" + mode;
  // Everybody's directories belong to nobody in particular.
  if ((step.mode & S_IWOTH) == 0) {
    options += ",uid=" + std::to_string(owner.uid) + ",gid=" + std::to_string(owner.gid);
  }
  return options;
}

}  // namespace satellite::sandbox
