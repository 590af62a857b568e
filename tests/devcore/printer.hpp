#pragma once

#include "protocol/agent_messages.hpp"

#include <atomic>
#include <string>

namespace satellite::devcore {

/// Shows on standard output what satellites say: their scripts' output as it is, one line for all
/// else. Lines about runs begin with the run id.
class Printer {
 public:
  void show(const std::string& client_id, const protocol::AgentMessage& message);
  void show_event(const std::string& what);

  std::uint64_t finished_runs() const { return finished_runs_; }
  /// Did every run that ended exit with 0?
  bool all_succeeded() const { return all_succeeded_; }

 private:
  void show_one(const protocol::ScriptAccepted& message);
  void show_one(const protocol::ScriptRejected& message);
  void show_one(const protocol::ScriptStarted& message);
  void show_one(const protocol::ScriptOutput& message);
  void show_one(const protocol::ScriptFinished& message);
  void show_one(const protocol::ScriptStatus& message);
  void show_one(const protocol::CheckResult& message);
  template <typename Other>
  void show_one(const Other&) {}

  std::atomic<std::uint64_t> finished_runs_{0};
  std::atomic<bool> all_succeeded_{true};
};

}  // namespace satellite::devcore
