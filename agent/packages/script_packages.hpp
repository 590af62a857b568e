#pragma once

#include "agent/packages/package_disk.hpp"
#include "agent/packages/sync_machine.hpp"
#include "agent/runtime/log.hpp"
#include "agent/runtime/notification.hpp"
#include "protocol/agent_messages.hpp"
#include "protocol/core_messages.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>

namespace satellite::agent {

class ScriptPackages;

/// The packages of one run: the tree stays on disk for as long as this lives.
class PackageLease {
 public:
  PackageLease() = default;
  PackageLease(PackageLease&& other) noexcept;
  PackageLease& operator=(PackageLease&& other) noexcept;
  ~PackageLease();

  /// Where the tree's `node_modules` lies on this host; nothing = the run gets no packages.
  const std::optional<std::string>& directory() const { return directory_; }
  /// The tree's lockfile hash; empty without one.
  const std::string& lockfile_hash() const { return lockfile_hash_; }

 private:
  friend class ScriptPackages;
  PackageLease(ScriptPackages& packages, std::string lockfile_hash);
  void end();

  ScriptPackages* packages_ = nullptr;
  std::string lockfile_hash_;
  std::optional<std::string> directory_;
};

/// The script packages that the core wants, kept on this host, and handed to runs.
///
/// Shape:  decisions are sync_machine's; what waits for the disk runs on one thread, which knows
///         nothing else. Runs get the tree that the core wants now, or none, or wait, never an
///         older one without a word. Must outlive its leases.
/// Source: core-contract 5; agent/packages/README.md.
class ScriptPackages {
 public:
  using Speak = std::function<void(const protocol::AgentMessage&)>;
  ScriptPackages(boost::asio::io_context& context, Log& log, PackagesPlace place, Speak speak);
  ~ScriptPackages();
  ScriptPackages(const ScriptPackages&) = delete;
  ScriptPackages& operator=(const ScriptPackages&) = delete;

  /// Opens what is there, then collects what nobody uses any more, until stop().
  boost::asio::awaitable<void> run();
  void stop();
  /// Waits for the thread; nothing may be suspended in here any more, or ever resumed.
  void join();

  // What the core says.
  void connection_up(const protocol::ScriptPackagesStatement& statement);
  void connection_lost();
  /// A frame came that is larger than we read; the connection ends by it.
  void frame_too_large() { lost_by_large_frame_ = true; }
  void receive(const protocol::ScriptPackagesStatement& statement);
  void receive(protocol::ScriptPackageManifest message);
  void receive(protocol::ScriptPackageBlob message);

  /// What a run of this script gets. One that imports no package (imported_packages.hpp) never
  /// waits. `cancel` is what the caller awaits with, and owns.
  ///
  /// Errors: unavailable = `Script packages are not ready: …` after 30 s or at `until`, whatever
  ///         comes first; cancelled.
  boost::asio::awaitable<Result<PackageLease>> take(std::string_view script,
                                                    std::chrono::steady_clock::time_point until,
                                                    const sandbox::CancelSwitch& cancel);
  /// Woken whenever take() may have another answer.
  Notification& changed() { return changed_; }
  bool is_ready() const { return machine_.is_ready(); }
  SyncState state() const { return machine_.state(); }

 private:
  friend class PackageLease;
  using Work = std::function<std::optional<SyncEvent>(PackageDisk&)>;

  enum class Imports { no_package, packages };
  boost::asio::awaitable<Result<PackageLease>> wait_for_tree(
      Imports imports, std::chrono::steady_clock::time_point until,
      const sandbox::CancelSwitch& cancel);
  void step(SyncEvent event);
  void perform_all(SyncActions actions);
  void perform(const Say& action);
  void perform(const ArmReply& action);
  void perform(const DisarmReply&);
  void perform(const ArmRetry& action);
  void perform(const LogSync& action);
  void perform(const OpenDirectory&);
  void perform(const LookForTree& action);
  void perform(CompareManifest action);
  void perform(TakeBlob action);
  void perform(BuildTree action);
  void perform(const UseTree& action);
  /// Has the thread do it, and tells the machine what came of it.
  void start_work(Work work);
  void collect();
  void pin(const std::string& lockfile_hash) { ++pins_[lockfile_hash]; }
  void unpin(const std::string& lockfile_hash);

  boost::asio::io_context& context_;
  Log& log_;
  Speak speak_;
  std::stop_source stop_;
  std::unique_ptr<PackageDisk> disk_;  ///< of the thread, while there is one
  boost::asio::thread_pool thread_{1};
  SyncMachine machine_;
  boost::asio::steady_timer reply_timer_, retry_timer_, collect_timer_;
  std::mt19937_64 random_{std::random_device{}()};
  std::map<std::string, std::size_t> pins_;
  std::string directory_;  ///< where trees are, once the thread said so
  Notification changed_;
  bool lost_by_large_frame_ = false;
};

}  // namespace satellite::agent
