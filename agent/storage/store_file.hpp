#pragma once

#include "agent/storage/records.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace satellite::agent {

/// The one file that outlives the process: `outbox.db`, SQLite in WAL mode. The only user of
/// SQLite; every function blocks, so only the thread of the store calls it.
///
/// Shape:  apply() is one transaction, which survives the end of the process once it returned;
///         sync() makes all of them survive a power failure. Rows carry a hash of their frame: what
///         the disk changed is not sent.
/// Errors: limit_exceeded = the disk is full; not_permitted = it can only be read; io_failed;
///         unavailable = no memory; invalid_input = the file is damaged or no database;
///         unsupported = a later version of this program wrote it. After a failed apply() nothing
///         of it was done. After io_failed and invalid_input the owner closes the database.
/// Source: SQLite "Write-Ahead Logging", "PRAGMA synchronous"; fsync(2).
class StoreFile {
 public:
  struct Settings {
    std::string path;
    std::string vfs;  ///< empty = SQLite's own; tests put faults in between
  };
  /// Creates it with mode 0600 if it is not there; an older schema is brought up to this one.
  static Result<std::unique_ptr<StoreFile>> open(const Settings& settings);
  ~StoreFile();
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  Result<StoreSnapshot> load();
  Result<void> apply(std::span<const StoreChange> changes);
  Result<void> sync();
  /// Changes nothing, but has to be written: whether the disk takes anything.
  Result<void> try_writing();

  /// Frames of one lane from `first` on, at most `count_max` of them or one past `size_max` bytes.
  /// Those whose hash is wrong are left out.
  struct Page {
    Lane lane = Lane::results;
    std::uint64_t first = 0;
    std::size_t count_max = 0;
    std::size_t size_max = 0;
  };
  Result<std::vector<StoredFrame>> read(const Page& page);
  Result<StoredRunStream> read_run(const RunId& id);

  /// Gives space of removed rows back to the file system, a little at a time. True if there is
  /// more.
  Result<bool> give_back_space();

 private:
  struct Connection;
  explicit StoreFile(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

}  // namespace satellite::agent
