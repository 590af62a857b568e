#pragma once

#include "sandbox/host_facts.hpp"
#include "sandbox/launcher/launcher_link.hpp"
#include "sandbox/plan.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// What every group of findings works with. Each group is one file beside this one; it tries its
/// primitive, sets the facts it stands for, and adds one finding per capability.
struct Probing {
  Launcher& launcher;
  std::optional<Identity> identity;  ///< whom a privileged launcher drops to
  HostFacts& facts;

  /// `remedy` is dropped when the capability is there.
  void add(std::string name, bool present, std::string detail, std::string_view remedy);
};

/// `name` on the satellite's PATH, absolute; empty when it is not there.
std::string find_program(std::string_view name);

/// The errno of a failed set-up; 0 = none.
int error_number_of(const std::optional<LauncherRecord>& end);

/// A run of `true` without a wrapper, with one limit, for the launcher to try.
LaunchOrder bare_trial(const Probing& probing);

// At every start: what plans depend on.
void probe_cgroup(Probing& probing);

// For `doctor` only: nothing that a start would wait for.
void probe_identity(Probing& probing);
void probe_seccomp(Probing& probing);
void probe_landlock(Probing& probing);
void probe_wrapper_programs(Probing& probing);
void probe_javascript_runtimes(Probing& probing);

}  // namespace satellite::sandbox
