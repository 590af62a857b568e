#include "sandbox/host/readiness.hpp"

namespace satellite::sandbox {
namespace {

std::vector<HostReadiness::Reason> reasons_against(const HostFacts& facts,
                                                   const std::vector<Engine>& engines) {
  if (facts.platform != "linux") {
    return {{"platform",
             "isolation is built from Linux namespaces, limits and packet filters; this host is " +
                 facts.platform}};
  }
  std::vector<HostReadiness::Reason> reasons;
  // The native engine needs neither: it was seen to work.
  if (!facts.native_engine && facts.wrapper == Wrapper::none) {
    reasons.push_back({"wrapper",
                       "no engine that may be used works here: see native_engine and wrapper in "
                       "`checkstack-satellite doctor`, or " +
                           engine_remedy(engines)});
  }
  if (!facts.native_engine && !facts.user_ns_creatable) {
    reasons.push_back(
        {"userns",
         "user and network namespaces cannot be created: check kernel.unprivileged_userns_clone, "
         "user.max_user_namespaces, AppArmor's restriction of unprivileged namespaces, and in a "
         "container its seccomp profile and masked /proc"});
  }
  if (!facts.rlimit_native && !facts.launcher_sets_rlimits) {
    reasons.push_back({"rlimit", "resource limits cannot be set: install util-linux (prlimit)"});
  }
  return reasons;
}

/// Where the operator requires the file system layer, `degrade` does not help.
std::string way_without_isolation(bool may_be_unconfined) {
  const std::string degrade = "set the policy's onUnavailable to \"degrade\"";
  return "  2. On a machine of your own, " +
         (may_be_unconfined
              ? degrade
              : "let scripts be unconfined (operator.allow_unconfined), and " + degrade) +
         ": scripts then run with the timeout and the output cap only. That is no security "
         "boundary.";
}

std::string guidance_for(const std::vector<HostReadiness::Reason>& reasons,
                         bool may_be_unconfined) {
  std::string text = "Scripts cannot be isolated on this host:\n";
  for (const auto& reason : reasons) text += "  - " + reason.text + "\n";
  return text +
         (may_be_unconfined
              ? "A policy with onUnavailable \"fail\" (the shipped default) therefore has every "
                "script REFUSED here"
              : "Every script is therefore REFUSED here, whatever its policy's onUnavailable "
                "says") +
         "; none runs unprotected. Two ways out:\n"
         "  1. Put the causes above right, or run the satellite in a Docker or other container "
         "whose "
         "seccomp profile permits user namespaces. `checkstack-satellite doctor` names each cause "
         "and its remedy.\n" +
         way_without_isolation(may_be_unconfined);
}

}  // namespace

HostReadiness assess_readiness(const HostFacts& facts, const std::vector<Engine>& engines,
                               bool may_be_unconfined) {
  HostReadiness readiness;
  readiness.platform = facts.platform;
  readiness.reasons = reasons_against(facts, engines);
  readiness.enforceable = readiness.reasons.empty();
  if (!readiness.enforceable) {
    readiness.guidance = guidance_for(readiness.reasons, may_be_unconfined);
  }
  return readiness;
}

std::string readiness_banner(const HostReadiness& readiness) {
  if (readiness.enforceable) return {};
  const std::string rule(78, '=');
  return "SCRIPT SANDBOX: SCRIPTS CANNOT BE ISOLATED ON THIS HOST\n" + rule + "\n" +
         readiness.guidance + "\n" + rule + "\n";
}

}  // namespace satellite::sandbox
