#pragma once

#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/probing/trial.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// What every group of trials works with. Each group is one file beside this one: it tries its
/// primitive, sets its facts, and adds one finding per capability.
struct Probing {
  boost::asio::io_context& context;
  Launcher& launcher;
  std::optional<Identity> identity;  ///< whom a privileged launcher drops to
  HostFacts& facts;
  std::vector<Engine> engines{};  ///< see ProbeSettings
  bool tries_every_engine = false;
};

/// `remedy` is dropped when the capability is there; a finding of that name is replaced.
void set_finding(HostFacts& facts, std::string name, bool present, std::string detail,
                 std::string_view remedy);

/// As whom the trials run under a privileged launcher, nothing under another one.
std::optional<Identity> identity_of_trials(const Launcher& launcher, const ProbeSettings& settings);

/// `name` on the satellite's PATH, absolute; empty when it is not there.
std::string find_program(std::string_view name);

// At every start: what plans depend on, in this order.
boost::asio::awaitable<void> probe_launcher(Probing probing);
boost::asio::awaitable<void> probe_cgroup(Probing probing);
boost::asio::awaitable<void> probe_native(Probing probing);
boost::asio::awaitable<void> probe_wrapper(Probing probing);

// For `doctor` only: nothing that a start would wait for.
void probe_identity(HostFacts& facts);
void probe_seccomp(HostFacts& facts);
void probe_landlock(HostFacts& facts);
void probe_wrapper_programs(HostFacts& facts);
void probe_shell(HostFacts& facts);
void probe_javascript_runtimes(HostFacts& facts);

}  // namespace satellite::sandbox
