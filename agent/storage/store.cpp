#include "agent/storage/store.hpp"

#include "agent/storage/store_worker.hpp"

#include <boost/asio/post.hpp>

namespace satellite::agent {

namespace asio = boost::asio;

std::string_view name_of(StoreFault fault) {
  switch (fault) {
    case StoreFault::none:
      return "none";
    case StoreFault::ephemeral:
      return "ephemeral";
    case StoreFault::no_directory:
      return "no_state_directory";
    case StoreFault::opening:
      return "opening";
    case StoreFault::full:
      return "disk_full";
    case StoreFault::read_only:
      return "disk_read_only";
    case StoreFault::io_failed:
      return "disk_failing";
    case StoreFault::hanging:
      return "disk_hanging";
    case StoreFault::no_resources:
      return "no_memory_or_descriptors";
  }
  return "";
}

Store::Store(asio::io_context& context, Settings settings)
    : context_(context), patience_(context), answer_within_(settings.answer_within) {
  if (settings.file.empty()) {
    fault_ = settings.fault;
    why_ = settings.why;
    return;
  }
  worker_ = std::make_shared<Worker>(context, std::move(settings),
                                     Worker::Told{[this](const StoreSnapshot& snapshot) {
                                                    for (const Listener& listener : listeners_)
                                                      listener.opened(snapshot);
                                                  },
                                                  [this](StoreFault fault, const std::string& why) {
                                                    worker_fault_ = fault;
                                                    worker_why_ = why;
                                                    tell(fault, why);
                                                  }});
}

Store::~Store() {
  if (worker_) Worker::end(worker_);
}

void Store::listen(Listener listener) {
  listeners_.push_back(std::move(listener));
}

void Store::open() {
  if (!worker_) return tell(fault_, why_);
  Worker::start(worker_);
  watch();
}

/// Whoever asks counts as waiting until it is answered, and so does the opening of the file.
void Store::watch() {
  watches_ = true;
  patience_.expires_after(answer_within_);
  patience_.async_wait([this, seen = answered_](const boost::system::error_code& failure) {
    if (failure) return;
    watches_ = false;
    const bool is_opened = worker_fault_ != StoreFault::opening;
    if (answered_ == asked_ && is_opened) return;
    if (answered_ == seen && fault_ != StoreFault::hanging) {
      tell(StoreFault::hanging, "the disk of the state directory does not answer");
    }
    watch();
  });
}

void Store::note_answer() {
  ++answered_;
  // It has come back, to whatever it was before.
  if (fault_ == StoreFault::hanging && worker_fault_ != StoreFault::opening) {
    tell(worker_fault_, worker_why_);
  }
}

void Store::tell(StoreFault fault, const std::string& why) {
  fault_ = fault;
  why_ = why;
  for (const Listener& listener : listeners_) listener.changed(fault, why);
}

void Store::write(StoreChange change, Done done, Durability durability) {
  // What a hanging disk is asked for piles up in front of it; it gets all of it when it is back.
  const bool is_wanted = worker_ && (fault_ != StoreFault::hanging || is_removal(change));
  if (is_wanted) {
    if (!done) return worker_->ask(Worker::Change{std::move(change), {}, durability});
    ++asked_;
    if (!watches_) watch();
    Done noted = [this, done = std::move(done)](bool written) {
      note_answer();
      done(written);
    };
    return worker_->ask(Worker::Change{std::move(change), std::move(noted), durability});
  }
  if (done) asio::post(context_, [done = std::move(done)] { done(false); });
}

void Store::read(StoreFile::Page page, std::function<void(std::vector<StoredFrame>)> done) {
  if (worker_) return worker_->ask(Worker::ReadPage{page, std::move(done)});
  asio::post(context_, [done = std::move(done)] { done({}); });
}

void Store::read_run(RunId id, std::function<void(StoredRunStream)> done) {
  if (worker_) return worker_->ask(Worker::ReadRun{std::move(id), std::move(done)});
  asio::post(context_, [done = std::move(done)] { done({}); });
}

void Store::perform(std::function<void()> deed, std::function<void()> done) {
  if (worker_) worker_->ask(Worker::Deed{std::move(deed), std::move(done)});
}

void Store::flush(std::function<void()> done) {
  if (worker_) return worker_->ask(Worker::Flush{std::move(done)});
  asio::post(context_, std::move(done));
}

}  // namespace satellite::agent
