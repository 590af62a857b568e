#include "sandbox/readiness.hpp"

namespace satellite::sandbox {
namespace {

std::vector<HostReadiness::Reason> obstacles(const HostFacts& facts) {
  if (facts.platform != "linux") {
    return {{"platform",
             "isolation is built from Linux namespaces, limits and packet filters; this host is " +
                 facts.platform}};
  }
  std::vector<HostReadiness::Reason> reasons;
  // The native engine needs neither: it was seen to work.
  if (!facts.native_engine && facts.wrapper == Wrapper::none) {
    reasons.push_back(
        {"wrapper",
         "the native engine does not work here and no sandbox wrapper was found on PATH: see "
         "native_engine in `checkstack-satellite doctor`, or install bubblewrap or nsjail"});
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

std::string guidance_for(const std::vector<HostReadiness::Reason>& reasons) {
  std::string text = "Scripts cannot be isolated on this host:\n";
  for (const auto& reason : reasons) text += "  - " + reason.text + "\n";
  return text +
         "A policy with onUnavailable \"fail\" (the shipped default) therefore has every script "
         "REFUSED here; none runs unprotected. Two ways out:\n"
         "  1. Put the causes above right, or run the satellite in a Docker or other container "
         "whose "
         "seccomp profile permits user namespaces. `checkstack-satellite doctor` names each cause "
         "and its remedy.\n"
         "  2. On a machine of your own, set the policy's onUnavailable to \"degrade\": scripts "
         "then "
         "run with the timeout and the output cap only. That is no security boundary.";
}

}  // namespace

HostReadiness assess_readiness(const HostFacts& facts) {
  HostReadiness readiness;
  readiness.platform = facts.platform;
  readiness.reasons = obstacles(facts);
  readiness.enforceable = readiness.reasons.empty();
  if (!readiness.enforceable) readiness.guidance = guidance_for(readiness.reasons);
  return readiness;
}

std::string readiness_banner(const HostReadiness& readiness) {
  if (readiness.enforceable) return {};
  const std::string rule(78, '=');
  return "SCRIPT SANDBOX: SCRIPTS CANNOT BE ISOLATED ON THIS HOST\n" + rule + "\n" +
         readiness.guidance + "\n" + rule + "\n";
}

}  // namespace satellite::sandbox
