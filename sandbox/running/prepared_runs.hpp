#pragma once

#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/running/prepared_stock.hpp"

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace satellite::sandbox {

/// Runs that stand ready behind every layer before anybody asks for them, each used once.
///
/// Shape:  a prepared run lacks only its task: namespaces, mounts, network, limits, identity and
///         filters are made and measured. PreparedRunPolicy says how many there are and for how
///         long. Each is used only under the policy that it was made for.
class PreparedRuns {
 public:
  /// The order of a run under this policy, with any command: it is ignored. An error, or an order
  /// that cannot be prepared, means that runs of this policy are made when they are asked for.
  using MakeOrder = std::function<Result<LaunchOrder>(
      const ResolvedPolicy& policy, std::uint64_t number, const std::optional<OwnIdentity>& own)>;

  /// `memory` must outlive it.
  PreparedRuns(boost::asio::io_context& context, Launcher& launcher, std::size_t count_max,
               PreparedMemory& memory, MakeOrder make_order, PreparedStock::OwnIdsOf own_ids,
               PreparedStock::Dropped dropped);
  ~PreparedRuns();
  PreparedRuns(const PreparedRuns&) = delete;
  PreparedRuns& operator=(const PreparedRuns&) = delete;

  struct Ready {
    std::uint64_t number = 0;
    std::optional<OwnIdentity> own_identity;
    LaunchedRunLink link;
  };
  /// One that stands ready under this policy, if there is one; more are made in a moment.
  std::optional<Ready> take(const ResolvedPolicy& policy);
  std::size_t count_ready() const;
  /// As PreparedRunPolicy.
  void busy();
  void idle();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// How many runs like this one may stand ready beside those that run: where the kernel counts the
/// processes of all runs of a user together, prepared ones must leave most of the limit to those.
/// 0 = it cannot be prepared: only the native engine can, a macvlan address serves one run at a
/// time, and a run that others of its user can reach must not stand and wait. Pure.
std::size_t prepared_runs_max(const LaunchOrder& order);

}  // namespace satellite::sandbox
