#include "agent/storage/check_states.hpp"

#include "sandbox/state/packed_state.hpp"
#include "tests/unit/agent/storage/store_fixture.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

constexpr ByteCount one_mebibyte{1U << 20U};

std::string packed_file(const std::string& content) {
  const sandbox::StateEntry entry{sandbox::StateEntry::Kind::file, "f", 0600, 1, 2, content};
  return sandbox::packed_state_head() + sandbox::packed_entry_head(entry, content.size()) +
         content + sandbox::packed_state_end();
}

/// A store with states beside its database, as the satellite has them.
class StatesBench : public StoreBench {
 public:
  StatesBench() {
    open();
    start();
  }
  /// As after a restart of the satellite.
  void start(ByteCount size_max = one_mebibyte) {
    settle();
    states = std::make_unique<CheckStates>(context, log_, *store,
                                           CheckStates::Place{place().string(), {}}, size_max);
    states->open();
  }
  /// All that was asked of the disk is done.
  void settle() {
    bool done = false;
    store->flush([&done] { done = true; });
    until([&done] { return done; });
  }
  fs::path place() const { return directory() / "check-state"; }
  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    if (!fs::exists(place())) return found;
    for (const auto& entry : fs::directory_iterator(place())) found.push_back(entry.path());
    return found;
  }
  CheckStates::Loan take(StateKey key) {
    std::optional<CheckStates::Loan> taken;
    boost::asio::co_spawn(context, states->take(std::move(key)),
                          [&taken](std::exception_ptr failure, CheckStates::Loan loan) {
                            if (!failure) taken.emplace(std::move(loan));
                          });
    until([&taken] { return taken.has_value(); });
    return *std::move(taken);
  }
  static std::string content_of(const CheckStates::Loan& loan) {
    return *sandbox::read_state_file(loan.state()->file->get(), one_mebibyte);
  }
  static void put(const CheckStates::Loan& loan, const std::string& packed) {
    const int file = loan.state()->file->get();
    REQUIRE(::ftruncate(file, 0) == 0);
    REQUIRE(::pwrite(file, packed.data(), packed.size(), 0) == static_cast<ssize_t>(packed.size()));
  }
  void keep(const StateKey& key, const std::string& packed) {
    auto loan = take(key);
    put(loan, packed);
    loan.give_back(true);
    settle();
  }

  std::unique_ptr<CheckStates> states;

 private:
  UniqueFd nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{LogLevel::error, nowhere_.get()};
};

const StateKey first{"check-1", "c1"}, second{"check-2", "c1"}, other_collector{"check-1", "c2"};

}  // namespace

TEST_CASE("a state is found again, also by the next satellite, in a file for this user alone") {
  StatesBench bench;
  CHECK(StatesBench::content_of(bench.take(first)).empty());
  CHECK(bench.files().empty());
  bench.keep(first, packed_file("one"));
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("one"));
  bench.start();
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("one"));
  REQUIRE(bench.files().size() == 1);
  struct stat facts {};
  REQUIRE(::stat(bench.files().front().c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  REQUIRE(::stat(bench.place().c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0700);
}

TEST_CASE("no two checks, environments or collectors share a state") {
  StatesBench bench;
  bench.keep(first, packed_file("first"));
  for (const StateKey& key : {second, other_collector, StateKey{"check-1c1", ""},
                              StateKey{"check-", "1c1"}, StateKey{"check-1", "c1 "}}) {
    CHECK(StatesBench::content_of(bench.take(key)).empty());
  }
  bench.keep(second, packed_file("second"));
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("first"));
}

TEST_CASE("a run that gives nothing back leaves the state as it was") {
  StatesBench bench;
  bench.keep(first, packed_file("old"));
  {
    auto loan = bench.take(first);
    StatesBench::put(loan, packed_file("half"));
    SECTION("it says so") {
      loan.give_back(false);
    }
    SECTION("it is just gone") {}
  }
  bench.settle();
  bench.start();
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("old"));
}

TEST_CASE("what is no packed state, or too large, never takes the place of one") {
  StatesBench bench;
  bench.keep(first, packed_file("old"));
  bench.keep(first, "not packed");
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("old"));
  bench.keep(first, packed_file(std::string(one_mebibyte.value + 1, 'x')));
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("old"));
}

TEST_CASE("a state that a script emptied has no file any more") {
  const auto emptied =
      GENERATE(std::string(), sandbox::packed_state_head() + sandbox::packed_state_end());
  StatesBench bench;
  bench.keep(first, packed_file("old"));
  REQUIRE(bench.files().size() == 1);
  bench.keep(first, emptied);
  CHECK(bench.files().empty());
  CHECK(StatesBench::content_of(bench.take(first)).empty());
}

TEST_CASE("an unchanged state is not written again") {
  StatesBench bench;
  bench.keep(first, packed_file("same"));
  struct stat before {
  }, after{};
  REQUIRE(::stat(bench.files().front().c_str(), &before) == 0);
  bench.keep(first, packed_file("same"));
  REQUIRE(::stat(bench.files().front().c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  bench.keep(first, packed_file("other"));  // positive control
  REQUIRE(::stat(bench.files().front().c_str(), &after) == 0);
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("other"));
}

TEST_CASE("of two runs of one check at once the second gets a copy, and nothing of it is kept") {
  StatesBench bench;
  bench.keep(first, packed_file("old"));
  auto one = bench.take(first);
  {
    auto two = bench.take(first);
    CHECK(StatesBench::content_of(two) == packed_file("old"));
    CHECK_FALSE(two.state()->not_kept.empty());
    StatesBench::put(two, packed_file("second"));
    two.give_back(true);
  }
  CHECK(one.state()->not_kept.empty());
  StatesBench::put(one, packed_file("first"));
  one.give_back(true);
  bench.settle();
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("first"));
  CHECK(bench.take(first).state()->not_kept.empty());
}

TEST_CASE("states of checks and collectors that are gone are removed, those of others stay") {
  StatesBench bench;
  for (const auto& key : {first, second, other_collector}) bench.keep(key, packed_file("x"));
  CHECK(bench.states->count() == 3);
  bench.states->collect_others("check-1", {"c1"});
  bench.settle();
  CHECK(bench.files().size() == 2);
  bench.states->collect([](const std::string& check) { return check == "check-2"; });
  bench.settle();
  CHECK(bench.files().size() == 1);
  CHECK(StatesBench::content_of(bench.take(second)) == packed_file("x"));
  CHECK(StatesBench::content_of(bench.take(first)).empty());
}

TEST_CASE("a run that outlives its check brings no state back") {
  StatesBench bench;
  auto loan = bench.take(first);
  bench.states->collect([](const std::string&) { return false; });
  StatesBench::put(loan, packed_file("late"));
  loan.give_back(true);
  bench.settle();
  CHECK(bench.files().empty());
}

TEST_CASE("a set that came before the disk had told what is there counts all the same") {
  StatesBench bench;
  bench.keep(first, packed_file("x"));
  bench.start();
  bench.states->collect([](const std::string&) { return false; });
  bench.until([&bench] { return bench.files().empty(); });
}

TEST_CASE("damaged files, foreign ones and leftovers are no state, and nothing fails for them") {
  StatesBench bench;
  bench.keep(first, packed_file("content"));
  const auto path = bench.files().front();
  SECTION("a damaged one: the run begins with nothing and says so") {
    std::ofstream(path, std::ios::binary | std::ios::app) << "x";
    bench.start();
    const auto loan = bench.take(first);
    CHECK(StatesBench::content_of(loan).empty());
    CHECK_FALSE(loan.state()->lost.empty());
    CHECK(loan.state()->not_kept.empty());
  }
  SECTION("the file of another check under this one's name") {
    fs::rename(path, bench.place() / state_file_name(second));
    bench.start();
    CHECK(StatesBench::content_of(bench.take(second)).empty());
    CHECK(bench.files().empty());
  }
  SECTION("a link and a pipe, which stay, and the half of a write, which does not") {
    fs::rename(path, bench.directory() / "elsewhere");
    fs::create_symlink(bench.directory() / "elsewhere", path);
    REQUIRE(::mkfifo((bench.place() / "pipe").c_str(), 0600) == 0);
    std::ofstream(bench.place() / (state_file_name(second) + ".new")) << "half";
    bench.start();
    CHECK(StatesBench::content_of(bench.take(first)).empty());
    bench.settle();
    CHECK(bench.files().size() == 2);
    CHECK(fs::exists(bench.directory() / "elsewhere"));
  }
}

TEST_CASE("at the start only halves of writes go and what was read and is damaged") {
  StatesBench bench;
  bench.keep(first, packed_file("content"));
  bench.keep(second, packed_file("other"));
  const auto path_of = [&bench](const StateKey& key) {
    return bench.place() / state_file_name(key);
  };
  SECTION("what cannot be opened stays, and says why nothing is kept") {
    // Whoever may open anything cannot open what is no file.
    fs::rename(path_of(first), bench.directory() / "kept");
    fs::create_directory(path_of(first));
    bench.start();
    bench.settle();
    CHECK_FALSE(bench.take(first).state()->not_kept.empty());
    CHECK(fs::exists(path_of(first)));
  }
  SECTION("what a later version wrote stays, and the run says that it began without it") {
    std::fstream file(path_of(first), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(4).put('\x02').flush();
    bench.start();
    bench.settle();
    CHECK(fs::exists(path_of(first)));
    CHECK_FALSE(bench.take(first).state()->lost.empty());
  }
  SECTION("what nobody of ours named stays") {
    std::ofstream(bench.place() / "README") << "of somebody";
    bench.start();
    bench.settle();
    CHECK(fs::exists(bench.place() / "README"));
  }
  SECTION("positive control: a file that lost its beginning goes") {
    fs::resize_file(path_of(first), 0);
    bench.start();
    bench.settle();
    CHECK_FALSE(fs::exists(path_of(first)));
    CHECK(bench.take(first).state()->lost.empty());
  }
  CHECK(StatesBench::content_of(bench.take(second)) == packed_file("other"));
}

TEST_CASE("more states than may be kept are neither removed nor forgotten") {
  StatesBench bench;
  bench.settle();
  fs::create_directory(bench.place());
  const auto numbered = [](std::size_t number) {
    return StateKey{"check-" + std::to_string(number), "c"};
  };
  std::size_t files = 0;
  SECTION("more files") {
    files = CheckStates::count_max + 3;
    for (std::size_t i = 0; i < files; ++i) {
      std::ofstream(bench.place() / state_file_name(numbered(i)), std::ios::binary)
          << encode_check_state(numbered(i), packed_file("x"));
    }
  }
  SECTION("more bytes") {
    files = 3;
    for (std::size_t i = 0; i < files; ++i) {
      const auto path = bench.place() / state_file_name(numbered(i));
      std::ofstream(path, std::ios::binary) << encode_check_state(numbered(i), packed_file("x"));
      fs::resize_file(path, CheckStates::bytes_max.value / 2);  // a hole
    }
  }
  fs::permissions(bench.place(), fs::perms::owner_all);
  for (const auto& file : bench.files()) {
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  }
  bench.start();
  bench.settle();
  CHECK(bench.files().size() == files);
  CHECK(bench.states->count() < files);
  if (files < CheckStates::count_max) {
    CHECK(bench.states->count() == 2);
    return;
  }
  for (std::size_t i = 0; i < files; ++i) {
    REQUIRE(StatesBench::content_of(bench.take(numbered(i))) == packed_file("x"));
  }
}

TEST_CASE("a run of a check that was removed and is back takes nothing from its new run") {
  StatesBench bench;
  auto old = bench.take(first);
  bench.states->collect([](const std::string&) { return false; });
  auto now = bench.take(first);
  StatesBench::put(old, packed_file("old"));
  old.give_back(true);
  CHECK_FALSE(bench.take(first).state()->not_kept.empty());  // the new run goes on
  bench.settle();
  CHECK(bench.files().empty());
  StatesBench::put(now, packed_file("new"));
  now.give_back(true);
  bench.settle();
  CHECK(StatesBench::content_of(bench.take(first)) == packed_file("new"));
}

TEST_CASE("where the grant was withdrawn what was kept is removed") {
  StatesBench bench;
  bench.keep(first, packed_file("x"));
  bench.start();
  bench.settle();
  CHECK(bench.files().size() == 1);  // positive control
  bench.start(ByteCount{0});
  bench.until([&bench] { return bench.files().empty(); });
  CHECK(bench.states->count() == 0);
}

TEST_CASE("a run for which no memory file is to be had says so") {
  StatesBench bench;
  bench.settle();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{3, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto loan = bench.take(first);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(loan.state());
  CHECK(loan.state()->not_kept.find("memory") != std::string::npos);
  CHECK(bench.take(second).state()->not_kept.empty());  // positive control
}

TEST_CASE("the event loop neither digests a state nor copies it") {
  constexpr ByteCount large{32U << 20U};
  StatesBench bench;
  bench.start(large);
  bench.keep(first, packed_file(std::string(large.value - 4'096, 'x')));
  const auto used = [](clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double loop_before = used(CLOCK_THREAD_CPUTIME_ID);
  const double all_before = used(CLOCK_PROCESS_CPUTIME_ID);
  const auto loan = bench.take(first);
  const double loop = used(CLOCK_THREAD_CPUTIME_ID) - loop_before;
  const double all = used(CLOCK_PROCESS_CPUTIME_ID) - all_before;
  INFO("loop " << loop << " s of " << all << " s of processor time");
  CHECK(loop < all / 5);
  struct stat facts {};
  REQUIRE(::fstat(loan.state()->file->get(), &facts) == 0);
  CHECK(facts.st_size > static_cast<off_t>(large.value - 4'096));
}

TEST_CASE("a state that is larger than the operator grants now is not used, and said") {
  StatesBench bench;
  bench.keep(first, packed_file(std::string(100'000, 'x')));
  bench.start(ByteCount{4'096});
  const auto loan = bench.take(first);
  CHECK(StatesBench::content_of(loan).empty());
  CHECK_FALSE(loan.state()->lost.empty());
}

TEST_CASE("without a state directory every run begins with nothing and says why nothing is kept") {
  StatesBench bench;
  bench.settle();
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  Log log(LogLevel::error, nowhere.get());
  bench.states =
      std::make_unique<CheckStates>(bench.context, log, *bench.store,
                                    CheckStates::Place{{}, "state.ephemeral is set"}, one_mebibyte);
  bench.states->open();
  auto loan = bench.take(first);
  CHECK(loan.state()->not_kept == "state.ephemeral is set");
  StatesBench::put(loan, packed_file("x"));
  loan.give_back(true);
  bench.settle();
  CHECK(StatesBench::content_of(bench.take(first)).empty());
  CHECK(bench.files().empty());
}

TEST_CASE("where no state is granted no run brings one along") {
  StatesBench bench;
  bench.start(ByteCount{0});
  CHECK_FALSE(bench.take(first).state());
}
