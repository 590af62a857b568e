#pragma once

#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/planning/environment.hpp"
#include "sandbox/planning/host_paths.hpp"
#include "sandbox/planning/plan.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// What one run brings along, besides policy and host.
///
/// Shape:  everything optional is really absent in some runs: without a scratch directory the file
///         system cannot be confined, without the two files an allowlist cannot be enforced.
struct RunInputs {
  std::vector<std::string> command;                     ///< e.g. sh -c SCRIPT
  std::map<std::string, std::string> base_environment;  ///< safe_base of the agent's own
  NamedValues environment;  ///< the run's, secrets included; the guard applies to it
  NamedValues
      late_environment;  ///< of a module, set by its bootstrap; the guard applies to it, too
  std::optional<std::string> scratch_directory;
  std::optional<std::string> package_directory;
  std::optional<std::string> interpreter;
  std::optional<OwnFiles> own_files;
  std::optional<std::string> working_directory;  ///< relative = below the scratch directory
  /// Where the packet filter and the rootless egress set-up would be staged. Absent = not possible.
  std::optional<std::string> filter_file, egress_script;
  /// The launcher makes a filtered network by itself, before any wrapper starts: nothing to stage.
  /// It also gives a wrapper the files that are made for the run; without it the reference
  /// satellite's view is planned.
  bool launcher_makes_network = false;
  /// The interpreter keeps a heap limit given by NODE_OPTIONS; `sh` does not.
  bool keeps_heap_limit = false;
  /// The launcher is to look at how much memory the run takes, where nothing limits it.
  bool watches_memory = false;
  /// Sets HOME, USER, LOGNAME, SHELL and HOSTNAME for the script instead of keeping the agent's.
  bool sets_account_variables = true;
  std::optional<Identity>
      default_identity;  ///< fills a missing privilege.uid under a root launcher
  /// This run's own of the ids set aside for runs; used before default_identity.
  std::optional<OwnIdentity> own_identity;
  HostView host_view;               ///< what the operator grants to this run
  bool has_identity_range = false;  ///< such ids are set aside, whether this run got one or not
  /// Engines that may be used, whatever else this host has; the strongest that works is taken.
  std::vector<Engine> engines{Engine::native, Engine::bwrap, Engine::nsjail};
  std::optional<Identity> agent_identity;    ///< of a script that is not given another
  std::optional<std::uint64_t> cpu_percent;  ///< the operator's share of the processors for a run
};

/// Gives `inputs` the first ids of the range as its own: for questions about runs that are not
/// made.
void offer_from(const std::optional<IdentityRange>& range, RunInputs& inputs);

/// The whole decision for one run: which layer by which mechanism, and the report as promised; or a
/// refusal, when the policy says `fail` and something it asks for cannot be done here.
///
/// Shape:  pure; `host` answers its questions about paths.
/// Source: reference-satellite 5; sandbox/README.md "The way of a run".
Decision build_plan(const ResolvedPolicy& resolved, const HostFacts& facts, RunInputs inputs,
                    const HostPaths& host);

}  // namespace satellite::sandbox
