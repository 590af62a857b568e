#pragma once

#include "sandbox/launcher/wire/records.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

namespace satellite::sandbox {

/// The agent's end of one run in the launcher: what the launcher says about it, as it says it.
///
/// Shape:  RunPrepared, if that was asked for, RunStarted, if the script got that far, and then
///         exactly one of the other events; RunEnded with an unknown status also stands for a
///         launcher that is gone. arrived() waits until take() has something; it may be abandoned
///         at any time without losing an event.
class LaunchedRunLink {
 public:
  struct State;
  explicit LaunchedRunLink(std::shared_ptr<State> state);
  LaunchedRunLink(LaunchedRunLink&&) noexcept;
  ~LaunchedRunLink();

  boost::asio::awaitable<void> arrived() const;
  std::optional<LauncherRecord> take();
  /// Sets a callback for each later event, called on the loop. Pass nullptr to remove it;
  /// destroying the link removes it too.
  void notify(std::function<void()> listener);
  /// TERM to the script's process group, or KILL to the whole tree. Both idempotent.
  void terminate();
  void kill();
  /// Has a prepared module that waits for its task looked at; answered by RunCounted.
  void count();

 private:
  std::shared_ptr<State> state_;
};

/// Shared by the link of a run and the reader of the launcher's socket, whichever lives longer.
struct LaunchedRunLink::State {
  State(boost::asio::io_context& context, std::uint64_t run_number,
        std::weak_ptr<int> agent_socket);

  void push(LauncherRecord record);
  void ask(RequestKind kind) const;

  std::uint64_t number;
  std::weak_ptr<int> socket;  ///< expires with the launcher
  boost::asio::steady_timer arrived;
  std::deque<LauncherRecord> events;
  std::function<void()> listener;
  bool ended = false;
};

}  // namespace satellite::sandbox
