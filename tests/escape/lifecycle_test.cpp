// I of the list: nothing is left behind, whoever dies when. A namespace lives as long as a process,
// a mount or a descriptor holds it, so none of these three may be left.
#include "tests/escape/escape_bench.hpp"
#include "tests/support/sanitizer.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

/// Enough to see a leak of one page, descriptor or process per run; more by hand.
int number_of_runs() {
  const char* const text = std::getenv("SATELLITE_ESCAPE_RUNS");
  return text == nullptr ? 96 : std::atoi(text);
}

std::vector<pid_t> children_of(pid_t pid) {
  std::istringstream text(read_proc(pid, "task/" + std::to_string(pid) + "/children"));
  std::vector<pid_t> children;
  for (pid_t child = 0; text >> child;) children.push_back(child);
  return children;
}

long resident_kibibytes(pid_t pid) {
  const std::string status = read_proc(pid, "status");
  const auto at = status.find("VmRSS:");
  return at == std::string::npos ? -1 : std::stol(status.substr(at + 6));
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// The descriptors of a process by what they are; none to count when the kernel does not let us.
struct Descriptors {
  long of_runs = -1;
  /// Networks and root templates that stand ready for runs to come, of which there are as many as
  /// there was time to make.
  long of_stock = -1;

  static Descriptors of(pid_t pid) {
    std::error_code problem;
    Descriptors counted{0, 0};
    const auto path = "/proc/" + std::to_string(pid) + "/fd";
    for (auto at = std::filesystem::directory_iterator(path, problem);
         !problem && at != std::filesystem::directory_iterator(); at.increment(problem)) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(at->path(), gone);
      const bool is_stock = target.starts_with("net:[") || target.starts_with("mnt:[") ||
                            target == "anon_inode:inotify";
      ++(is_stock ? counted.of_stock : counted.of_runs);
    }
    return problem ? Descriptors() : counted;
  }
};

/// Eight networks that are ready, sixteen that were used, four templates, each with a mount
/// namespace and a watch, and the two parent namespaces.
constexpr long stock_descriptors_max = 8 + 16 + 4 * 2 + 2;

struct Footprint {
  Descriptors descriptors, own_descriptors;
  std::size_t mounts;
  explicit Footprint(const ScriptBench& bench)
      : descriptors(Descriptors::of(bench.launcher->pid())),
        own_descriptors(Descriptors::of(::getpid())),
        mounts(lines_of(read_proc(bench.launcher->pid(), "mountinfo"))) {}
};

void check_nothing_is_left(const ScriptBench& bench, const Footprint& before) {
  CHECK(eventually([&] { return children_of(bench.launcher->pid()).empty(); }));
  CHECK(eventually([&] { return std::filesystem::is_empty(bench.launcher->scratch_area()); }));
  const Footprint after(bench);
  // At the end of a run its descriptors may be open a moment longer than its record takes to us.
  CHECK(eventually([&] {
    const auto now = Descriptors::of(bench.launcher->pid());
    return now.of_runs <= before.descriptors.of_runs && now.of_stock <= stock_descriptors_max;
  }));
  CHECK(after.own_descriptors.of_runs == before.own_descriptors.of_runs);
  CHECK(after.own_descriptors.of_stock == before.own_descriptors.of_stock);
  CHECK(after.mounts == before.mounts);
}

/// Does something once after the given time from the start of the next run.
class Later {
 public:
  Later(asio::io_context& context, std::chrono::microseconds delay, std::function<void()> deed)
      : timer_(context, delay) {
    timer_.async_wait([deed = std::move(deed)](const boost::system::error_code& problem) {
      if (!problem) deed();
    });
  }

 private:
  asio::steady_timer timer_;
};

/// From before the first process of a run to well after the start of its script.
constexpr std::chrono::microseconds phases[] = {0us,    200us,  500us,  900us, 1400us, 2ms,
                                                2600us, 3300us, 4100us, 5ms,   6500us, 8ms,
                                                11ms,   15ms,   20ms,   30ms};

}  // namespace

TEST_CASE("many runs leave no process, mount, descriptor or file, and the launcher does not grow",
          "[lifecycle]") {
  const Engine engine = each_present_engine();
  const bool prepared = GENERATE(false, true);
  if (prepared && engine != Engine::native) return;
  ScriptBench bench(engine);
  const Policy policy = policy_for(engine);
  constexpr int at_once = 8;
  const auto requests = [] {
    std::vector<RunRequest> crowd;
    for (int i = 0; i < at_once; ++i) crowd.push_back(script("echo x > file; exit 0"));
    return crowd;
  };
  /// How many of them were prepared.
  const auto run_at_once = [&] {
    int taken = 0;
    for (const Ran& ran : bench.run_together(requests(), policy)) {
      REQUIRE(ran.result.outcome == Outcome::exited);
      taken += ran.result.was_prepared ? 1 : 0;
    }
    return taken;
  };
  const auto some = [&](int count) {
    if (prepared) bench.keep_prepared(at_once);
    if (prepared) REQUIRE(bench.run_together_until_prepared(at_once, requests, policy));
    for (int done = 0; done < count; done += at_once) {
      CHECK(run_at_once() == (prepared ? at_once : 0));
      if (prepared) REQUIRE(bench.wait_until_prepared(at_once));
    }
    if (prepared) bench.keep_prepared(0);
  };
  some(40);  // what is allocated once is there now
  const Footprint before(bench);
  const long resident = resident_kibibytes(bench.launcher->pid());
  some(number_of_runs());
  check_nothing_is_left(bench, before);
  const long grown = resident_kibibytes(bench.launcher->pid()) - resident;
  INFO("grown by " << grown << " KiB");
  // An allocator that keeps what was freed grows with every run.
  if (!has_sanitizer) CHECK(grown < 256);
}

TEST_CASE("when any process of a run is killed in any phase, all of it goes and it is said",
          "[lifecycle]") {
  const Engine engine = each_present_engine();
  ScriptBench bench(engine);
  const Policy policy = policy_for(engine);
  bench.run(script("true"), policy);
  const Footprint before(bench);
  for (auto delay : phases) {
    // What was killed may have been a child that makes something for runs to come: on a busy
    // machine this run was not there yet. Then the same is done again, later.
    for (bool was_another = true; was_another; delay = std::max(2 * delay, 1'000us)) {
      const std::string marker = unique_marker();
      // What is left of the run before would take the kill for itself, and this run would go on.
      REQUIRE(eventually([&] { return children_of(bench.launcher->pid()).empty(); }));
      bool killed = false;
      const Later kill(bench.context, delay, [&] {
        for (const pid_t child : children_of(bench.launcher->pid())) {
          killed = ::kill(child, SIGKILL) == 0 || killed;
        }
      });
      RunRequest request = script("sleep " + marker + "; true");
      request.timeout = 3s;
      const Ran ran = bench.run(std::move(request), policy);
      INFO("after " << delay.count() << " us, killed " << killed << ": "
                    << name_of(ran.result.outcome));
      CHECK(ran.result.outcome != Outcome::exited);
      was_another = killed && ran.result.outcome == Outcome::timed_out && delay < 1s;
      if (killed && !was_another) {
        // Killed while it is being measured, a script cannot be verified: refused.
        CHECK((ran.result.outcome == Outcome::interrupted ||
               ran.result.outcome == Outcome::setup_failed ||
               ran.result.outcome == Outcome::refused || ran.result.outcome == Outcome::signaled));
        CHECK(ran.result.exit_code != 0);
      }
      CHECK(count_processes(marker) == 0);
    }
  }
  check_nothing_is_left(bench, before);
}

TEST_CASE("when the launcher is killed in any phase, no run outlives it", "[lifecycle]") {
  const Engine engine = each_present_engine();
  for (const auto delay : {0us, 700us, 1500us, 2500us, 4000us, 7000us, 15000us}) {
    ScriptBench bench(engine);
    const std::string marker = unique_marker();
    const Later kill(bench.context, delay, [&] { ::kill(bench.launcher->pid(), SIGKILL); });
    const Ran ran = bench.run(script("sleep " + marker + "; true"), policy_for(engine));
    INFO("after " << delay.count() << " us: " << name_of(ran.result.outcome));
    CHECK((ran.result.outcome == Outcome::interrupted ||
           ran.result.outcome == Outcome::setup_failed));
    CHECK(eventually([&] { return count_processes(marker) == 0; }));
  }
}

TEST_CASE("a run that is cancelled in any phase ends as cancelled and leaves nothing",
          "[lifecycle]") {
  const Engine engine = each_present_engine();
  ScriptBench bench(engine);
  const Policy policy = policy_for(engine);
  bench.run(script("true"), policy);
  const Footprint before(bench);
  for (const auto delay : phases) {
    bench.cancel = std::make_unique<CancelSwitch>(bench.context);
    const std::string marker = unique_marker();
    const Later cancel(bench.context, delay, [&] { bench.cancel->cancel(); });
    const Ran ran = bench.run(script("sleep " + marker + "; true"), policy);
    INFO("after " << delay.count() << " us: " << ran.result.error.value_or(""));
    CHECK(ran.result.outcome == Outcome::cancelled);
    CHECK(count_processes(marker) == 0);
  }
  check_nothing_is_left(bench, before);
}
