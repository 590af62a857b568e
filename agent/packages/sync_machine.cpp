#include "agent/packages/sync_machine.hpp"

#include "agent/packages/manifest/package_name.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

namespace satellite::agent {
namespace {

using namespace std::chrono_literals;
using protocol::PackageSyncStatus;

// What the existing satellite waits (core-contract 1.5).
constexpr std::chrono::seconds manifest_deadline = 30s;
constexpr std::chrono::seconds blob_deadline = 60s;
constexpr std::chrono::milliseconds retry_first = 5s;
constexpr std::chrono::milliseconds retry_max = 300s;
constexpr std::chrono::seconds syncing_said_every = 5s;
constexpr std::size_t error_text_max = 1'024;
constexpr std::size_t hopeless_max = 16;

void append(SyncActions& to, SyncActions more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

/// Doubles with each failure in a row, within a quarter of it by chance.
std::chrono::milliseconds retry_wait(int failures, double random) {
  constexpr int doublings_max = 6;
  const auto whole =
      std::min(retry_first * (1 << std::min(failures - 1, doublings_max)), retry_max);
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(whole.count()) * (0.75 + random / 2)));
}

}  // namespace

SyncActions SyncMachine::start() {
  state_ = SyncState::opening;
  return {OpenDirectory{}};
}

SyncActions SyncMachine::on(SyncEvent event, const Moment& moment) {
  moment_ = moment;
  return std::visit([this](auto&& one) { return take(std::forward<decltype(one)>(one)); },
                    std::move(event));
}

std::string SyncMachine::why_not_ready() const {
  std::string text = "expected " + (wanted_ ? short_hash(*wanted_) : "none") + ", present " +
                     (present_ ? short_hash(*present_) : "none");
  const bool is_fetching = state_ == SyncState::awaiting_blob || state_ == SyncState::taking_blob;
  if (is_fetching) {
    const std::size_t all = missing_.manifest.entries.size();
    const std::size_t left = missing_.entries.size() - fetched_;
    text += " (" + std::to_string(all - left) + " of " + std::to_string(all) + " packages fetched)";
  } else if (!connected_) {
    text += " (there is no connection to the core)";
  }
  if (!last_error_.empty()) text += "; last error: " + last_error_;
  return text;
}

Say SyncMachine::state_message(PackageSyncStatus status, std::string error) const {
  protocol::ScriptPackageSyncState message;
  message.lockfile_hash = wanted_;
  message.status = status;
  if (!error.empty()) message.error_message = std::move(error);
  return {message};
}

const protocol::ScriptPackage& SyncMachine::asked_package() const {
  return missing_.manifest.entries.at(missing_.entries.at(fetched_));
}

/// Begins the work for what is wanted now.
SyncActions SyncMachine::begin() {
  target_ = wanted_;
  missing_ = {};
  fetched_ = 0;
  said_syncing_.reset();
  if (!wanted_) return want_nothing();
  if (!is_sha256(*wanted_)) return fail_for_good("the lockfile hash of the core is none");
  state_ = SyncState::looking;
  return {LookForTree{*wanted_}};
}

SyncActions SyncMachine::want_nothing() {
  state_ = SyncState::idle;
  failures_ = 0;
  last_error_.clear();
  SyncActions actions;
  if (present_) actions.emplace_back(UseTree{});
  present_.reset();
  actions.emplace_back(state_message(PackageSyncStatus::ready));
  return actions;
}

SyncActions SyncMachine::use(const std::string& lockfile_hash) {
  state_ = SyncState::idle;
  failures_ = 0;
  last_error_.clear();
  missing_ = {};
  SyncActions actions;
  if (present_ != lockfile_hash) {
    actions.emplace_back(LogSync{LogLevel::info, "packages_ready",
                                 "script packages " + short_hash(lockfile_hash) + " are in use"});
  }
  present_ = lockfile_hash;
  actions.emplace_back(UseTree{lockfile_hash});
  actions.emplace_back(state_message(PackageSyncStatus::ready));
  return actions;
}

SyncActions SyncMachine::fail(std::string text) {
  if (is_outdated()) return begin();
  last_error_ = printable(text, error_text_max);
  state_ = SyncState::waiting;
  ++failures_;
  const auto wait = retry_wait(failures_, moment_.random);
  return {DisarmReply{},
          LogSync{LogLevel::warn, "packages_failed",
                  last_error_ + "; tried again in " + std::to_string(wait.count() / 1000) + " s"},
          state_message(PackageSyncStatus::error, last_error_), ArmRetry{wait}};
}

/// Until the core wants something else.
SyncActions SyncMachine::fail_for_good(std::string text) {
  last_error_ = printable(text, error_text_max);
  state_ = SyncState::waiting;
  if (hopeless_.size() >= hopeless_max) hopeless_.clear();
  SyncActions actions;
  if (hopeless_.emplace(*wanted_, last_error_).second) {
    actions.emplace_back(LogSync{LogLevel::error, "packages_failed",
                                 last_error_ + "; not tried again for these packages"});
  }
  actions.emplace_back(state_message(PackageSyncStatus::error, last_error_));
  return actions;
}

SyncActions SyncMachine::say_syncing() {
  if (said_syncing_ && moment_.now - *said_syncing_ < syncing_said_every) return {};
  said_syncing_ = moment_.now;
  SyncActions actions{state_message(PackageSyncStatus::syncing)};
  if (!missing_.entries.empty()) {
    actions.emplace_back(LogSync{LogLevel::info, "packages_syncing",
                                 std::to_string(fetched_) + " of " +
                                     std::to_string(missing_.entries.size()) +
                                     " missing script packages fetched"});
  }
  return actions;
}

SyncActions SyncMachine::take(DirectoryOpened event) {
  if (state_ != SyncState::opening) return {};
  if (!event.current) {
    state_ = SyncState::closed;
    last_error_ = printable(event.current.error().message, error_text_max);
    ++failures_;
    SyncActions actions;
    if (failures_ == 1) {
      actions.emplace_back(LogSync{LogLevel::error, "packages_closed", last_error_});
    }
    if (wanted_) actions.emplace_back(state_message(PackageSyncStatus::error, last_error_));
    actions.emplace_back(ArmRetry{retry_wait(failures_, moment_.random)});
    return actions;
  }
  failures_ = 0;
  last_error_.clear();
  state_ = SyncState::idle;
  present_ = *event.current;
  if (was_told_) return begin();
  // What was in use before a restart is wanted until the core says otherwise.
  wanted_ = present_;
  return {};
}

SyncActions SyncMachine::take(ConnectionUp event) {
  connected_ = true;
  const bool goes_on = state_ == SyncState::waiting && !event.says_what_it_wants;
  return goes_on ? begin() : SyncActions{};
}

SyncActions SyncMachine::take(ConnectionLost event) {
  connected_ = false;
  const bool had_asked =
      state_ == SyncState::awaiting_manifest || state_ == SyncState::awaiting_blob;
  if (!had_asked) return {};
  SyncActions actions{DisarmReply{}};
  if (event.by_large_frame && !is_outdated()) {
    const std::string what = state_ == SyncState::awaiting_blob
                                 ? "Script package " + label_of(asked_package())
                                 : "The list of script packages";
    append(actions, fail_for_good(what + ": larger than a frame can carry (12 MiB)"));
    return actions;
  }
  state_ = SyncState::waiting;
  actions.emplace_back(LogSync{LogLevel::info, "packages_wait",
                               "the connection was lost while script packages were fetched; "
                               "they are fetched on when the core is back"});
  return actions;
}

SyncActions SyncMachine::take(PackagesWanted event) {
  if (event.lockfile_hash != wanted_) {
    failures_ = 0;
    last_error_.clear();
  }
  wanted_ = std::move(event.lockfile_hash);
  was_told_ = true;
  switch (state_) {
    case SyncState::closed:
      if (!wanted_) return {state_message(PackageSyncStatus::ready)};
      state_ = SyncState::opening;
      return {OpenDirectory{}};
    case SyncState::opening:
      return {};
    case SyncState::idle:
    case SyncState::waiting:
      return begin();
    case SyncState::awaiting_manifest: {
      if (!is_outdated()) return {};
      SyncActions actions{DisarmReply{}};
      append(actions, begin());
      return actions;
    }
    default:
      return {};  // the step under way ends first
  }
}

SyncActions SyncMachine::take(RetryDue) {
  if (state_ == SyncState::closed) return start();
  // What cannot succeed waits for another wish.
  if (state_ != SyncState::waiting || is_hopeless()) return {};
  return begin();
}

SyncActions SyncMachine::take(TreeLookedFor event) {
  if (state_ != SyncState::looking) return {};
  if (is_outdated()) return begin();
  if (!event.is_there) return fail(event.is_there.error().message);
  if (*event.is_there) return use(*target_);
  if (present_ == target_) present_.reset();  // it was damaged, and is gone
  if (const auto found = hopeless_.find(*target_); found != hopeless_.end()) {
    return fail_for_good(found->second);
  }
  if (!connected_) {
    state_ = SyncState::waiting;
    return {};
  }
  state_ = SyncState::awaiting_manifest;
  SyncActions actions = say_syncing();
  actions.emplace_back(Say{protocol::RequestScriptPackageManifest{*target_}});
  actions.emplace_back(ArmReply{manifest_deadline});
  return actions;
}

SyncActions SyncMachine::take(ManifestCame event) {
  const bool is_asked =
      state_ == SyncState::awaiting_manifest && event.message.lockfile_hash == target_;
  if (!is_asked) return {};
  state_ = SyncState::comparing;
  SyncActions actions{DisarmReply{}};
  actions.emplace_back(CompareManifest{std::move(event.message)});
  return actions;
}

SyncActions SyncMachine::take(ManifestCompared event) {
  if (state_ != SyncState::comparing) return {};
  if (is_outdated()) return begin();
  if (!event.result) return fail(event.result.error().message);
  missing_ = *std::move(event.result);
  fetched_ = 0;
  return next_blob();
}

SyncActions SyncMachine::next_blob() {
  if (fetched_ == missing_.entries.size()) {
    state_ = SyncState::building;
    SyncActions actions;
    actions.emplace_back(BuildTree{missing_.manifest});
    return actions;
  }
  if (!connected_) {
    state_ = SyncState::waiting;
    return {};
  }
  state_ = SyncState::awaiting_blob;
  SyncActions actions = say_syncing();
  actions.emplace_back(Say{protocol::RequestScriptPackageBlob{asked_package().integrity}});
  actions.emplace_back(ArmReply{blob_deadline});
  return actions;
}

SyncActions SyncMachine::take(BlobCame event) {
  const bool is_asked =
      state_ == SyncState::awaiting_blob && event.message.integrity == asked_package().integrity;
  if (!is_asked) return {};
  SyncActions actions{DisarmReply{}};
  if (is_outdated()) {
    append(actions, begin());
  } else if (!event.message.data_base64) {
    append(actions, fail("The core has no blob of " + label_of(asked_package())));
  } else {
    state_ = SyncState::taking_blob;
    actions.emplace_back(TakeBlob{asked_package(), *std::move(event.message.data_base64)});
  }
  return actions;
}

SyncActions SyncMachine::take(BlobTaken event) {
  if (state_ != SyncState::taking_blob) return {};
  if (is_outdated()) return begin();
  if (!event.result) return fail(event.result.error().message);
  ++fetched_;
  return next_blob();
}

SyncActions SyncMachine::take(TreeBuilt event) {
  if (state_ != SyncState::building) return {};
  if (is_outdated()) return begin();
  if (!event.result) return fail(event.result.error().message);
  return use(*target_);
}

SyncActions SyncMachine::take(ReplyLate) {
  if (state_ == SyncState::awaiting_manifest) {
    return fail("Manifest request timed out for " + printable(*target_));
  }
  if (state_ == SyncState::awaiting_blob) {
    return fail("Blob request timed out for " + label_of(asked_package()));
  }
  return {};
}

}  // namespace satellite::agent
