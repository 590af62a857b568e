#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/agent/status/example_status.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace satellite;
using namespace satellite::agent;
using satellite::tests::example_status;

namespace {

struct Family {
  std::string type;
  bool has_help = false;
  std::map<std::string, double> samples;  ///< name and labels as they stand there
};

/// The text format 0.0.4 as its description has it; whatever is wrong fails the test.
std::map<std::string, Family> families_of(const std::string& text) {
  static const std::regex comment("# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)");
  static const std::regex sample(
      "([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\","
      "?)+\\})? ([0-9.eE+-]+|[+-]Inf|NaN)");
  REQUIRE(text.ends_with("\n"));
  std::map<std::string, Family> families;
  std::string current, line;
  std::istringstream lines(text);
  while (std::getline(lines, line)) {
    CAPTURE(line);
    std::smatch match;
    if (std::regex_match(line, match, comment)) {
      Family& family = families[match[2]];
      // All of one family stand together, its explanation first.
      REQUIRE((match[2] == current || family.samples.empty()));
      current = match[2];
      if (match[1] == "HELP") family.has_help = true;
      if (match[1] == "TYPE") family.type = match[3];
      continue;
    }
    REQUIRE(std::regex_match(line, match, sample));
    const std::string name = match[1];
    const bool is_histogram = families[current].type == "histogram";
    REQUIRE((name == current || (is_histogram && name.rfind(current + "_", 0) == 0)));
    REQUIRE(families[current]
                .samples.emplace(name + std::string(match[2]), std::stod(match[3]))
                .second);
  }
  return families;
}

}  // namespace

TEST_CASE("the metrics are well-formed families of series that are named as is usual") {
  const auto families = families_of(metrics_text(example_status()));
  CHECK(families.size() >= 25);
  for (const auto& [name, family] : families) {
    CAPTURE(name);
    CHECK(name.rfind("checkstack_satellite_", 0) == 0);
    CHECK(family.has_help);
    CHECK(std::set<std::string>{"counter", "gauge", "histogram"}.count(family.type) == 1);
    CHECK((family.type == "counter") == name.ends_with("_total"));
  }
}

TEST_CASE("the metrics say what the status says") {
  const auto families = families_of(metrics_text(example_status()));
  const auto value = [&families](const std::string& family, const std::string& labels = {}) {
    const std::string name = "checkstack_satellite_" + family;
    return families.at(name).samples.at(name + labels);
  };
  CHECK(value("connected") == 0);
  CHECK(value("connection_attempts_total") == 9);
  CHECK(value("sent_bytes_total") == 123'456'789);
  CHECK(value("runs_total", "{kind=\"dispatched\",outcome=\"exited\"}") == 1);
  CHECK(value("runs_total", "{kind=\"check\",outcome=\"refused\"}") == 1);
  CHECK(value("run_rejections_total", "{code=\"queue_full\"}") == 1);
  CHECK(value("queue_runs") == 3);
  CHECK(value("outbox_messages") == 17);
  CHECK(value("outbox_oldest_age_seconds") == 305);
  CHECK(value("degraded", "{state=\"outbox\"}") == 1);
  CHECK(value("degraded", "{state=\"policy_missing\"}") == 0);
  CHECK(value("start_time_seconds") == 1'800'000'000.0 - 3'725);
  CHECK(value("prepared_hits_total") == 1);
}

TEST_CASE("every state that may be named as degraded is a series, whether it is there or not") {
  const auto status = example_status();
  const auto families = families_of(metrics_text(status));
  CHECK(families.at("checkstack_satellite_degraded").samples.size() == std::size(degraded_names));
  for (const auto& [name, why] : status.degraded) {
    CHECK(std::count(std::begin(degraded_names), std::end(degraded_names), name) == 1);
  }
}

TEST_CASE("histograms rise to their count, and a time on a bound belongs to its bucket") {
  Status status;
  sandbox::RunResult result;
  for (const int millis : {0, 10, 11, 3'600'000}) {
    result.duration = std::chrono::milliseconds(millis);
    status.runs.statistics.ended(RunOrigin::check, "check", result,
                                 std::chrono::milliseconds(millis));
  }
  const auto families = families_of(metrics_text(status));
  const auto& samples = families.at("checkstack_satellite_run_duration_seconds").samples;
  const std::string bucket = "checkstack_satellite_run_duration_seconds_bucket{le=\"";
  CHECK(samples.at(bucket + "0.01\"}") == 2);
  CHECK(samples.at(bucket + "0.05\"}") == 3);
  CHECK(samples.at(bucket + "1800\"}") == 3);
  CHECK(samples.at(bucket + "+Inf\"}") == 4);
  CHECK(samples.at("checkstack_satellite_run_duration_seconds_count") == 4);
  CHECK(samples.at("checkstack_satellite_run_duration_seconds_sum") == Approx(3'600.021));
}

TEST_CASE("promtool finds nothing to complain about") {
  constexpr const char* promtool = "/usr/bin/promtool";
  if (!tests::require_layer("promtool", ::access(promtool, X_OK) == 0,
                            "there is no promtool (Debian: prometheus)")) {
    return;
  }
  const tests::TempDir files;
  const std::string input = files.write("metrics", metrics_text(example_status()));
  const std::string output = (files.path() / "complaints").string();
  const std::string command =
      std::string(promtool) + " check metrics <" + input + " >" + output + " 2>&1";
  const int failed = std::system(command.c_str());
  std::ifstream stream(output);
  std::ostringstream complaints;
  complaints << stream.rdbuf();
  CHECK(complaints.str().empty());
  CHECK(failed == 0);
  // The control: it does complain.
  const std::string wrong = files.write("wrong", "x_total{ 1\n");
  CHECK(std::system(
            (std::string(promtool) + " check metrics <" + wrong + " >/dev/null 2>&1").c_str()) !=
        0);
}
