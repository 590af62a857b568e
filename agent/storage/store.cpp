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
    case StoreFault::no_resources:
      return "no_memory_or_descriptors";
  }
  return "";
}

Store::Store(asio::io_context& context, Settings settings) : context_(context) {
  if (settings.file.empty()) {
    fault_ = settings.fault;
    why_ = settings.why;
    return;
  }
  worker_ = std::make_shared<Worker>(
      context, std::move(settings),
      Worker::Told{[this](const StoreSnapshot& snapshot) {
                     for (const Listener& listener : listeners_) listener.opened(snapshot);
                   },
                   [this](StoreFault fault, const std::string& why) { tell(fault, why); }});
}

Store::~Store() {
  if (worker_) Worker::end(worker_);
}

void Store::listen(Listener listener) {
  listeners_.push_back(std::move(listener));
}

void Store::open() {
  if (worker_) return Worker::start(worker_);
  tell(fault_, why_);
}

void Store::tell(StoreFault fault, const std::string& why) {
  fault_ = fault;
  why_ = why;
  for (const Listener& listener : listeners_) listener.changed(fault, why);
}

void Store::write(StoreChange change, Done done, Durability durability) {
  if (worker_) return worker_->ask(Worker::Change{std::move(change), std::move(done), durability});
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

void Store::flush(std::function<void()> done) {
  if (worker_) return worker_->ask(Worker::Flush{std::move(done)});
  asio::post(context_, std::move(done));
}

}  // namespace satellite::agent
