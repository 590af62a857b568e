#include "tests/benchmarks/core_figures.hpp"

#include "sandbox/capture/capped_output.hpp"
#include "sandbox/planning/build_plan.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "sandbox/running/runner.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace satellite::benchmarks {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr int batches = 60;
constexpr int calls_per_batch = 50;
constexpr int pipe_size = 256 << 10;
constexpr std::uint64_t captured_bytes = 512ULL << 20U;

/// Median over batches, for calls too short for the clock. Returns microseconds.
template <typename Call>
double median_of(const Call& call) {
  Samples samples;
  for (int batch = 0; batch < batches; ++batch) {
    const auto start = Clock::now();
    for (int i = 0; i < calls_per_batch; ++i) call();
    const std::chrono::duration<double, std::micro> taken = Clock::now() - start;
    samples.push_back(taken.count() / calls_per_batch);
  }
  return median(std::move(samples));
}

double measure_plan() {
  sandbox::HostFacts facts;
  facts.euid_is_root = facts.launcher_drops_privilege = facts.launcher_sets_rlimits = true;
  facts.native_engine = facts.user_namespaces = facts.net_namespaces = true;
  const sandbox::ResolvedPolicy policy{sandbox::shipped_default_policy(), false};
  return median_of([&] {
    sandbox::RunInputs inputs;
    inputs.command = {"sh", "-c", "echo hi"};
    inputs.base_environment = {{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
    inputs.environment = {{"CHECKSTACK_CHECK_ID", "1"}, {"TARGET", "example.org"}};
    inputs.scratch_directory = "/tmp/satellite-bench/run-1";
    inputs.default_identity = sandbox::Identity{65'532, 65'532};
    inputs.launcher_makes_network = true;
    const auto decision =
        sandbox::build_plan(policy, facts, std::move(inputs), sandbox::this_host_paths());
    if (!std::holds_alternative<sandbox::Plan>(decision)) throw std::runtime_error("no plan");
  });
}

double measure_policy_parse() {
  constexpr std::string_view text = R"({"enabled":true,"onUnavailable":"fail",
    "resources":{"cpuSeconds":60,"memoryBytes":536870912,"maxOpenFiles":1024,"maxProcesses":256,
                 "maxOutputBytes":1048576,"maxFileSizeBytes":268435456},
    "filesystem":{"mode":"scratch-plus-ro","scratchBytes":268435456},
    "network":{"mode":"allowlist","allow":["192.0.2.0/24","198.51.100.7","2001:db8::/48"],
               "denyLinkLocalAndMetadata":true},
    "privilege":{"mode":"drop-to-uid","uid":65532,"gid":65532}})";
  return median_of([&] {
    if (!sandbox::parse_policy(text)) throw std::runtime_error("the policy is not valid");
  });
}

struct Counter : sandbox::RunObserver {
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}
  asio::awaitable<void> output(sandbox::OutputStream, std::string_view bytes) override {
    seen += bytes.size();
    co_return;
  }
  std::uint64_t seen = 0;
};

void write_lines(int fd) {
  std::string block;
  while (block.size() < 64U << 10U)
    block += "a line of output such as checks print by the thousand\n";
  block.resize(64U << 10U);
  for (std::uint64_t sent = 0; sent < captured_bytes; sent += block.size()) {
    for (std::size_t done = 0; done < block.size();) {
      const ssize_t written = ::write(fd, block.data() + done, block.size() - done);
      if (written <= 0) return;
      done += static_cast<std::size_t>(written);
    }
  }
  ::close(fd);
}

/// Megabytes per second through masker, cap and code points, with one secret to look for.
double measure_capture() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  ::fcntl(ends[0], F_SETPIPE_SZ, pipe_size);
  asio::io_context context(1);
  Counter counter;
  const sandbox::SecretPatterns secrets({"correct horse battery staple"});
  sandbox::CappedOutput output(context, sandbox::OutputBudget(std::nullopt), secrets, counter);
  const auto start = Clock::now();
  std::thread writer(write_lines, ends[1]);
  asio::co_spawn(context, output.read(sandbox::OutputStream::standard_output, UniqueFd(ends[0])),
                 asio::detached);
  context.run();
  const std::chrono::duration<double> taken = Clock::now() - start;
  writer.join();
  if (counter.seen != captured_bytes) throw std::runtime_error("the capture lost output");
  return static_cast<double>(captured_bytes) / 1e6 / taken.count();
}

}  // namespace

std::vector<Figure> measure_core() {
  return {
      {"plan", "policy and host to plan", measure_plan(), "us", std::nullopt, "<= 20 us"},
      {"policy_parse", "text to checked policy", measure_policy_parse(), "us", std::nullopt,
       "<= 50 us"},
      {"capture", "pipe through masker and cap", measure_capture(), "MB/s", std::nullopt,
       ">= 600 MB/s"},
  };
}

}  // namespace satellite::benchmarks
