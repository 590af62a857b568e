#pragma once

#include "sandbox/probing/probe.hpp"

#include <sys/types.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

class Launcher;

/// Finds out, by doing it, which filtered ways out this host can give a run: a script under every
/// layer, behind a real ruleset, with a macvlan and with slirp4netns.
///
/// Shape:  sets net_egress_* and the findings `egress_macvlan`, `egress_slirp4netns`. An agent asks
///         when the first run needs to know: most policies never do.
boost::asio::awaitable<void> probe_egress(boost::asio::io_context& context, Launcher& launcher,
                                          ProbeSettings settings, HostFacts& facts);

/// The findings of a host on which nothing was tried yet.
void leave_egress_untried(HostFacts& facts);

/// The addresses of the `nameserver` lines. Pure.
std::vector<std::string> name_servers_of(std::string_view resolv_conf);

/// Whether one of these groups may send echo requests under such a setting (icmp(7)). Pure.
bool any_may_ping(const std::string& ping_group_range, const std::vector<gid_t>& groups);

}  // namespace satellite::sandbox
