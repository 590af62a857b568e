#include "tests/unit/agent/storage/store_fixture.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

using Fault = FaultyDisk::Fault;

/// Another program's look at the file, which must be closed.
void execute(const std::string& file, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
  REQUIRE(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

std::size_t files_named(const std::filesystem::path& directory, const std::string& begin) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    count += entry.path().filename().string().starts_with(begin) ? 1U : 0U;
  }
  return count;
}

}  // namespace

TEST_CASE(
    "what was written is there for the next process, in order, and nothing that was removed") {
  StoreBench bench;
  bench.open();
  REQUIRE(bench.snapshots.size() == 1);
  CHECK(bench.snapshots[0].messages.empty());
  CHECK(bench.write(message(3, "three")));
  CHECK(bench.write(message(5, "five", Lane::control)));
  CHECK(bench.write(message(4, std::string(300'000, 'x'))));
  CHECK(bench.write(RemoveMessages{{3, 77}}));
  CHECK(bench.write(SetGap{{2, 10, 20}}));
  bench.close();
  bench.open();
  const StoreSnapshot& snapshot = bench.snapshots.back();
  REQUIRE(snapshot.messages.size() == 2);
  CHECK(snapshot.messages[0] == MessageFacts{4, Lane::results, 300'000, 1'000});
  CHECK(snapshot.messages[1] == MessageFacts{5, Lane::control, 4, 1'000});
  CHECK(snapshot.gap == Gap{2, 10, 20});
  const auto frames = bench.read(Lane::control);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].frame == "five");
  CHECK(bench.read(Lane::results, 5).empty());
}

TEST_CASE("only this user may read the files") {
  StoreBench bench;
  bench.open();
  CHECK(bench.write(message(1)));
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(bench.directory())) {
    struct stat facts {};
    REQUIRE(::stat(entry.path().c_str(), &facts) == 0);
    INFO(entry.path());
    CHECK((facts.st_mode & 0777) == 0600);
    ++seen;
  }
  CHECK(seen == 2);
}

TEST_CASE(
    "who asks for it hears of a change only when it is synced, others are synced soon after") {
  StoreBench bench;
  bench.open();
  const int before = FaultyDisk::syncs;
  CHECK(bench.write(message(1)));
  CHECK(bench.write(message(2), Durability::synced));
  CHECK(FaultyDisk::syncs > before);
  const int asked = FaultyDisk::syncs;
  CHECK(bench.write(message(3)));
  bench.until([asked] { return FaultyDisk::syncs > asked; });
}

TEST_CASE("what was confirmed in time is never synced") {
  StoreBench bench;
  auto settings = bench.settings();
  settings.sync_after = 1s;
  bench.make(settings).open();
  CHECK(bench.write(message(1), Durability::synced));
  const int before = FaultyDisk::syncs;
  const auto begun = std::chrono::steady_clock::now();
  CHECK(bench.write(message(2)));
  CHECK(bench.write(RemoveMessages{{2}}));
  const bool was_in_time = std::chrono::steady_clock::now() - begun < settings.sync_after;
  // The control: another one is.
  CHECK(bench.write(message(3)));
  bench.until([before] { return FaultyDisk::syncs > before; });
  if (was_in_time) CHECK(FaultyDisk::syncs == before + 1);
}

TEST_CASE("a disk that fails is a state with a name and is left by itself") {
  const auto [fault, state] = GENERATE(table<Fault, StoreFault>({
      {Fault::full, StoreFault::full},
      {Fault::io, StoreFault::io_failed},
      {Fault::short_write, StoreFault::io_failed},
  }));
  StoreBench bench;
  bench.open();
  CHECK(bench.write(message(1, "one")));
  CHECK(bench.write(message(2, "two")));
  FaultyDisk::fault = fault;
  CHECK_FALSE(bench.write(message(3, "three")));
  CHECK(bench.store->fault() == state);
  // A removal that could not be written is not forgotten.
  bench.write(RemoveMessages{{1}});
  FaultyDisk::heal();
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  CHECK(bench.write(message(3, "three")));
  if (state == StoreFault::io_failed) {
    // The file was looked at anew, and the owner compares.
    REQUIRE(bench.snapshots.size() == 2);
    CHECK(bench.snapshots[1].messages.size() >= 1);
    CHECK(bench.write(RemoveMessages{{1}}));
  }
  const auto frames = bench.read();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].frame == "two");
  CHECK(frames[1].frame == "three");
}

TEST_CASE("no promise survives an fsync that failed") {
  StoreBench bench;
  bench.open();
  FaultyDisk::fault = Fault::sync;
  CHECK_FALSE(bench.write(message(1), Durability::synced));
  CHECK(bench.store->fault() == StoreFault::io_failed);
  FaultyDisk::heal();
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  CHECK(bench.write(message(2), Durability::synced));
}

TEST_CASE("whichever call of a transaction fails, all of it is there afterwards or nothing") {
  const auto fault = GENERATE(Fault::full, Fault::io, Fault::short_write);
  for (int grace = 0; grace < 12; ++grace) {
    INFO("after " << grace << " calls");
    StoreBench bench;
    bench.open();
    CHECK(bench.write(message(1, "one")));
    FaultyDisk::grace = grace;
    FaultyDisk::fault = fault;
    const bool done = bench.write(message(2, std::string(20'000, 'x')));
    FaultyDisk::heal();
    bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
    bench.close();
    bench.open();
    const auto frames = bench.read();
    REQUIRE(!frames.empty());
    CHECK(frames[0].frame == "one");
    if (done) CHECK(frames.size() == 2);
    for (const StoredFrame& frame : frames) {
      if (frame.seq == 2) CHECK(frame.frame == std::string(20'000, 'x'));
    }
  }
}

TEST_CASE("a disk that fails does not keep anybody busy") {
  StoreBench bench;
  auto settings = bench.settings();
  settings.retry_first = 10s;
  settings.retry_max = 10s;
  bench.make(settings).open();
  bench.until([&bench] { return bench.store->settled(); });
  FaultyDisk::fault = Fault::full;
  CHECK_FALSE(bench.write(message(1)));
  timespec before{}, after{};
  clockid_t clock{};
  REQUIRE(::clock_getcpuclockid(0, &clock) == 0);
  ::clock_gettime(clock, &before);
  for (std::uint64_t seq = 2; seq < 200; ++seq) CHECK_FALSE(bench.write(message(seq)));
  ::clock_gettime(clock, &after);
  const double seconds = static_cast<double>(after.tv_sec - before.tv_sec) +
                         static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
  CHECK(seconds < 2);
  CHECK(bench.faults == std::vector<StoreFault>{StoreFault::none, StoreFault::full});
}

TEST_CASE("a file that is no database, or a damaged one, is put aside and work goes on") {
  const std::string damage = GENERATE("foreign", "header", "middle", "log", "nothing");
  StoreBench bench;
  bench.open();
  for (std::uint64_t seq = 1; seq <= 50; ++seq) {
    CHECK(bench.write(message(seq, std::string(3'000, 'x'))));
  }
  bench.close();
  if (damage == "foreign") {
    std::ofstream(bench.file(), std::ios::trunc) << std::string(20'000, '?');
  } else if (damage == "nothing") {
    std::ofstream(bench.file(), std::ios::trunc);
  } else {
    std::fstream file(bench.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(damage == "header" ? 0 : 4'096 * 3);
    file << std::string(damage == "header" ? 64 : 4'096 * 6, '\xee');
    if (damage == "log") std::ofstream(bench.file() + "-wal") << std::string(10'000, '\xee');
  }
  bench.open();
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  // Rows that cannot be read end the use of the file; none is sent as if it were whole.
  for (const StoredFrame& frame : bench.read()) CHECK(frame.frame == std::string(3'000, 'x'));
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  CHECK(bench.write(message(100, "new")));
  const auto frames = bench.read(Lane::results, 100);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].frame == "new");
  if (damage == "foreign" || damage == "header") {
    CHECK(files_named(bench.directory(), "outbox.db.damaged") == 1);
  }
}

TEST_CASE("a flipped bit in a frame is noticed") {
  StoreBench bench;
  bench.open();
  CHECK(bench.write(message(1, "one")));
  CHECK(bench.write(message(2, "two")));
  bench.close();
  execute(bench.file(), "UPDATE frames SET frame=x'6f6f65' WHERE seq=1");
  bench.open();
  const auto frames = bench.read();
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].seq == 2);
}

TEST_CASE("the file of a later version is put aside whole, and never deleted") {
  StoreBench bench;
  bench.open();
  CHECK(bench.write(message(1, "one")));
  bench.close();
  execute(bench.file(), "PRAGMA user_version = 2");
  bench.open();
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  CHECK(bench.read().empty());
  CHECK(bench.write(message(2, "two")));
  CHECK(files_named(bench.directory(), "outbox.db.newer-") >= 1);
  bench.close();
  for (const auto& entry : std::filesystem::directory_iterator(bench.directory())) {
    if (entry.path().string().find("newer-") == std::string::npos) continue;
    if (entry.path().string().ends_with("-wal")) continue;
    execute(entry.path().string(), "SELECT * FROM frames");
  }
}

TEST_CASE("a disk with less free space than the operator wants counts as full") {
  StoreBench bench;
  auto settings = bench.settings();
  settings.free_space_min = ByteCount{std::uint64_t{1} << 60U};
  bench.make(settings).open();
  bench.until([&bench] { return bench.store->settled(); });
  CHECK_FALSE(bench.write(message(1)));
  CHECK(bench.store->fault() == StoreFault::full);
}

TEST_CASE("a store without a file says why and keeps nobody waiting") {
  StoreBench bench;
  Store::Settings settings;
  settings.fault = StoreFault::ephemeral;
  settings.why = "asked for";
  bench.make(settings).open();
  CHECK(bench.faults == std::vector<StoreFault>{StoreFault::ephemeral});
  CHECK_FALSE(bench.write(message(1)));
  CHECK(bench.read().empty());
  bool flushed = false;
  bench.store->flush([&flushed] { flushed = true; });
  bench.until([&flushed] { return flushed; });
}

TEST_CASE("a directory that is not there, or read-only, is a state and not the end") {
  StoreBench bench;
  auto settings = bench.settings();
  settings.file = (bench.directory() / "none" / "outbox.db").string();
  bench.make(settings).open();
  bench.until([&bench] { return bench.store->settled(); });
  CHECK(bench.store->fault() != StoreFault::none);
  CHECK_FALSE(bench.write(message(1)));
  std::filesystem::create_directory(bench.directory() / "none");
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  CHECK(bench.write(message(1)));
}

TEST_CASE("space of removed messages is given back to the file system") {
  StoreBench bench;
  bench.open();
  RemoveMessages all;
  for (std::uint64_t seq = 1; seq <= 200; ++seq) {
    bench.store->write(message(seq, std::string(50'000, 'x')));
    all.seqs.push_back(seq);
  }
  CHECK(bench.write(SetGap{}, Durability::synced));
  CHECK(bench.write(all));
  bench.until([&bench] {
    bench.store->write(SetGap{});
    return std::filesystem::file_size(bench.file()) < 4U << 20U;
  });
}

TEST_CASE("runs, their ends and messages are kept, and go when they are forgotten") {
  StoreBench bench;
  bench.open();
  CHECK(bench.write(AcceptRun{RunId("a"), 100, 64}));
  CHECK(bench.write(AcceptRun{RunId("b"), 101, 64}));
  CHECK(bench.write(RaiseSeqBound{RunId("b"), 128}));
  CHECK(bench.write(PutRunMessages{RunId("a"), {{0, "start"}, {1, "out"}}}));
  CHECK(bench.write(FinishRun{RunId("a"), 2, "end of a"}));
  CHECK(bench.write(RemoveRunMessages{RunId("a"), 0}));
  bench.close();
  bench.open();
  CHECK(bench.snapshots.back().runs ==
        std::vector<StoredRun>{{RunId("a"), 100, 64, true, false},
                               {RunId("b"), 101, 128, false, false}});
  std::optional<StoredRunStream> stream;
  const auto look = [&](const char* id) {
    stream.reset();
    bench.store->read_run(RunId(id), [&](StoredRunStream read) { stream = std::move(read); });
    bench.until([&] { return stream.has_value(); });
  };
  look("a");
  REQUIRE(stream->messages.size() == 1);
  CHECK(stream->messages[0].seq == 1);
  CHECK(stream->messages[0].bytes == "out");
  CHECK(stream->finished_frame == "end of a");
  CHECK(stream->end_seq == 2);
  CHECK(bench.write(DeliverRun{RunId("a"), 100}));
  look("a");
  CHECK(stream->messages.empty());
  CHECK(stream->finished_frame == "end of a");
  // Accepted while nothing could be written, delivered when it could.
  CHECK(bench.write(DeliverRun{RunId("c"), 102}));
  CHECK(bench.write(ForgetRuns{101, 10}));
  look("a");
  CHECK(stream->finished_frame.empty());
  bench.close();
  bench.open();
  CHECK(bench.snapshots.back().runs == std::vector<StoredRun>{{RunId("b"), 101, 128, false, false},
                                                              {RunId("c"), 102, 0, true, true}});
  for (int i = 0; i < 10; ++i) CHECK(bench.write(DeliverRun{RunId("d" + std::to_string(i)), 103}));
  CHECK(bench.write(ForgetRuns{0, 4}));
  bench.close();
  bench.open();
  // One that has not ended stays whatever its age.
  CHECK(bench.snapshots.back().runs.size() == 5);
  CHECK(bench.snapshots.back().runs.front().id == RunId("b"));
}

TEST_CASE("a disk that does not answer is a state, nobody waits for it, and it may come back") {
  StoreBench bench;
  auto settings = bench.settings();
  settings.answer_within = 50ms;
  bench.make(settings).open();
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  FaultyDisk::fault = Fault::hang;
  bool is_answered = false;
  bench.store->write(message(1, "one"), [&is_answered](bool) { is_answered = true; });
  bench.until([&bench] { return bench.store->fault() == StoreFault::hanging; });
  CHECK_FALSE(is_answered);
  // Refused at once, instead of waiting behind the other.
  CHECK_FALSE(bench.write(message(2, "two")));
  FaultyDisk::heal();
  bench.until([&bench] { return bench.store->fault() == StoreFault::none; });
  CHECK(is_answered);
  CHECK(bench.write(message(3, "three")));
  CHECK(bench.read().size() == 2);
}
