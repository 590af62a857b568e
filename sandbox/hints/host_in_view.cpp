#include "sandbox/hints/host_in_view.hpp"

#include "sandbox/host/host_view.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace satellite::sandbox {

namespace {

/// The directory, or what a package manager or logs need of it.
bool shows(const std::vector<ReadablePath>& paths, std::string_view wanted) {
  return std::any_of(paths.begin(), paths.end(), [wanted](const ReadablePath& shown) {
    return is_at_or_below(shown.path, wanted) || is_at_or_below(wanted, shown.path);
  });
}

bool shows_disks(const Plan& plan, const std::vector<std::string>& measured_grants) {
  return plan.shows_host_disks &&
         std::all_of(plan.disks.begin(), plan.disks.end(), [&](const ShownDisk& disk) {
           return std::find(measured_grants.begin(), measured_grants.end(),
                            "disk " + disk.target) != measured_grants.end();
         });
}

void add_grants(const Plan& plan, HostInView& host) {
  for (const auto& shown : plan.readable_paths) {
    if (shown.path != "/etc") host.paths.push_back(shown.path);  // of which most is not shown
  }
  const auto& paths = plan.readable_paths;
  host[HostTopic::packages] = shows(paths, "/var/lib/dpkg") || shows(paths, "/var/lib/rpm");
  host[HostTopic::logs] = shows(paths, "/var/log");
  host[HostTopic::services] = shows(paths, "/run/dbus/system_bus_socket");
  const auto& grants = plan.promise.grants;
  const auto has = [&grants](std::string_view grant) {
    return std::find(grants.begin(), grants.end(), grant) != grants.end();
  };
  host[HostTopic::sessions] = has("sessions");
  host[HostTopic::hardware] = has("system");
}

}  // namespace

HostInView host_in_view(const Plan& plan, const std::vector<std::string>& measured_grants) {
  HostInView host;
  host.has_own_files = plan.has_own_view;
  for (bool& shown : host.shown) shown = !plan.has_own_view;
  if (plan.has_own_view) {
    add_grants(plan, host);
    host[HostTopic::disks] = shows_disks(plan, measured_grants);
  }
  if (plan.engine == Engine::none) {
    // Without any sandbox a script may have every right of its user.
    host[HostTopic::echo] = !plan.promise.requested.enabled;
    return host;
  }
  const bool has_hosts_network = plan.egress == Egress::host;
  // Without root a script's user namespace knows nobody but its own user.
  host[HostTopic::processes] = plan.native && plan.native->shows_processes;
  host.tells_owners = plan.native && plan.native->root_owned;
  host[HostTopic::echo] = false;
  host[HostTopic::connections] = has_hosts_network;
  host[HostTopic::loopback] = has_hosts_network || !plan.loopback_ports.empty();
  return host;
}

}  // namespace satellite::sandbox
