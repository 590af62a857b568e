#pragma once

#include "agent/config/config.hpp"
#include "agent/config/token_watch.hpp"
#include "agent/runtime/degraded_states.hpp"
#include "agent/runtime/log.hpp"
#include "agent/storage/offline_record.hpp"
#include "agent/storage/store.hpp"
#include "protocol/core_messages.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// Policy and checks on disk, for a restart without a core; only where `offline.cache` is set.
///
/// Shape:  what the core says is written a moment later; that it still is the core's word every ten
///         minutes and when the connection ends. A core
///         that refuses this satellite, or tells it to stop, takes the file away. Where the setting
///         is off, a file of earlier times is removed. The thread of the disk does all of it.
/// Errors: a file that cannot be used is told and left alone, until the next one replaces it.
/// Source: agent/README.md "Offline".
class OfflineCache {
 public:
  struct Place {
    std::string file;                    ///< empty = there is no state directory
    std::vector<std::string> core_urls;  ///< a record of any of these is taken
  };
  /// What an earlier process kept.
  struct Restored {
    std::string policy_json;
    protocol::ConfigUpdated set;
    std::chrono::seconds age{0};
  };

  OfflineCache(boost::asio::io_context& context, Log& log, const Config& config, Store& store,
               const TokenWatch& token, DegradedStates& degraded, Place place);

  /// Reads the file; at most one call of `restored`, on the event loop.
  void open(std::function<void(Restored)> restored);

  bool is_on() const { return is_on_; }
  void note_policy(const std::string& policy_json);
  /// `set_json`: the array of a frame that was taken.
  void note_set(std::string set_json, const protocol::ScriptPackagesStatement& packages);
  /// What was noted is what this core says; the token in use is the one it accepted.
  void connection_up(const std::string& core_url);
  void connection_lost();
  /// The core does not want this satellite.
  void forget();

 private:
  struct Write;
  void arm(std::chrono::milliseconds wait);
  void write();
  void confirm();
  void start(std::shared_ptr<Write> write);
  void written(Write& write);
  void remove();

  Log& log_;
  const Config& config_;
  Store& store_;
  const TokenWatch& token_;
  DegradedStates& degraded_;
  const Place place_;
  const bool is_on_;
  boost::asio::steady_timer timer_;
  OfflineRecord record_;                ///< what the core said last
  std::optional<SealedRecord> sealed_;  ///< what is on disk, without its texts
  bool is_current_ = false;             ///< the core's word on this connection
  bool is_changed_ = false, is_writing_ = false;
  bool owes_write_ = false;  ///< the connection ended before its last word could be written
};

}  // namespace satellite::agent
