#pragma once

#include "agent/storage/store_file.hpp"
#include "protocol/vocabulary/byte_count.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace satellite::agent {

/// How sure a change is when its caller is told.
enum class Durability {
  written,  ///< survives the end of this process
  synced,   ///< survives a power failure, too
};

/// The database behind a thread of its own: whoever writes never waits for a disk.
///
/// Shape:  changes are applied in order, all that wait in one transaction; the file is synced when
///         somebody asks for it, and 100 ms after a change that nobody asked for, unless the
///         message was removed by then. Every call returns at once; answers come on the event
///         loop. A disk that fails is a state with a name, tried again after 1 s to 30 s: until
///         then what is put is answered with false, what is removed is remembered. A damaged file
///         or one of a later version is put aside and a fresh one begun.
/// Errors: none thrown; a database that was opened anew tells all that is in it, and callers
///         compare.
/// Source: agent/README.md "Nothing lost".
class Store {
 public:
  struct Settings {
    std::string file;  ///< empty = none, for the reason in `fault`
    StoreFault fault = StoreFault::none;
    std::string why;
    ByteCount free_space_min;  ///< on its file system, or it counts as full
    std::string vfs;           ///< of SQLite; tests put faults in between
    std::chrono::milliseconds retry_first{1'000}, retry_max{30'000};
    /// As long as a result may be in no other place than in the page cache of this host.
    std::chrono::milliseconds sync_after{100};
    /// A disk that takes longer counts as hanging until it answers.
    std::chrono::milliseconds answer_within{10'000};
  };
  struct Listener {
    /// A database was opened, for the first time or again, with this in it.
    std::function<void(const StoreSnapshot&)> opened;
    /// It began to fail, fails for another reason, or works again.
    std::function<void(StoreFault, const std::string& why)> changed;
  };
  using Done = std::function<void(bool)>;

  Store(boost::asio::io_context& context, Settings settings);
  /// Writes what waits, for at most two seconds.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Before open(); in the order of the calls.
  void listen(Listener listener);
  void open();

  void write(StoreChange change, Done done = {}, Durability durability = Durability::written);
  /// An empty answer if it cannot be read.
  void read(StoreFile::Page page, std::function<void(std::vector<StoredFrame>)> done);
  void read_run(RunId id, std::function<void(StoredRunStream)> done);
  /// Something else that has to wait for the disk: `deed` on the thread of the disk, which must own
  /// what it touches, then `done` on the event loop. Nothing of it where there is no file.
  void perform(std::function<void()> deed, std::function<void()> done);
  /// Called when all that was asked for before is synced, or cannot be.
  void flush(std::function<void()> done);

  /// What stands in the way, as told last; `opening` at first.
  StoreFault fault() const { return fault_; }
  const std::string& why() const { return why_; }
  /// Opened for the first time, or known to be out of reach for now.
  bool settled() const { return fault_ != StoreFault::opening; }

 private:
  class Worker;
  void tell(StoreFault fault, const std::string& why);
  void watch();
  void note_answer();

  boost::asio::io_context& context_;
  std::vector<Listener> listeners_;
  boost::asio::steady_timer patience_;
  const std::chrono::milliseconds answer_within_;
  std::uint64_t asked_ = 0, answered_ = 0;  ///< of changes that want an answer
  bool watches_ = false;
  StoreFault worker_fault_ = StoreFault::opening;
  std::string worker_why_;
  StoreFault fault_ = StoreFault::opening;
  std::string why_;
  std::shared_ptr<Worker> worker_;  ///< shared with its thread, which a hung disk may keep
};

}  // namespace satellite::agent
