#pragma once

#include "protocol/vocabulary/unique_fd.hpp"

#include <poll.h>
#include <sys/types.h>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace satellite::sandbox {

/// A child of the launcher that makes namespaces and sends them, in which they outlive it.
///
/// Shape:  one at a time. Nothing here waits: the loop watches and calls. Its process is told apart
///         from others' by on_exit(), also after give_up().
class NamespaceBuilder {
 public:
  using Clock = std::chrono::steady_clock;

  ~NamespaceBuilder() { give_up(); }
  NamespaceBuilder() = default;
  NamespaceBuilder(const NamespaceBuilder&) = delete;
  NamespaceBuilder& operator=(const NamespaceBuilder&) = delete;

  /// Forks a child for which `live`, given its socket, never returns. Does
  /// nothing shortly after a failure, which would only repeat itself.
  bool start(const std::function<void(int socket)>& live);
  bool is_busy() const { return pid_ >= 0; }
  pid_t pid() const { return pid_; }

  enum class Answer { none, ready, failed };
  /// What the child says now; after `ready` come take_descriptors() and finish().
  Answer take_answer();
  /// What it said that it is ready with, in its order.
  std::vector<UniqueFd> take_descriptors() { return std::move(descriptors_); }
  /// Lets the child go.
  void finish();
  void give_up();

  void watch(std::vector<pollfd>& watched) const;
  bool is(int fd) const { return is_busy() && fd == answer_.get(); }
  /// Whether the process belonged here.
  bool on_exit(pid_t pid);
  /// Whether it gave up.
  bool fail_overdue(Clock::time_point now);
  /// Whether its child takes longer than all but one that waits for something of the host.
  bool is_slow(Clock::time_point now) const;
  std::optional<Clock::time_point> deadline() const;
  std::vector<pid_t> processes() const;

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_, answer_;
  std::vector<UniqueFd> descriptors_;
  Clock::time_point deadline_{}, not_before_{};
  std::vector<pid_t> ending_;  ///< those that have nothing more to do
};

// --- In the child ---

inline constexpr int builder_answer_fd = 3;

/// Dies with the launcher, holds nothing but its socket as builder_answer_fd, and makes files with
/// the modes that it asks for.
void become_builder(int socket);
/// Sends what was made, and waits until the launcher has looked. A copy of the launcher, whose
/// memory holds orders, it never becomes dumpable for that: another process of its user could read
/// them.
[[noreturn]] void say_ready_and_wait(std::span<const int> descriptors);

}  // namespace satellite::sandbox
