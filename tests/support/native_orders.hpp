#pragma once

#include "sandbox/launcher/launch_order.hpp"
#include "sandbox/launcher/records.hpp"
#include "tests/support/script_bench.hpp"

#include <string>

namespace satellite::tests {

/// Orders of the native engine, given to the launcher as they are: for faults, and for orders that
/// no plan would make. The script says `ran`; what it says is seen.
class NativeOrders : public ScriptBench {
 public:
  struct End {
    sandbox::LauncherRecord record;
    std::string output;
  };

  explicit NativeOrders(Egress egress = Egress::untried,
                        const std::optional<sandbox::MacvlanSettings>& macvlan = std::nullopt);

  sandbox::LaunchOrder order(
      const sandbox::Policy& policy = sandbox::shipped_default_policy()) const;
  End perform(const sandbox::LaunchOrder& what);

 private:
  boost::asio::awaitable<void> wait_for_end(sandbox::LaunchedRunLink& link, End& end);
};

/// How many processes the launcher has left.
int children_of(pid_t launcher);

}  // namespace satellite::tests
