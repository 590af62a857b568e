#include "tests/benchmarks/check_figures.hpp"
#include "tests/benchmarks/core_figures.hpp"
#include "tests/benchmarks/figures.hpp"
#include "tests/benchmarks/host_view_figures.hpp"
#include "tests/benchmarks/launch_figures.hpp"
#include "tests/benchmarks/layer_figures.hpp"
#include "tests/benchmarks/module_figures.hpp"
#include "tests/benchmarks/outbox_figures.hpp"
#include "tests/benchmarks/package_figures.hpp"
#include "tests/benchmarks/plot.hpp"
#include "tests/benchmarks/process_figures.hpp"
#include "tests/benchmarks/reference_process.hpp"
#include "tests/benchmarks/sandbox_process.hpp"
#include "tests/devcore/devcore.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <malloc.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

using namespace satellite;
using namespace satellite::benchmarks;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int rounds_default = 6;  // each a few seconds
constexpr int runs_per_round = 60;
constexpr int concurrent_runs = 160;
constexpr std::uint64_t output_bytes = 512U << 20U;

const char* const policy = R"({"enabled":true,"onUnavailable":"fail",
 "resources":{"cpuSeconds":60,"memoryBytes":536870912,"maxOpenFiles":1024,"maxProcesses":256,
              "maxOutputBytes":4294967296,"maxFileSizeBytes":268435456},
 "filesystem":{"mode":"scratch-plus-ro"},
 "network":{"mode":"allowlist","allow":[],"denyLinkLocalAndMetadata":true},
 "privilege":{"mode":"drop-to-uid"}})";

double micros_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

/// A core and what a satellite needs to reach it.
class Bench {
 public:
  Bench() {
    devcore::Settings settings;
    settings.tokens.emplace("bench", "csat_bench");
    settings.policy = policy;
    settings.collect_output = false;
    settings.keep_frames = false;
    settings.extensions.push_back("ordered-frames/1");
    auto started = devcore::DevCore::start(std::move(settings));
    if (!started) throw std::runtime_error(started.error().message);
    core_ = *std::move(started);
    environment_ = {{"PATH", "/usr/bin:/bin"},
                    {"CHECKSTACK_CORE_URL", core_->url()},
                    {"CHECKSTACK_SATELLITE_CLIENT_ID", "bench"},
                    {"CHECKSTACK_SATELLITE_TOKEN", "csat_bench"},
                    {"CHECKSTACK_SATELLITE_CA_FILE", files_.write("ca.pem", core_->ca_pem())}};
  }

  devcore::DevCore& core() { return *core_; }

  std::unique_ptr<tests::SatelliteProcess> connect() {
    auto satellite = std::make_unique<tests::SatelliteProcess>(
        tests::SatelliteProcess::Start{{"run"}, environment_, (files_.path() / "log").string()});
    if (!core_->wait_until_authenticated(20s, ++connections_)) {
      throw std::runtime_error("the satellite did not connect:\n" + satellite->log());
    }
    return satellite;
  }

  std::string begin(const std::string& text) {
    protocol::RunScript message;
    message.run_id = RunId("bench-" + std::to_string(++runs_));
    message.script = text;
    message.timeout = 120s;
    const std::string id = message.run_id.text;
    core_->dispatch(std::move(message));
    return id;
  }

  devcore::CollectedRun end(const std::string& id, const char* outcome = "exited") {
    auto run = core_->wait_finished(id, 120s);
    if (!run) throw std::runtime_error(run.error().message);
    if (run->finished->outcome != outcome) {
      throw std::runtime_error(id + " ended as " + run->finished->outcome + ": " +
                               run->finished->error.value_or(""));
    }
    return *std::move(run);
  }

 private:
  tests::TempDir files_;
  std::unique_ptr<devcore::DevCore> core_;
  std::map<std::string, std::string> environment_;
  std::uint64_t connections_ = 0;
  std::uint64_t runs_ = 0;
};

/// The wrapper of the default policy as the satellite itself plans it, around the same command.
std::vector<std::string> bubblewrap_command() {
  const auto answer = tests::run_satellite(
      {"plan"}, {{"PATH", "/usr/bin:/bin"}},
      R"({"script":"echo hi","scratchDir":"/tmp/satellite-bench-scratch","engines":["bwrap"],
          "policy":{
          "filesystem":{"mode":"scratch-plus-ro"},"network":{"mode":"deny"}}})");
  const auto plan = nlohmann::json::parse(answer.standard_output);
  // The satellite names the identity it drops to; the reference process has already dropped.
  const auto all = plan.at("commandLine").get<std::vector<std::string>>();
  std::vector<std::string> words;
  for (std::size_t i = 0; i < all.size(); ++i) {
    // Files that the launcher makes for a run come as descriptors, which nobody passes here.
    if (all[i] == "--file" && i + 2 < all.size()) {
      if (words.size() >= 2 && words[words.size() - 2] == "--perms") words.resize(words.size() - 2);
      i += 2;
      continue;
    }
    words.push_back(all[i]);
  }
  return words;
}

struct Latencies {
  Samples bare, bubblewrap, native, warm, dispatch, allowlist, allowlist_warm, state;
  double bare_c8 = 0, bubblewrap_c8 = 0, native_c8 = 0, warm_c8 = 0,
         dispatch_c8 = 0;  ///< runs per second
  Samples dispatch_c8_latency;
  double processor_per_run = 0;
};

void append(Samples& to, const Samples& from) {
  to.insert(to.end(), from.begin(), from.end());
}

Samples dispatch_some(Bench& bench, int runs) {
  Samples samples;
  for (int i = 0; i < runs; ++i) {
    const auto start = Clock::now();
    bench.end(bench.begin("echo hi"));
    samples.push_back(micros_since(start));
  }
  return samples;
}

/// Eight threads, each with one run at a time.
std::pair<Samples, double> dispatch_eight_at_a_time(Bench& bench, int runs) {
  std::vector<Samples> samples(8);
  std::mutex numbering;
  std::vector<std::thread> threads;
  const auto begun = Clock::now();
  for (auto& mine : samples) {
    threads.emplace_back([&bench, &mine, &numbering, runs] {
      for (int i = 0; i < runs / 8; ++i) {
        const auto start = Clock::now();
        std::string id;
        {
          const std::lock_guard lock(numbering);
          id = bench.begin("echo hi");
        }
        bench.end(id);
        mine.push_back(micros_since(start));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const double seconds = micros_since(begun) / 1e6;
  Samples all;
  for (const auto& mine : samples) append(all, mine);
  return {all, runs / seconds};
}

Latencies measure_latencies(Bench& bench, ReferenceProcess& reference, SandboxProcess& sandbox,
                            pid_t agent, int rounds) {
  const std::vector<std::string> bare{"sh", "-c", "echo hi"};
  const std::vector<std::string> wrapped = bubblewrap_command();
  const auto family = process_family(agent);
  Latencies latencies;
  dispatch_some(bench, 20);
  double processor = 0;
  // In turns, so that a machine that speeds up or slows down does so for all of them.
  for (int round = 0; round < rounds; ++round) {
    append(latencies.bare, reference.measure(bare, runs_per_round, 1).latencies);
    append(latencies.bubblewrap, reference.measure(wrapped, runs_per_round, 1).latencies);
    append(latencies.native, sandbox.measure({.runs = runs_per_round}).latencies);
    append(latencies.state, sandbox.measure({.state = true, .runs = runs_per_round}).latencies);
    append(latencies.warm, sandbox.measure({.prepared = true, .runs = runs_per_round}).latencies);
    const double before = processor_time(family);
    append(latencies.dispatch, dispatch_some(bench, runs_per_round));
    processor += processor_time(family) - before;
  }
  latencies.processor_per_run = processor / (rounds * runs_per_round);
  latencies.bare_c8 = concurrent_runs / reference.measure(bare, concurrent_runs, 8).seconds;
  latencies.bubblewrap_c8 =
      concurrent_runs / reference.measure(wrapped, concurrent_runs, 8).seconds;
  latencies.native_c8 =
      concurrent_runs / sandbox.measure({.runs = concurrent_runs, .at_a_time = 8}).seconds;
  latencies.warm_c8 =
      concurrent_runs /
      sandbox.measure({.prepared = true, .runs = concurrent_runs, .at_a_time = 8}).seconds;
  latencies.allowlist = sandbox.measure({.allowlist = true, .runs = runs_per_round}).latencies;
  latencies.allowlist_warm =
      sandbox.measure({.prepared = true, .allowlist = true, .runs = runs_per_round}).latencies;
  auto [samples, rate] = dispatch_eight_at_a_time(bench, concurrent_runs);
  latencies.dispatch_c8_latency = std::move(samples);
  latencies.dispatch_c8 = rate;
  return latencies;
}

double measure_start(Bench& bench) {
  Samples samples;
  for (int i = 0; i < 15; ++i) {
    const auto start = Clock::now();
    const auto satellite = bench.connect();
    samples.push_back(micros_since(start));
  }
  return median(samples) / 1000;
}

double measure_output(Bench& bench) {
  const auto start = Clock::now();
  const std::string id =
      bench.begin("yes 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde | head -c " +
                  std::to_string(output_bytes));
  const auto run = bench.end(id);
  if (run.output_bytes != output_bytes) throw std::runtime_error("output was lost");
  return static_cast<double>(output_bytes) / micros_since(start);
}

/// Once nothing changes any more: the start is over, what stands ready was made anew. What a
/// launcher shares with its children counts a part for each, so a moment between two runs tells
/// nothing.
double size_at_rest(pid_t satellite) {
  double before = 0;
  for (int looks = 0; looks < 20; ++looks) {
    std::this_thread::sleep_for(std::chrono::seconds(looks == 0 ? 4 : 1));
    const double now = proportional_size_mb(process_family(satellite));
    if (std::abs(now - before) < 0.05) return now;
    before = now;
  }
  return before;
}

std::vector<Figure> measure_process() {
  Bench bench;
  const double start = measure_start(bench);
  const auto satellite = bench.connect();
  const double idle = size_at_rest(satellite->pid());
  return {
      {"start_to_authenticated", "exec -> authenticated over TLS", start, "ms", std::nullopt,
       "<= 50 ms"},
      {"idle_pss", "agent and launcher", idle, "MB", std::nullopt, "<= 10 MB"},
  };
}

/// What ten thousand runs leave behind in agent and launcher.
std::vector<Figure> measure_growth() {
  Bench bench;
  const auto satellite = bench.connect();
  // What is allocated once is there, what only the start needed was given back, and what runs work
  // with has come again.
  dispatch_eight_at_a_time(bench, 800);
  size_at_rest(satellite->pid());
  dispatch_eight_at_a_time(bench, 200);
  const double before = size_at_rest(satellite->pid());
  dispatch_eight_at_a_time(bench, 10'000);
  const double full = size_at_rest(satellite->pid());
  // The satellite remembers that many ids of runs; from here on it forgets as many as it learns.
  dispatch_eight_at_a_time(bench, 10'000);
  const double again = size_at_rest(satellite->pid());
  return {{"pss_growth", "agent and launcher, after 10 000 runs", full - before, "MB", std::nullopt,
           "<= 1 MB"},
          {"pss_growth_further", "after 10 000 more", again - full, "MB", std::nullopt, ""}};
}

std::vector<Distribution> distributions_of(const Latencies& latencies) {
  return {{"bare spawn", latencies.bare},          {"ready run", latencies.warm},
          {"cold run", latencies.native},          {"dispatched over TLS", latencies.dispatch},
          {"bubblewrap", latencies.bubblewrap},    {"allowlist, ready", latencies.allowlist_warm},
          {"allowlist, cold", latencies.allowlist}};
}

std::vector<Figure> measure_runs(std::vector<Distribution>& distributions, int rounds) {
  ReferenceProcess reference;
  SandboxProcess sandbox;
  // The core here shall not be what is measured: it keeps its memory, too.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
  Bench bench;
  std::filesystem::create_directory("/tmp/satellite-bench-scratch");
  std::filesystem::permissions("/tmp/satellite-bench-scratch", std::filesystem::perms::all);
  const auto satellite = bench.connect();
  const Latencies latencies =
      measure_latencies(bench, reference, sandbox, satellite->pid(), rounds);
  const double output = measure_output(bench);
  std::filesystem::remove("/tmp/satellite-bench-scratch");

  distributions = distributions_of(latencies);
  const double bare = median(latencies.bare);
  const auto times = [bare](double value) { return value / bare; };
  const double wrapped = median(latencies.bubblewrap);
  const double dispatch = median(latencies.dispatch);
  const double p99 = percentile_99(latencies.dispatch);
  std::vector<Figure> figures{
      {"bare", "posix_spawn of sh -c 'echo hi'", bare, "us", 1.0, ""},
      {"bare_p99", "", percentile_99(latencies.bare), "us", times(percentile_99(latencies.bare)),
       ""},
      {"bare_c8", "8 at a time", latencies.bare_c8, "runs/s", 1.0, ""},
      {"bubblewrap", "raw bubblewrap, same binds and limits", wrapped, "us", times(wrapped), ""},
      {"bubblewrap_p99", "", percentile_99(latencies.bubblewrap), "us",
       times(percentile_99(latencies.bubblewrap)), ""},
      {"bubblewrap_c8", "share of bare", latencies.bubblewrap_c8, "runs/s",
       latencies.bubblewrap_c8 / latencies.bare_c8, ""},
      {"native_cold", "every layer on and verified", median(latencies.native), "us",
       times(median(latencies.native)), "<= 4x, <= half of bubblewrap"},
      {"native_cold_p99", "", percentile_99(latencies.native), "us",
       times(percentile_99(latencies.native)), "<= 10x"},
      {"native_cold_c8", "share of bare", latencies.native_c8, "runs/s",
       latencies.native_c8 / latencies.bare_c8, ">= 0.30"},
      {"state_1mib", "a cold run that finds and keeps 1 MiB in 100 files", median(latencies.state),
       "us", times(median(latencies.state)), ""},
      {"native_warm", "the same from a run that stood ready", median(latencies.warm), "us",
       times(median(latencies.warm)), "<= 2x, then 1.5x"},
      {"native_warm_p99", "", percentile_99(latencies.warm), "us",
       times(percentile_99(latencies.warm)), ""},
      {"native_warm_c8", "8 of them at once, share of bare", latencies.warm_c8, "runs/s",
       latencies.warm_c8 / latencies.bare_c8, ">= 0.50"},
      {"dispatch", "dispatched over TLS -> finished", dispatch, "us", times(dispatch), ""},
      {"dispatch_p99", "", p99, "us", times(p99), ""},
      {"dispatch_c8", "share of bare", latencies.dispatch_c8, "runs/s",
       latencies.dispatch_c8 / latencies.bare_c8, ""},
      {"dispatch_c8_median", "one run, 8 at a time", median(latencies.dispatch_c8_latency), "us",
       times(median(latencies.dispatch_c8_latency)), ""},
      {"dispatch_c8_p99", "", percentile_99(latencies.dispatch_c8_latency), "us",
       times(percentile_99(latencies.dispatch_c8_latency)), ""},
      {"over_bubblewrap", "dispatch minus bubblewrap", dispatch - wrapped, "us",
       times(dispatch - wrapped), "<= 500 us"},
      {"own_cpu_per_run", "agent and launcher", latencies.processor_per_run / 1000, "ms",
       times(latencies.processor_per_run), ""},
      {"output", "script to core over TLS", output, "MB/s", std::nullopt, ">= 150 MB/s"},
      {"allowlist_cold", "own network, filter, uplink made for the run",
       median(latencies.allowlist), "us", times(median(latencies.allowlist)), "<= 12x"},
      {"allowlist_cold_p99", "", percentile_99(latencies.allowlist), "us",
       times(percentile_99(latencies.allowlist)), ""},
      {"allowlist_warm", "the same from a run that stood ready", median(latencies.allowlist_warm),
       "us", times(median(latencies.allowlist_warm)), "<= 3x"},
      {"allowlist_warm_p99", "", percentile_99(latencies.allowlist_warm), "us",
       times(percentile_99(latencies.allowlist_warm)), ""},
  };
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  std::string json_file;
  std::string part = "all", plot_file;
  std::vector<Distribution> distributions;
  int rounds = rounds_default;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0 && i + 1 < argc) json_file = argv[++i];
    if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) part = argv[++i];
    if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
      rounds = std::max(1, std::atoi(argv[++i]));
    }
    if (std::strcmp(argv[i], "--plot") == 0 && i + 1 < argc) plot_file = argv[++i];
  }
  try {
    std::vector<Figure> figures;
    const auto measure = [&](const char* name, auto measure_part) {
      if (part != "all" && part != name) return;
      for (Figure& figure : measure_part()) figures.push_back(std::move(figure));
    };
    measure("process", measure_process);
    measure("launches", [rounds] { return measure_launches(rounds); });
    measure("runs", [&] { return measure_runs(distributions, rounds); });
    measure("growth", measure_growth);
    measure("layers", measure_layers);
    measure("host_view", measure_host_view);
    measure("core", measure_core);
    measure("checks", measure_checks);
    measure("modules", measure_modules);
    measure("packages", measure_packages);
    measure("outbox", measure_outbox);
    print_table(figures);
    if (!plot_file.empty() && !distributions.empty()) {
      std::ofstream(plot_file) << plot(distributions);
    }
    // A part is for looking at; the file always holds the whole.
    if (part == "all" && !json_file.empty() && !write_json(figures, json_file)) {
      std::cerr << "satellite_bench: cannot write " << json_file << '\n';
      return 1;
    }
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "satellite_bench: " << problem.what() << '\n';
    return 1;
  }
}
