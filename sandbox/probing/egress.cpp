#include "sandbox/probing/egress.hpp"

#include "sandbox/planning/network_decision.hpp"
#include "sandbox/probing/probing.hpp"

#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

// TEST-NET-1 (RFC 5737): allowing it takes a filter, and no host has such an address.
constexpr const char* trial_destination = "192.0.2.1";

const char* name_of_finding(Egress egress) {
  return egress == Egress::macvlan ? "egress_macvlan" : "egress_slirp4netns";
}

bool has_engine(const HostFacts& facts) {
  return facts.native_engine || facts.wrapper != Wrapper::none;
}

const char* remedy_of(const HostFacts& facts, Egress egress) {
  if (egress == Egress::macvlan) {
    return "run the satellite as root and set CHECKSTACK_SANDBOX_MACVLAN_IP, _NM and _GW to an "
           "address of the host's network that is reserved for scripts";
  }
  if (!has_engine(facts)) return "mend native_engine or wrapper, which it needs";
  return facts.euid_is_root
             ? "install slirp4netns and nf_tables, let the satellite open /dev/net/tun, and give "
               "it CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_BIND_SERVICE"
             : "install slirp4netns and nf_tables, and let the satellite open /dev/net/tun";
}

/// Why the means cannot even be tried, or empty.
std::string reason_to_reject(const HostFacts& facts, const ProbeSettings& settings, Egress egress) {
  if (egress == Egress::macvlan) {
    if (!settings.macvlan.problem.empty()) return settings.macvlan.problem;
    if (!settings.macvlan.settings) return "CHECKSTACK_SANDBOX_MACVLAN_IP, _NM and _GW are not set";
    if (!facts.euid_is_root) return "the satellite is not root";
  }
  if (!has_engine(facts)) {
    return "no engine can put a run into a network made for it: see native_engine and wrapper";
  }
  return {};
}

void set_means(HostFacts& facts, const ProbeSettings& settings, Egress egress) {
  if (egress == Egress::slirp4netns) {
    facts.net_egress_rootless = true;
    return;
  }
  facts.net_egress_iface = settings.macvlan.settings->interface;
  facts.net_egress_addressing = settings.macvlan.settings->text;
  facts.net_egress_ipv6 = settings.macvlan.settings->ipv6.has_value();
}

/// The shipped default policy with one destination, as if this means worked and no other did.
Result<LaunchOrder> egress_trial(Launcher& launcher, const HostFacts& facts,
                                 const ProbeSettings& settings, Egress egress) {
  HostFacts hoped = facts;
  hoped.net_egress_iface.reset();
  hoped.net_egress_rootless = false;
  set_means(hoped, settings, egress);
  Policy policy = shipped_default_policy();
  policy.network.mode = NetworkMode::allowlist;
  policy.network.allow = {trial_destination};
  return trial_order(launcher, hoped, policy, identity_of_trials(launcher, settings),
                     settings.engines);
}

void take_answer(HostFacts& facts, const ProbeSettings& settings, Egress egress,
                 const std::string& problem) {
  std::string detail = problem;
  if (problem.empty()) {
    set_means(facts, settings, egress);
    detail = egress == Egress::macvlan
                 ? "macvlan on " + settings.macvlan.settings->interface + " with " +
                       settings.macvlan.settings->text.ip + ", behind a ruleset read back"
                 : "slirp4netns brought up tap0, behind a ruleset read back";
  }
  set_finding(facts, name_of_finding(egress), problem.empty(), detail, remedy_of(facts, egress));
}

void read_name_servers(HostFacts& facts) {
  std::ifstream file("/etc/resolv.conf");
  std::stringstream text;
  text << file.rdbuf();
  facts.name_servers = name_servers_of(text.str());
}

/// icmp(7): the range holds the group or one of the supplementary groups.
void read_ping_groups(HostFacts& facts) {
  std::ifstream file("/proc/sys/net/ipv4/ping_group_range");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<gid_t> groups(65'536);
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  groups.push_back(::getegid());
  facts.slirp4netns_drops_echo = !any_may_ping(text, groups);
}

constexpr Egress means[] = {Egress::macvlan, Egress::slirp4netns};

}  // namespace

std::vector<std::string> name_servers_of(std::string_view resolv_conf) {
  std::vector<std::string> servers;
  std::istringstream lines{std::string(resolv_conf)};
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string keyword, address;
    words >> keyword >> address;
    if (keyword == "nameserver" && !address.empty()) servers.push_back(address);
  }
  return servers;
}

bool any_may_ping(const std::string& ping_group_range, const std::vector<gid_t>& groups) {
  std::istringstream words(ping_group_range);
  std::uint64_t first = 1, last = 0;
  words >> first >> last;
  return std::any_of(groups.begin(), groups.end(),
                     [&](gid_t group) { return group >= first && group <= last; });
}

void leave_egress_untried(HostFacts& facts) {
  facts.egress_untried = true;
  for (const Egress egress : means) {
    set_finding(facts, name_of_finding(egress), false, std::string(egress_not_tried_yet), {});
  }
}

asio::awaitable<void> probe_egress(asio::io_context& context, Launcher& launcher,
                                   ProbeSettings settings, HostFacts& facts) {
  read_name_servers(facts);
  read_ping_groups(facts);
  for (const Egress egress : means) {
    std::string problem = reason_to_reject(facts, settings, egress);
    if (problem.empty()) {
      auto order = egress_trial(launcher, facts, settings, egress);
      problem = order ? std::string() : order.error().message;
      if (order) {
        LaunchOrder ready = *std::move(order);
        const auto end = co_await try_order(context, launcher, std::move(ready));
        problem = problem_of_trial(end);
      }
    }
    take_answer(facts, settings, egress, problem);
  }
  facts.egress_untried = false;
}

}  // namespace satellite::sandbox
