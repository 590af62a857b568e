#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/launcher/wire/records.hpp"
#include "sandbox/running/prepared_memory.hpp"
#include "sandbox/running/prepared_run_policy.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// What prepared runs and standing runtimes have in common: when one is made, and what of the host
/// it takes: a user id, processes and memory, none of them at the cost of runs with a task.
class PreparedStock {
 public:
  using Number = PreparedRunPolicy::Number;
  /// Which ids of their own runs of this policy get.
  using OwnIdsOf = std::function<OwnIds(const ResolvedPolicy& policy)>;
  /// Called with the reason whenever one is given up although it was still wanted.
  using Dropped = std::function<void(std::string_view why)>;
  using MakeOrder =
      std::function<Result<LaunchOrder>(Number, const std::optional<OwnIdentity>& own)>;

  PreparedStock(boost::asio::io_context& context, Launcher& launcher, std::size_t count_max,
                PreparedMemory& memory, OwnIdsOf own_ids);

  struct Made {
    Number number = 0;
    std::optional<OwnIdentity> own_identity;
    LaunchOrder order;
    LaunchedRunLink link;
    PreparedMemory::Share memory;
  };
  /// Makes one if one is wanted now; `count_max` is how many like its order may stand.
  std::optional<Made> make_one(const MakeOrder& make_order,
                               std::size_t (*count_max)(const LaunchOrder&));
  /// One stands and has this much memory of its own. False = there is no room for it: give it up.
  bool measured(Number number, PreparedMemory::Share& share, ByteCount own_memory);
  /// Others will be made from now on, of which nobody knows yet how large they are.
  void forget_size() { size_ = PreparedMemory::kernel_part; }
  /// A run that is asked for now must not wait for an id that one of them holds.
  bool holds_the_last_id() const;
  /// Calls `look` when the policy has to be asked again; a later call replaces the earlier one.
  void look_again_later(std::function<void()> look);
  void stop() { timer_.cancel(); }

  PreparedRunPolicy& policy() { return policy_; }
  const PreparedRunPolicy& policy() const { return policy_; }

  /// What is said of one that does not fit.
  static constexpr std::string_view no_room =
      "it takes more than what is left of sandbox.prepared_memory";

 private:
  using Clock = std::chrono::steady_clock;
  void fit() { policy_.room_for(memory_.room_for(size_)); }

  Launcher& launcher_;
  PreparedRunPolicy policy_;
  PreparedMemory& memory_;
  ByteCount size_ = PreparedMemory::kernel_part;  ///< of the next one, as far as that is known
  OwnIdsOf own_ids_;
  boost::asio::steady_timer timer_;
};

/// Why one ended that nobody had asked to end, as the launcher told. Pure.
std::string reason_of_end(const LauncherRecord& record);

}  // namespace satellite::sandbox
