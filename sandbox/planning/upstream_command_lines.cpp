#include "sandbox/planning/upstream_command_lines.hpp"

#include "sandbox/planning/resource_plan.hpp"

namespace satellite::sandbox {
namespace {

void add_network(std::vector<std::string>& argv, const WrapperRequest& request) {
  const NetworkDecision& network = request.network;
  if (network.kind != NetworkDecision::Kind::namespaced) {
    argv.emplace_back("--disable_clone_newnet");
    return;
  }
  argv.emplace_back("--clone_newnet");
  if (network.uplink.empty()) return;
  argv.insert(argv.end(), {"--macvlan_iface", network.uplink});
  if (network.addressing) {
    argv.insert(argv.end(),
                {"--macvlan_vs_ip", network.addressing->ip, "--macvlan_vs_nm",
                 network.addressing->netmask, "--macvlan_vs_gw", network.addressing->gateway});
  }
  if (network.ruleset && request.filter_file) {
    argv.insert(argv.end(), {"--nftables_file", *request.filter_file});
  }
}

}  // namespace

std::vector<std::string> upstream_nsjail_argv(const WrapperRequest& request) {
  std::vector<std::string> argv{request.program, "--quiet", "--mode", "o"};
  add_network(argv, request);
  const auto add = [&argv](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  if (request.inner_uid) {
    add({"--user", std::to_string(*request.inner_uid)});
    if (request.inner_gid) add({"--group", std::to_string(*request.inner_gid)});
  }
  if (!request.confined) {
    add({"--bindmount", "/:/"});
    return argv;
  }
  for (const auto& path : request.read_only_before_scratch) {
    add({"--bindmount_ro", path + ":" + path});
  }
  add({"--bindmount", request.scratch_directory + ":" + request.scratch_directory});
  if (request.read_only_after_scratch) {
    const std::string& path = *request.read_only_after_scratch;
    add({"--bindmount_ro", path + ":" + path});
  }
  add({"--cwd", request.start_directory});
  return argv;
}

std::vector<std::string> upstream_command_line(const Plan& plan,
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
