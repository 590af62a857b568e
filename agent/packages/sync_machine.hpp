#pragma once

#include "agent/packages/manifest/manifest.hpp"
#include "agent/runtime/log_level.hpp"
#include "protocol/agent_messages.hpp"
#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satellite::agent {

// What the synchronisation of script packages learns, one thing at a time.

/// The directory was opened, or why not; with the hash of the tree in use, if one was whole.
struct DirectoryOpened {
  Result<std::optional<std::string>> current;
};
struct ConnectionUp {
  bool says_what_it_wants = false;  ///< PackagesWanted follows
};
struct ConnectionLost {
  bool by_large_frame = false;  ///< the core sent a frame above our bound
};
/// The core says which packages it wants; nothing = none.
struct PackagesWanted {
  std::optional<std::string> lockfile_hash;
};
struct ManifestCame {
  protocol::ScriptPackageManifest message;
};
struct BlobCame {
  protocol::ScriptPackageBlob message;
};
struct ReplyLate {};  ///< the deadline of the request under way passed
struct RetryDue {};
// Ends of what was done on disk.
struct TreeLookedFor {
  Result<bool> is_there;
};
struct ManifestCompared {
  struct Missing {
    PackageManifest manifest;
    std::vector<std::size_t> entries;  ///< that have to be fetched
  };
  Result<Missing> result;
};
struct BlobTaken {
  Result<void> result;
};
struct TreeBuilt {
  Result<void> result;
};
using SyncEvent = std::variant<DirectoryOpened, ConnectionUp, ConnectionLost, PackagesWanted,
                               ManifestCame, BlobCame, ReplyLate, RetryDue, TreeLookedFor,
                               ManifestCompared, BlobTaken, TreeBuilt>;

// What has to be done, in the order of the list.

struct Say {
  std::variant<protocol::ScriptPackageSyncState, protocol::RequestScriptPackageManifest,
               protocol::RequestScriptPackageBlob>
      message;
};
struct ArmReply {
  std::chrono::seconds in;
};
struct DisarmReply {};
struct ArmRetry {
  std::chrono::milliseconds in;
};
struct LogSync {
  LogLevel level;
  std::string_view event;
  std::string text;
};
// One of these at a time; each is answered by the event above.
struct OpenDirectory {};
struct LookForTree {
  std::string lockfile_hash;
};
struct CompareManifest {
  protocol::ScriptPackageManifest message;
};
struct TakeBlob {
  protocol::ScriptPackage package;
  std::string base64;
};
struct BuildTree {
  PackageManifest manifest;
};
/// The tree in use is another one from now on, or none.
struct UseTree {
  std::optional<std::string> lockfile_hash;
};
using SyncAction = std::variant<Say, ArmReply, DisarmReply, ArmRetry, LogSync, OpenDirectory,
                                LookForTree, CompareManifest, TakeBlob, BuildTree, UseTree>;
using SyncActions = std::vector<SyncAction>;

/// Where the synchronisation stands.
enum class SyncState {
  closed,             ///< the directory is not open
  opening,            ///< it is being opened
  idle,               ///< nothing to do: what is wanted is there
  waiting,            ///< for a connection, for the next attempt, or for another wish
  looking,            ///< whether the tree is there already
  awaiting_manifest,  ///< of the core
  comparing,          ///< which packages are missing
  awaiting_blob,      ///< of the core
  taking_blob,        ///< checked and unpacked
  building,           ///< the tree
};
constexpr std::size_t sync_state_count = static_cast<std::size_t>(SyncState::building) + 1;

/// The decisions about script packages: what is wanted, what is there, what comes next. Pure: time
/// and chance are arguments.
///
/// Shape:  on() for each event, in the order in which they happen; one that means nothing in a
///         state does nothing there. One thing is done at a time, and the latest wish wins: work
///         for an older one ends with the step that is under way. After a failure the packages that
///         were there stay, and it is tried again after 5 s, 10 s ... up to 5 minutes, at once when
///         the core says what it wants or connects.
/// Source: core-contract 5.1, 5.4.
class SyncMachine {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Moment {
    Time now;
    double random = 0.5;  ///< 0 to 1
  };

  SyncActions start();
  SyncActions on(SyncEvent event, const Moment& moment);

  SyncState state() const { return state_; }
  /// What runs get: whether anything is wanted, and the tree that is there.
  bool wants_tree() const { return wanted_.has_value(); }
  const std::optional<std::string>& wanted() const { return wanted_; }
  const std::optional<std::string>& present() const { return present_; }
  bool is_ready() const { return wanted_ == present_; }
  /// What is wanted cannot be had, whatever is waited for.
  bool is_hopeless() const { return wanted_ && hopeless_.contains(*wanted_); }
  /// `expected …, present … (12 of 40 packages fetched); last error: …`, for whom it concerns.
  std::string why_not_ready() const;
  const std::string& last_error() const { return last_error_; }

 private:
  SyncActions take(DirectoryOpened event);
  SyncActions take(ConnectionUp event);
  SyncActions take(ConnectionLost event);
  SyncActions take(PackagesWanted event);
  SyncActions take(ManifestCame event);
  SyncActions take(BlobCame event);
  SyncActions take(ReplyLate event);
  SyncActions take(RetryDue event);
  SyncActions take(TreeLookedFor event);
  SyncActions take(ManifestCompared event);
  SyncActions take(BlobTaken event);
  SyncActions take(TreeBuilt event);

  SyncActions begin();
  SyncActions use(const std::string& lockfile_hash);
  SyncActions want_nothing();
  SyncActions next_blob();
  SyncActions fail(std::string text);
  SyncActions fail_for_good(std::string text);
  SyncActions say_syncing();
  Say state_message(protocol::PackageSyncStatus status, std::string error = {}) const;
  bool is_outdated() const { return target_ != wanted_; }
  const protocol::ScriptPackage& asked_package() const;

  SyncState state_ = SyncState::closed;
  bool connected_ = false;
  bool was_told_ = false;               ///< by the core what it wants
  std::optional<std::string> wanted_;   ///< nothing = none
  std::optional<std::string> present_;  ///< the tree in use
  std::optional<std::string> target_;   ///< of the work under way
  ManifestCompared::Missing missing_;
  std::size_t fetched_ = 0;  ///< of the missing packages
  std::string last_error_;
  int failures_ = 0;                             ///< in a row
  std::map<std::string, std::string> hopeless_;  ///< hash -> why it is not tried again
  std::optional<Time> said_syncing_;
  Moment moment_;
};

}  // namespace satellite::agent
