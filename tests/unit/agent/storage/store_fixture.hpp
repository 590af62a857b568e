#pragma once

#include "agent/storage/store.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/storage/faulty_vfs.hpp"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace satellite::tests {

/// An event loop, a directory, and a store in it that can be closed and opened again.
class StoreBench {
 public:
  StoreBench() { FaultyDisk::install(); }
  ~StoreBench() { FaultyDisk::heal(); }
  StoreBench(const StoreBench&) = delete;
  StoreBench& operator=(const StoreBench&) = delete;

  std::string file() const { return (directory_.path() / "outbox.db").string(); }
  const std::filesystem::path& directory() const { return directory_.path(); }

  agent::Store::Settings settings() const {
    agent::Store::Settings settings;
    settings.file = file();
    settings.vfs = FaultyDisk::name;
    settings.retry_first = std::chrono::milliseconds(5);
    settings.retry_max = std::chrono::milliseconds(20);
    return settings;
  }

  agent::Store& make() { return make(settings()); }
  agent::Store& make(agent::Store::Settings settings) {
    store = std::make_unique<agent::Store>(context, std::move(settings));
    store->listen(
        {[this](const agent::StoreSnapshot& snapshot) { snapshots.push_back(snapshot); },
         [this](agent::StoreFault fault, const std::string&) { faults.push_back(fault); }});
    return *store;
  }
  agent::Store& open() {
    make().open();
    until([this] { return store->settled(); });
    return *store;
  }
  /// As the end of the process does it, after everything was written.
  void close() {
    store.reset();
    context.restart();
    context.poll();
  }

  /// Runs the loop until it holds; a bound of a minute.
  void until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("never came true");
      context.restart();
      context.run_for(std::chrono::milliseconds(1));
    }
  }
  /// Whether the change was written.
  bool write(agent::StoreChange change, agent::Durability durability = agent::Durability::written) {
    std::optional<bool> answer;
    store->write(
        std::move(change), [&answer](bool done) { answer = done; }, durability);
    until([&answer] { return answer.has_value(); });
    return *answer;
  }
  std::vector<agent::StoredFrame> read(agent::Lane lane = agent::Lane::results,
                                       std::uint64_t first = 1) {
    std::optional<std::vector<agent::StoredFrame>> answer;
    store->read({lane, first, 1'000, 1U << 20U},
                [&answer](std::vector<agent::StoredFrame> frames) { answer = std::move(frames); });
    until([&answer] { return answer.has_value(); });
    return *std::move(answer);
  }

  boost::asio::io_context context;
  std::unique_ptr<agent::Store> store;
  std::vector<agent::StoreSnapshot> snapshots;
  std::vector<agent::StoreFault> faults;

 private:
  TempDir directory_;
};

inline agent::PutMessage message(std::uint64_t seq, std::string frame = "frame",
                                 agent::Lane lane = agent::Lane::results) {
  return {{seq, lane, static_cast<std::uint32_t>(frame.size()), 1'000}, std::move(frame)};
}

}  // namespace satellite::tests
