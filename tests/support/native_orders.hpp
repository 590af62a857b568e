#pragma once

#include "sandbox/launcher/wire/launch_order.hpp"
#include "tests/support/script_bench.hpp"

#include <optional>
#include <string>

namespace satellite::tests {

/// Orders of the native engine, given to the launcher as they are; what the script says is seen.
struct NativeOrders : ScriptBench {
  struct End {
    sandbox::LauncherRecord record;
    std::string output;
    bool was_prepared = false;
  };

  explicit NativeOrders(Egress egress = Egress::untried,
                        const std::optional<sandbox::MacvlanSettings>& macvlan = std::nullopt);

  /// `echo ran` under this policy.
  sandbox::LaunchOrder order(
      const sandbox::Policy& policy = sandbox::shipped_default_policy()) const;
  End perform(const sandbox::LaunchOrder& what);
  /// The first order is prepared, and the second one begun once the first one stands. Without a
  /// second one, the first one's link is given up then.
  End perform_prepared(const sandbox::LaunchOrder& prepared,
                       const std::optional<sandbox::LaunchOrder>& begun);
};

int count_children(pid_t launcher);

/// Whether this build can make a step fail; a test that needs it returns if not.
bool faults_can_be_injected();

}  // namespace satellite::tests
