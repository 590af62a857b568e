#include "sandbox/launcher/client/effective_report.hpp"

#include "sandbox/launcher/verify/validate_posture.hpp"
#include "sandbox/launcher/wire/posture_text.hpp"
#include "sandbox/planning/cgroup_plan.hpp"
#include "sandbox/planning/shown_disks.hpp"

#include <array>

namespace satellite::sandbox {
namespace {

std::string ids_text(const std::array<std::uint32_t, 4>& ids) {
  std::string text;
  for (const auto id : ids) text += " " + std::to_string(id);
  return text;
}

std::string privilege_evidence(const Posture& seen) {
  return "Uid" + ids_text(seen.uid) + ", Gid" + ids_text(seen.gid) + ", groups " +
         (seen.supplementary_groups == 0 ? "none" : std::to_string(seen.supplementary_groups)) +
         ", CapEff " + hexadecimal(seen.capabilities[2]) + ", CapBnd " +
         hexadecimal(seen.capabilities[3]) + ", NoNewPrivs " +
         (seen.no_new_privileges ? "1" : "0") + ", Seccomp " + std::to_string(seen.seccomp_mode) +
         " with " + std::to_string(seen.seccomp_filters) + " filters" +
         (seen.init_seccomp_mode == 0 ? "" : ", of init " + std::to_string(seen.init_seccomp_mode));
}

std::string filesystem_evidence(const Posture& seen) {
  if (!seen.own_mount) return "the host's mount namespace";
  std::string text = "own mount namespace, " + std::to_string(seen.mounts) + " mounts, root " +
                     (seen.own_root ? "private" : "the host's") + ", /tmp " +
                     (seen.private_tmp ? "private" : "the host's") + ", writable host mounts ";
  const std::string landlock =
      seen.landlock_abi == 0 ? "" : ", Landlock ABI " + std::to_string(seen.landlock_abi);
  text += seen.unexpected_writable_mounts.empty() ? "none"
                                                  : joined(seen.unexpected_writable_mounts, " ");
  for (const auto& size : seen.memory_sizes) {
    text += ", " + size.path + " of " + std::to_string(size.bytes) + " bytes";
  }
  if (seen.shows_processes) {
    text += std::string(", the host's processes, signals ") +
            (seen.keeps_signals ? "kept within the run" : "not kept");
  }
  return text + landlock;
}

std::string network_evidence(const Posture& seen) {
  if (!seen.own_network) return "the host's network namespace";
  std::string text = "own network namespace, interfaces: " + joined(seen.interfaces, " ") +
                     (seen.owns_network ? ", owned by the script's user namespace" : "");
  if (seen.filter_rules == 0) return text;
  return text + ", nftables ruleset of " + std::to_string(seen.filter_rules) +
         " rules read back, IPv4 routes: " + joined(seen.routes, "; ");
}

std::string resources_evidence(const Posture& seen) {
  std::string text;
  for (std::size_t i = 0; i < seen.limits.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::string(name_of_limit(i)) + " " + limit_text(seen.limits[i].hard);
  }
  if (const auto group = evidence_of(seen.cgroup); !group.empty()) text += "; " + group;
  return text;
}

}  // namespace

std::string evidence_of(Layer layer, const Posture& posture) {
  switch (layer) {
    case Layer::resources:
      return resources_evidence(posture);
    case Layer::filesystem:
      return filesystem_evidence(posture);
    case Layer::network:
      return network_evidence(posture);
    case Layer::privilege:
      break;
  }
  return privilege_evidence(posture);
}

namespace {

/// A file system for which no directory that gives nothing away was found.
void take_back(const ShownDisk& disk, EffectiveSandbox& report) {
  std::erase(report.grants, "disk " + disk.target);
  report.notes.push_back(
      {Layer::filesystem, "host_view: " + name_of(disk) +
                              " is not shown as a disk: it has no directory that is closed to "
                              "scripts and none can be made, or it does not answer"});
}

}  // namespace

EffectiveSandbox effective_from(const EffectiveSandbox& promise, const Expectation& expectation,
                                const Posture& posture) {
  EffectiveSandbox report = promise;
  for (auto& layer : report.layers) {
    layer.evidence = evidence_of(layer.layer, posture);
    const auto missing = missing_in_layer(layer.layer, expectation, posture);
    if (layer.state != LayerState::enforced || missing.empty()) continue;
    layer.state = LayerState::degraded;
    report.enforced.set(layer.layer, false);
    report.downgrades.push_back({layer.layer, joined(missing, "; ")});
  }
  for (std::size_t i = 0; i < expectation.disks.size(); ++i) {
    if ((posture.shown_disks >> i & 1U) == 0) take_back(expectation.disks[i], report);
  }
  return report;
}

}  // namespace satellite::sandbox
