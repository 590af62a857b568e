#pragma once

#include "agent/storage/store.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>
#include <variant>

namespace satellite::agent {

/// A change that takes something away: nothing is lost by it, and all may come back without it.
bool is_removal(const StoreChange& change);

/// The thread of a Store, and what it and the event loop share: a queue behind a mutex. All else
/// belongs to the thread.
class Store::Worker {
 public:
  struct Told {  // on the event loop
    std::function<void(const StoreSnapshot&)> opened;
    std::function<void(StoreFault, const std::string&)> changed;
  };
  struct Change {
    StoreChange change;
    Done done;
    Durability durability = Durability::written;
  };
  struct ReadPage {
    StoreFile::Page page;
    std::function<void(std::vector<StoredFrame>)> done;
  };
  struct ReadRun {
    RunId id;
    std::function<void(StoredRunStream)> done;
  };
  struct Flush {
    std::function<void()> done;
  };
  struct Deed {
    std::function<void()> deed, done;
  };
  using Request = std::variant<Change, ReadPage, ReadRun, Deed, Flush>;

  Worker(boost::asio::io_context& context, Settings settings, Told told)
      : context_(&context), settings_(std::move(settings)), told_(std::move(told)) {}

  static void start(const std::shared_ptr<Worker>& worker);
  /// Lets it write what waits; a thread that a hung disk keeps is left behind.
  static void end(const std::shared_ptr<Worker>& worker);
  void ask(Request request);

 private:
  using Time = std::chrono::steady_clock::time_point;

  void run();
  /// What waits, or nothing if it is time for something else; false at the end.
  bool take(std::deque<Request>& requests);
  Time wakes_at() const;
  void serve(std::deque<Request> requests);
  void apply(std::vector<Change> changes);
  void note_written(const std::vector<StoreChange>& changes);
  /// Not written: who waits is told, what is to be removed is remembered.
  void refuse(std::vector<Change> changes, std::vector<StoreChange> values);
  void serve_read(ReadPage request);
  void serve_read(ReadRun request);
  void sync();
  void open();
  void recover();
  void fail(const Error& error);
  bool has_free_space();
  void tell(StoreFault fault, const std::string& why);
  /// On the event loop, unless that is gone.
  void post(std::function<void()> deed);

  std::mutex mutex_;  ///< over the next six
  std::condition_variable news_;
  std::deque<Request> requests_;
  boost::asio::io_context* context_;  ///< null once the event loop is gone
  std::optional<Time> lazy_until_;    ///< when what nobody waits for is written at the latest
  bool ending_ = false;
  bool ended_ = false;
  std::thread thread_;

  // Of the thread alone.
  const Settings settings_;
  const Told told_;
  std::unique_ptr<StoreFile> database_;
  StoreFault fault_ = StoreFault::opening;
  Time retry_at_{};
  std::chrono::milliseconds retry_wait_{0};
  std::vector<StoreChange> remembered_;  ///< removals that could not be written
  std::unordered_set<std::uint64_t> unsynced_;
  bool others_unsynced_ = false;
  std::optional<Time> sync_at_;
  std::vector<Done> await_sync_;
  bool may_vacuum_ = false;
};

}  // namespace satellite::agent
