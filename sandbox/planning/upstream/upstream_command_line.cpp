#include "sandbox/planning/upstream/upstream_command_line.hpp"

#include "sandbox/planning/resource_plan.hpp"

namespace satellite::sandbox {

std::vector<std::string> seed_command_line(const Plan& plan,
                                           const std::optional<std::string>& egress_script) {
  std::vector<std::string> argv;
  if (plan.engine != Engine::none && plan.egress == Egress::slirp4netns && egress_script) {
    argv = {"sh", *egress_script};
  } else if (!plan.wrapper.empty()) {
    argv = plan.wrapper;
    argv.emplace_back("--");
  }
  const auto limits = prlimit_prelude(plan.resource_settings);
  argv.insert(argv.end(), limits.begin(), limits.end());
  argv.insert(argv.end(), plan.command.begin(), plan.command.end());
  return argv;
}

}  // namespace satellite::sandbox
