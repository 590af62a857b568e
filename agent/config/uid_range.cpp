#include "agent/config/uid_range.hpp"

namespace satellite::agent {

Result<void> take_uid_range(const std::map<std::string, EffectiveSetting>& values,
                            std::uint32_t own_uid, Config& config) {
  const EffectiveSetting& setting = values.at("sandbox.uid_range");
  if (setting.value.empty()) return {};
  const auto wrong = [&setting](const std::string& problem) {
    return Error{ErrorCode::invalid_input,
                 "sandbox.uid_range (from " + setting.source + "): " + problem};
  };
  const auto range = sandbox::parse_identity_range(setting.value);
  if (!range) return wrong(range.error().message);
  for (const char* other : {"sandbox.uid", "sandbox.gid"}) {
    const EffectiveSetting& named = values.at(other);
    if (named.source == "default") continue;
    return wrong(std::string(other) + " (from " + named.source +
                 ") names one user for all runs, which contradicts a user for each; leave one of "
                 "the two out");
  }
  if (range->contains(own_uid)) {
    return wrong("'" + setting.value + "' holds " + std::to_string(own_uid) +
                 ", the satellite's own user id; choose numbers that no account has");
  }
  if (range->contains(config.sandbox_uid)) {
    return wrong("'" + setting.value + "' holds " + std::to_string(config.sandbox_uid) +
                 ", which trials of the sandbox run as; choose other numbers");
  }
  const std::uint32_t runs = config.concurrency + config.check_concurrency;
  // On kernels without Landlock's scope of signals such a run takes two. What a host may have must
  // not depend on its kernel.
  const bool takes_two = config.host_view.processes;
  if (range->count < (takes_two ? 2 : 1) * runs) {
    return wrong("'" + setting.value + "' holds fewer ids than " +
                 (takes_two ? "two for each of the " : "the ") + std::to_string(runs) +
                 " scripts that dispatch.concurrency and checks.concurrency let run at a time" +
                 (takes_two ? ", which host_view.processes needs" : "") +
                 "; make it larger (twice as many leave room), or those smaller");
  }
  config.sandbox_uid_range = *range;
  return {};
}

}  // namespace satellite::agent
