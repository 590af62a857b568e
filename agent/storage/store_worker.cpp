#include "agent/storage/store_worker.hpp"

#include "agent/storage/state_directory.hpp"

#include <signal.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <ctime>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

// Of one transaction: the log grows by as much, and nobody hears of it before it ends.
constexpr std::size_t batch_max = 1'024;
constexpr auto end_patience = 2s;
// What only tidies up goes with the next transaction, if there is one soon.
constexpr auto lazy_for = 20ms;
constexpr std::size_t lazy_max = 256;

StoreFault fault_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::limit_exceeded:
      return StoreFault::full;
    case ErrorCode::not_permitted:
      return StoreFault::read_only;
    case ErrorCode::unavailable:
      return StoreFault::no_resources;
    default:
      return StoreFault::io_failed;
  }
}

/// Nobody waits for it, and to do it twice after a crash does no harm.
bool may_wait(const StoreChange& change) {
  return std::holds_alternative<DeliverRun>(change) ||
         std::holds_alternative<RemoveRunMessages>(change) ||
         std::holds_alternative<ForgetRuns>(change);
}

}  // namespace

bool is_removal(const StoreChange& change) {
  return std::holds_alternative<RemoveMessages>(change) || std::holds_alternative<SetGap>(change) ||
         std::holds_alternative<DeliverRun>(change) || std::holds_alternative<ForgetRuns>(change);
}

void Store::Worker::start(const std::shared_ptr<Worker>& worker) {
  // Signals are the event loop's: none may be delivered here.
  sigset_t all{}, before{};
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  worker->thread_ = std::thread([worker] { worker->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Store::Worker::end(const std::shared_ptr<Worker>& worker) {
  std::unique_lock lock(worker->mutex_);
  worker->ending_ = true;
  worker->context_ = nullptr;
  worker->news_.notify_all();
  if (!worker->thread_.joinable()) return;
  const bool ended =
      worker->news_.wait_for(lock, end_patience, [&worker] { return worker->ended_; });
  lock.unlock();
  // The thread owns all it touches, so it may be left to its disk.
  ended ? worker->thread_.join() : worker->thread_.detach();
}

void Store::Worker::ask(Request request) {
  const auto* const change = std::get_if<Change>(&request);
  const bool is_lazy = change != nullptr && !change->done && may_wait(change->change);
  const std::lock_guard lock(mutex_);
  const bool was_awake = !requests_.empty() && !lazy_until_;
  requests_.push_back(std::move(request));
  if (was_awake) return;
  if (is_lazy && lazy_until_) return;
  if (is_lazy) {
    lazy_until_ = Clock::now() + lazy_for;
  } else {
    lazy_until_.reset();
  }
  news_.notify_all();
}

void Store::Worker::post(std::function<void()> deed) {
  const std::lock_guard lock(mutex_);
  if (context_ != nullptr) asio::post(*context_, std::move(deed));
}

void Store::Worker::tell(StoreFault fault, const std::string& why) {
  if (fault == fault_) return;
  fault_ = fault;
  post([this, fault, why] { told_.changed(fault, why); });
}

void Store::Worker::run() {
  open();
  std::deque<Request> requests;
  while (take(requests)) {
    serve(std::exchange(requests, {}));
    const auto now = Clock::now();
    if (!await_sync_.empty() || (sync_at_ && now >= *sync_at_)) sync();
    if (fault_ != StoreFault::none && now >= retry_at_) recover();
  }
  if (database_) sync();
  database_.reset();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  news_.notify_all();
}

Store::Worker::Time Store::Worker::wakes_at() const {
  Time at = Time::max();
  if (sync_at_) at = std::min(at, *sync_at_);
  if (fault_ != StoreFault::none) at = std::min(at, retry_at_);
  return at;
}

bool Store::Worker::take(std::deque<Request>& requests) {
  std::unique_lock lock(mutex_);
  const auto has_news = [this] {
    if (ending_ || requests_.size() >= lazy_max) return true;
    return !requests_.empty() && (!lazy_until_ || Clock::now() >= *lazy_until_);
  };
  if (!has_news() && may_vacuum_ && database_ && fault_ == StoreFault::none) {
    lock.unlock();
    const auto more = database_->give_back_space();
    may_vacuum_ = more && *more;
    return true;
  }
  while (!has_news()) {
    const Time due = wakes_at();
    const Time until = lazy_until_ ? std::min(due, *lazy_until_) : due;
    // wait_until(max) overflows inside libstdc++.
    if (until == Time::max()) {
      news_.wait(lock);
    } else if (news_.wait_until(lock, until) == std::cv_status::timeout && until == due) {
      break;
    }
  }
  lazy_until_.reset();
  const std::size_t count = std::min(batch_max, requests_.size());
  const auto end = requests_.begin() + static_cast<std::ptrdiff_t>(count);
  requests.insert(requests.end(), std::make_move_iterator(requests_.begin()),
                  std::make_move_iterator(end));
  requests_.erase(requests_.begin(), end);
  return !ending_ || !requests.empty();
}

void Store::Worker::serve(std::deque<Request> requests) {
  std::vector<Change> changes;
  std::vector<Flush> flushes;
  for (Request& request : requests) {
    if (auto* change = std::get_if<Change>(&request)) changes.push_back(std::move(*change));
    if (auto* flush = std::get_if<Flush>(&request)) flushes.push_back(std::move(*flush));
  }
  if (!changes.empty()) apply(std::move(changes));
  for (Request& request : requests) {
    if (auto* page = std::get_if<ReadPage>(&request)) serve_read(std::move(*page));
    if (auto* run = std::get_if<ReadRun>(&request)) serve_read(std::move(*run));
    if (auto* other = std::get_if<Deed>(&request)) {
      other->deed();
      post(std::move(other->done));
    }
  }
  for (Flush& flush : flushes) {
    await_sync_.push_back([done = std::move(flush.done)](bool) { done(); });
  }
}

void Store::Worker::apply(std::vector<Change> changes) {
  std::vector<StoreChange> values;
  values.reserve(changes.size());
  bool puts = false;
  for (Change& change : changes) {
    puts = puts || !is_removal(change.change);
    values.push_back(std::move(change.change));
  }
  const bool may_write = database_ && fault_ == StoreFault::none && (!puts || has_free_space());
  if (!may_write) return refuse(std::move(changes), std::move(values));
  const auto applied = database_->apply(values);
  if (!applied) {
    fail(applied.error());
    return refuse(std::move(changes), std::move(values));
  }
  // One page more or less may still fit: a disk is well again when messages do.
  if (puts) retry_wait_ = 0ms;
  note_written(values);
  std::vector<Done> written;
  for (Change& change : changes) {
    if (!change.done) continue;
    auto& list = change.durability == Durability::synced ? await_sync_ : written;
    list.push_back(std::move(change.done));
  }
  if (written.empty()) return;
  post([written = std::move(written)] {
    for (const Done& done : written) done(true);
  });
}

void Store::Worker::note_written(const std::vector<StoreChange>& changes) {
  for (const StoreChange& change : changes) {
    if (const auto* put = std::get_if<PutMessage>(&change)) {
      unsynced_.insert(put->facts.seq);
    } else if (const auto* removed = std::get_if<RemoveMessages>(&change)) {
      for (const std::uint64_t seq : removed->seqs) unsynced_.erase(seq);
      may_vacuum_ = true;
    } else {
      others_unsynced_ = true;
    }
  }
  const bool is_needed = others_unsynced_ || !unsynced_.empty();
  if (!is_needed) sync_at_.reset();
  if (is_needed && !sync_at_) sync_at_ = Clock::now() + settings_.sync_after;
}

void Store::Worker::refuse(std::vector<Change> changes, std::vector<StoreChange> values) {
  // A database that is not open is compared with what its users know when it is.
  for (StoreChange& value : values) {
    if (!database_ || !is_removal(value)) continue;
    // Of these only the last one counts, and a disk may fail for days.
    if (std::holds_alternative<SetGap>(value) || std::holds_alternative<ForgetRuns>(value)) {
      std::erase_if(remembered_, [&value](const StoreChange& before) {
        return before.index() == value.index();
      });
    }
    remembered_.push_back(std::move(value));
  }
  std::vector<Done> refused;
  for (Change& change : changes) {
    if (change.done) refused.push_back(std::move(change.done));
  }
  post([refused = std::move(refused)] {
    for (const Done& done : refused) done(false);
  });
}

void Store::Worker::serve_read(ReadPage request) {
  std::vector<StoredFrame> frames;
  if (database_) {
    auto read = database_->read(request.page);
    if (read) {
      frames = *std::move(read);
    } else {
      fail(read.error());
    }
  }
  post([done = std::move(request.done), frames = std::move(frames)]() mutable {
    done(std::move(frames));
  });
}

void Store::Worker::serve_read(ReadRun request) {
  StoredRunStream stream;
  if (database_) {
    auto read = database_->read_run(request.id);
    if (read) {
      stream = *std::move(read);
    } else {
      fail(read.error());
    }
  }
  post([done = std::move(request.done), stream = std::move(stream)]() mutable {
    done(std::move(stream));
  });
}

void Store::Worker::sync() {
  bool synced = database_ != nullptr;
  if (database_) {
    const auto done = database_->sync();
    synced = done.has_value();
    // What the kernel could not write it may have forgotten: only a look at the file tells.
    if (!synced) fail(Error{ErrorCode::io_failed, done.error().message});
  }
  unsynced_.clear();
  others_unsynced_ = false;
  sync_at_.reset();
  if (await_sync_.empty()) return;
  post([waiting = std::exchange(await_sync_, {}), synced] {
    for (const Done& done : waiting) done(synced);
  });
}

void Store::Worker::open() {
  auto opened = StoreFile::open({settings_.file, settings_.vfs});
  if (!opened) return fail(opened.error());
  auto snapshot = (*opened)->load();
  if (!snapshot) return fail(snapshot.error());
  database_ = *std::move(opened);
  remembered_.clear();
  const auto shared = std::make_shared<StoreSnapshot>(*std::move(snapshot));
  post([this, shared] { told_.opened(*shared); });
  tell(StoreFault::none, "");
}

void Store::Worker::recover() {
  if (!database_) return open();
  if (!has_free_space()) return;
  const auto tried = database_->try_writing();
  if (!tried) return fail(tried.error());
  const auto applied = database_->apply(remembered_);
  if (!applied) return fail(applied.error());
  remembered_.clear();
  tell(StoreFault::none, "");
}

void Store::Worker::fail(const Error& error) {
  const bool is_damaged = error.code == ErrorCode::invalid_input;
  const bool is_newer = error.code == ErrorCode::unsupported;
  if (is_damaged || is_newer || error.code == ErrorCode::io_failed) database_.reset();
  StoreFault fault = fault_of(error.code);
  std::string why = error.message;
  if (is_damaged || is_newer) {
    const std::string name = is_damaged ? "damaged" : "newer-" + std::to_string(std::time(nullptr));
    const auto aside = set_aside(settings_.file, name);
    why += aside ? "; put aside as " + *aside : "; " + aside.error().message;
    fault = StoreFault::io_failed;
  }
  retry_wait_ = std::clamp(2 * retry_wait_, settings_.retry_first, settings_.retry_max);
  // A fresh file is begun at once, unless the one before it had to be put aside a moment ago.
  const bool at_once = (is_damaged || is_newer) && retry_wait_ == settings_.retry_first;
  retry_at_ = at_once ? Clock::now() : Clock::now() + retry_wait_;
  tell(fault, why);
}

bool Store::Worker::has_free_space() {
  if (settings_.free_space_min.value == 0) return true;
  struct statvfs facts {};
  if (::statvfs(settings_.file.c_str(), &facts) != 0) return true;
  const std::uint64_t free = static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
  if (free >= settings_.free_space_min.value) return true;
  fail(Error{ErrorCode::limit_exceeded, "less than " +
                                            std::to_string(settings_.free_space_min.value >> 20U) +
                                            " MiB are free on the file system of " +
                                            settings_.file + " (outbox.free_space_min)"});
  return false;
}

}  // namespace satellite::agent
