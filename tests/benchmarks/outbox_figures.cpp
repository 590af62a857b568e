#include "tests/benchmarks/outbox_figures.hpp"

#include "agent/storage/store.hpp"
#include "protocol/encode.hpp"
#include "tests/benchmarks/process_figures.hpp"
#include "tests/devcore/devcore.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>

namespace satellite::benchmarks {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t spooled = 100'000;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A result as a check of one collector makes it, with a whole report: about 1.1 KB.
std::string result_frame() {
  protocol::CheckResult result;
  result.config_id = ConfigId("7d0c2f4e-0000-4000-8000-000000000001");
  result.system_id = SystemId("7d0c2f4e-0000-4000-8000-000000000002");
  result.status = protocol::HealthStatus::healthy;
  result.executed_at = std::chrono::system_clock::now();
  result.result_json = R"({"status":"healthy","message":")" + std::string(900, 'x') + "\"}";
  return protocol::encode(result);
}

/// Writes so many results as the satellite does, all that wait in one transaction; how many a
/// second, until the last was synced.
double write_results(const std::filesystem::path& directory, std::uint64_t count) {
  std::filesystem::create_directories(directory);
  boost::asio::io_context context;
  agent::Store::Settings settings;
  settings.file = (directory / "outbox.db").string();
  agent::Store store(context, settings);
  store.open();
  const std::string frame = result_frame();
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto start = Clock::now();
  bool synced = false;
  for (std::uint64_t seq = 1; seq <= count; ++seq) {
    agent::PutMessage put{
        {seq, agent::Lane::results, static_cast<std::uint32_t>(frame.size()), now.count()}, frame};
    store.write(
        std::move(put), [&synced, seq, count](bool done) { synced = done && seq == count; },
        seq == count ? agent::Durability::synced : agent::Durability::written);
    if (seq % 64 == 0) context.poll();
  }
  while (!synced) {
    context.restart();
    context.run_for(1ms);
    if (seconds_since(start) > 60) throw std::runtime_error("results are not written");
  }
  return static_cast<double>(count) / seconds_since(start);
}

struct Replayed {
  double start_seconds = 0, size_mb = 0, per_second = 0;
};

Replayed start_with_spool(const tests::TempDir& files, const std::filesystem::path& directory) {
  devcore::Settings settings;
  settings.tokens.emplace("bench", "csat_bench");
  settings.extensions = {};
  auto core = devcore::DevCore::start(std::move(settings));
  if (!core) throw std::runtime_error(core.error().message);
  const auto start = Clock::now();
  tests::SatelliteProcess satellite(
      {{"run"},
       {{"PATH", "/usr/bin:/bin"},
        {"CHECKSTACK_CORE_URL", (*core)->url()},
        {"CHECKSTACK_SATELLITE_CLIENT_ID", "bench"},
        {"CHECKSTACK_SATELLITE_TOKEN", "csat_bench"},
        {"CHECKSTACK_SATELLITE_STATE_DIRECTORY", directory.string()},
        {"CHECKSTACK_SATELLITE_CA_FILE", files.write("ca.pem", (*core)->ca_pem())}},
       (files.path() / "log").string()});
  const auto arrived = [&core](std::uint64_t count) {
    const bool came = (*core)->ledger().wait(60s, [count](const devcore::Ledger& ledger) {
      return ledger.counters_locked().frames >= count;
    });
    if (!came) throw std::runtime_error("results do not arrive");
  };
  // The first result shows that what waited was found.
  arrived(2);
  Replayed replayed;
  replayed.start_seconds = seconds_since(start);
  replayed.size_mb = proportional_size_mb(process_family(satellite.pid()));
  const auto replay = Clock::now();
  constexpr std::uint64_t measured = 20'000;
  arrived(measured);
  replayed.per_second = static_cast<double>(measured) / seconds_since(replay);
  return replayed;
}

}  // namespace

std::vector<Figure> measure_outbox() {
  const tests::TempDir files;
  const auto directory = files.path() / "state";
  const double writes = write_results(files.path() / "writes", 20'000);
  write_results(directory, spooled);
  const Replayed replayed = start_with_spool(files, directory);
  return {
      {"outbox_writes", "results written and synced", writes, "1/s", std::nullopt, ">= 5000/s"},
      {"outbox_start", "exec -> first of 100 000 waiting results at the core",
       1'000 * replayed.start_seconds, "ms", std::nullopt, "< 1 s"},
      {"outbox_start_pss", "agent and launcher then", replayed.size_mb, "MB", std::nullopt,
       "< 30 MB"},
      {"outbox_replay", "waiting results at the core over TLS", replayed.per_second, "1/s",
       std::nullopt, ">= 2000/s"},
  };
}

}  // namespace satellite::benchmarks
