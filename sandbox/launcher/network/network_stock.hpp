#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/stocked_networks.hpp"

#include <poll.h>
#include <sys/types.h>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// Network namespaces with nothing but a loopback interface that is up, made before a run needs
/// one.
///
/// Shape:  a few, each for one run. The kernel takes longer to make one than for everything else
///         that a run is started in. They are made by a child process when nobody waits for a run,
///         from the first run on that wanted one, and given up when none was wanted for long.
///         Nothing here waits: the loop calls work_off() and on_exit().
class NetworkStock {
 public:
  using Clock = std::chrono::steady_clock;

  NetworkStock();
  ~NetworkStock();
  NetworkStock(const NetworkStock&) = delete;
  NetworkStock& operator=(const NetworkStock&) = delete;

  /// One that nobody was in, or none.
  UniqueFd take(Clock::time_point now);
  /// Makes what is missing, if somebody took one before; called when no run is being set up. They
  /// are made in that user namespace, or, if it is -1, in our own.
  void refill(Clock::time_point now, int user_namespace);
  std::size_t count() const { return ready_.size(); }
  /// One that nobody is in any more, and nobody will be. The kernel takes several down together in
  /// hardly more time than one, and longer for one than most runs take: they go when there are many
  /// or nothing else happens.
  void take_down_later(UniqueFd network, Clock::time_point now);

  void watch(std::vector<pollfd>& watched) const;
  void work_off(std::span<const pollfd> watched);
  /// Whether the process belonged here.
  bool on_exit(pid_t pid);
  /// Gives up what nobody wants and a builder that takes too long.
  void look(Clock::time_point now);
  std::optional<Clock::time_point> deadline() const;
  std::vector<pid_t> processes() const;
  void end();

 private:
  void begin(std::size_t count, Clock::time_point now, int user_namespace);
  void take_answers();
  void give_up_builder(Clock::time_point now);

  /// The process that makes them, and what it borrows of our memory for as long as it lives.
  struct Builder {
    pid_t pid = -1;
    UniqueFd pidfd;
    std::unique_ptr<std::byte[]> stack;
    std::unique_ptr<bare::NetworksWanted> wanted;
  };

  std::vector<UniqueFd> ready_, used_;
  std::optional<Clock::time_point> last_taken_;
  Clock::time_point builder_deadline_{}, not_before_{}, take_down_at_{};
  std::optional<Builder> builder_;
  bool builder_made_any_ = false;
  UniqueFd answer_;
  std::vector<Builder> ending_;
  std::string ping_group_range_;
};

}  // namespace satellite::sandbox
