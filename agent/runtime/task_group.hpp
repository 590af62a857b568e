#pragma once

#include "protocol/vocabulary/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

namespace satellite::agent {

/// The owner of tasks that outlive the function which started them: none is ever detached.
///
/// Shape:  start() until closed; drained() closes the group and returns when the last task ended.
///         The group must outlive its tasks: await drained() before it goes.
/// Errors: a task that throws is a broken invariant: `failed` is told, once per task, and the group
///         goes on. start() on a closed group is `cancelled` and the task never begins.
class TaskGroup {
 public:
  using Failed = std::function<void(std::exception_ptr)>;

  TaskGroup(boost::asio::io_context& context, Failed failed);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  Result<void> start(boost::asio::awaitable<void> task);

  /// Asks every running task to end early; does not wait.
  void cancel_all();
  /// Refuses new tasks from now on.
  void close();
  /// Closes, then waits for the last one. May be awaited more than once.
  boost::asio::awaitable<void> drained();

  /// Until one more task has ended and given its place back, or the wait is cancelled.
  boost::asio::awaitable<void> next_end();
  /// Returns when no task runs, or when the wait is cancelled; new ones may still begin.
  boost::asio::awaitable<void> idle();

  std::size_t size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::agent
