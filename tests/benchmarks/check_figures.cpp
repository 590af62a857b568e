#include "tests/benchmarks/check_figures.hpp"

#include "tests/benchmarks/process_figures.hpp"
#include "tests/devcore/devcore.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

namespace satellite::benchmarks {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t checks = 10'000;
constexpr int pushes = 5;

/// Checks of the usual size whose strategy this satellite does not have: each is answered once, and
/// then not for a day. `generation` makes every script another one.
std::string assignments(int generation) {
  std::string set = "[";
  for (std::size_t i = 0; i < checks; ++i) {
    const std::string number = std::to_string(i);
    if (i > 0) set += ',';
    set += R"({"configId":"c0b0f4b2-6a42-4a92-8a2d-)" + number + R"(","systemId":"sys-)" + number +
           R"(","strategyId":"healthcheck-bench.none","config":{"timeout":30000},)"
           R"("intervalSeconds":86400,"configName":"Queue depth )" +
           number +
           R"(","systemName":"Payments","systemMetadata":{"tier":1,"owner":"team-pay"},)"
           R"("collectors":[{"id":"5e0d1d0a-7f4e-4f0e-a9a7-0a4c0b7c2e10",)"
           R"("collectorId":"healthcheck-script.execute","config":{"script":"./depth.sh )" +
           std::to_string(generation) +
           R"( \"$CHECKSTACK_ENV_QUEUE\"","cwd":"{{ environment.workdir }}","timeout":15000},)"
           R"("assertions":[{"field":"exitCode","operator":"equals","value":0}]}]})";
  }
  return set + ']';
}

/// What a general parser takes for the same bytes at the same time: on a machine that is shared the
/// ratio to it tells more than the clock.
double parse_ms(const std::string& set) {
  const auto begin = Clock::now();
  const auto parsed = nlohmann::json::parse(set);
  if (parsed.size() != checks) throw std::runtime_error("the set is not whole");
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::size_t count_of(const std::string& text, const std::string& words) {
  std::size_t count = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

/// The largest `key=…us` of these lines.
double largest(const std::string& log, const std::string& key) {
  double found = 0;
  for (auto at = log.find(key); at != std::string::npos; at = log.find(key, at + 1)) {
    found = std::max(found, std::stod(log.substr(at + key.size(), 20)));
  }
  return found;
}

class CheckBench {
 public:
  /// Watching the loop costs processor time of its own, so that what is idle is not watched.
  explicit CheckBench(const char* watches_loop) {
    devcore::Settings settings;
    settings.tokens.emplace("bench", "csat_bench");
    auto started = devcore::DevCore::start(std::move(settings));
    if (!started) throw std::runtime_error(started.error().message);
    core_ = *std::move(started);
    const std::map<std::string, std::string> environment{
        {"PATH", "/usr/bin:/bin"},
        {"CHECKSTACK_CORE_URL", core_->url()},
        {"CHECKSTACK_SATELLITE_CLIENT_ID", "bench"},
        {"CHECKSTACK_SATELLITE_TOKEN", "csat_bench"},
        {"CHECKSTACK_SATELLITE_LOOP_WATCH", watches_loop},
        {"CHECKSTACK_SATELLITE_CA_FILE", files_.write("ca.pem", core_->ca_pem())}};
    satellite_ = std::make_unique<tests::SatelliteProcess>(
        tests::SatelliteProcess::Start{{"run"}, environment, (files_.path() / "log").string()});
    if (!core_->wait_until_authenticated(20s)) throw std::runtime_error(satellite_->log());
  }

  /// Milliseconds from the core's push to the satellite having taken all of it.
  double push(int generation) {
    const std::string set = assignments(generation);
    const std::size_t before = count_of(satellite_->log(), "assignments_taken");
    const auto begin = Clock::now();
    core_->push_assignments(set);
    while (count_of(satellite_->log(), "assignments_taken") == before) {
      if (Clock::now() - begin > 60s) throw std::runtime_error(satellite_->log());
      std::this_thread::sleep_for(1ms);
    }
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  }

  /// Every check has reported what the last push made of it and waits for its next day: nothing
  /// comes any more, for longer than the gaps between results ever are.
  void settle() {
    const auto begin = Clock::now();
    for (std::uint64_t seen = 0, before = 1; seen != before || seen < checks;) {
      if (Clock::now() - begin > 180s) throw std::runtime_error("the checks never came to rest");
      before = seen;
      std::this_thread::sleep_for(5s);
      seen = core_->ledger().counters().frames;
    }
  }

  /// Percent of a processor while nothing is due.
  double idle_percent() const {
    const auto family = process_family(satellite_->pid());
    const double before = processor_time(family);
    const auto begin = Clock::now();
    std::this_thread::sleep_for(10s);
    const double wall = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    return 100 * (processor_time(family) - before) / wall;
  }

  double processor_ms() const { return processor_time(process_family(satellite_->pid())) / 1000; }
  double size_mb() const { return proportional_size_mb(process_family(satellite_->pid())); }
  double longest_busy_ms() const { return largest(satellite_->log(), "loop_busy us=") / 1000; }

 private:
  tests::TempDir files_;
  std::unique_ptr<devcore::DevCore> core_;
  std::unique_ptr<tests::SatelliteProcess> satellite_;
};

}  // namespace

std::vector<Figure> measure_checks() {
  double stall = 0;
  {
    CheckBench watched("true");
    for (int i = 0; i < pushes; ++i) watched.push(i);
    stall = watched.longest_busy_ms();
  }
  CheckBench bench("false");
  Samples samples, parses;
  const double before = bench.processor_ms();
  for (int i = 0; i < pushes; ++i) {
    samples.push_back(bench.push(i));
    parses.push_back(parse_ms(assignments(i)));
  }
  const double push = median(samples), parse = median(parses);
  const double processor = (bench.processor_ms() - before) / pushes;
  bench.settle();
  const double size = bench.size_mb();
  const double idle = bench.idle_percent();
  return {
      {"push_10000", "10 000 changed checks pushed -> taken", push, "ms", push / parse,
       "<= 250 ms"},
      {"push_10000_parse", "a general parser, the same bytes (x: to this)", parse, "ms", 1.0, ""},
      {"push_10000_cpu", "of which on a processor", processor, "ms", std::nullopt, ""},
      {"loop_stall", "longest time the loop served nobody else", stall, "ms", std::nullopt,
       "<= 5 ms"},
      {"idle_assignments_cpu", "10 000 checks, none due", idle, "% of a core", std::nullopt,
       "<= 1 %"},
      {"idle_assignments_pss", "agent and launcher", size, "MB", std::nullopt, "<= 40 MB"},
  };
}

}  // namespace satellite::benchmarks
