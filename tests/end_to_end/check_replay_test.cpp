// The core's side of a real conversation, said again to this satellite: what it answers must be
// what the existing satellite answered, up to ids, times and our additions.
#include "tests/end_to_end/check_scene.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <map>

using namespace satellite;
using namespace satellite::tests;

namespace {

struct Conversation {
  json authenticated;
  std::map<std::string, json> results;  ///< by check and environment, the first of each
  devcore::SecretReplies secrets;
};

std::string key_of(const json& result) {
  return result.at("configId").get<std::string>() + '/' + result.at("environmentId").dump();
}

std::string members_of(json reply) {
  reply.erase("type");
  reply.erase("requestId");
  const std::string text = reply.dump();
  return text.substr(1, text.size() - 2);
}

Conversation conversation_in(const std::string& path) {
  Conversation conversation;
  std::map<std::string, json> requests;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const json frame = json::parse(line).at("frame");
    const std::string type = frame.at("type");
    if (type == "authenticated") conversation.authenticated = frame;
    if (type == "config_updated") break;  // what follows belongs to other sets
    if (type == "request_run_secrets" || type == "request_config_secrets") {
      requests[frame.at("requestId")] = frame;
    } else if (type == "run_secrets") {
      const json& request = requests.at(frame.at("requestId"));
      const std::string entry = request.at("collectorId");
      conversation.secrets.run[request.at("configId").get<std::string>() + '/' + entry] =
          members_of(frame);
    } else if (type == "config_secrets") {
      const json& request = requests.at(frame.at("requestId"));
      conversation.secrets.config[request.at("configId")] = members_of(frame);
    } else if (type == "result") {
      conversation.results.emplace(key_of(frame), frame);
    }
  }
  return conversation;
}

/// Without ids of the moment, times, and what we add.
json comparable(json result) {
  result.erase("executedAt");
  result.erase("latencyMs");
  json& inner = result["result"];
  inner.erase("latencyMs");
  if (inner.at("message").get<std::string>().rfind("Completed in ", 0) == 0) {
    inner["message"] = "Completed";
  }
  inner["metadata"].erase("connectionTimeMs");
  if (!inner["metadata"].contains("collectors")) return result;
  for (auto& [id, entry] : inner["metadata"]["collectors"].items()) {
    for (const char* name : {"executionTimeMs", "_sandbox", "outputTruncated", "droppedEnv"}) {
      entry.erase(name);
    }
    // We keep what a script had written when its time was up; the existing satellite drops it.
    if (entry.value("timedOut", false)) entry["stdout"] = "";
  }
  return result;
}

/// Where we answer otherwise on purpose, and why.
bool differs_on_purpose(const std::string& config_id) {
  // Inline scripts have no runtime here yet; a config secret is masked, theirs is told; the copy
  // of the truncated output in the recording is shortened.
  return config_id.rfind("cfg-esm", 0) == 0 || config_id == "cfg-two-collectors" ||
         config_id == "cfg-config-secret" || config_id == "cfg-trunc";
}

}  // namespace

TEST_CASE("said what a real core said, this satellite answers what the existing one answered") {
  const char* const path = std::getenv("SATELLITE_TRANSCRIPT");
  if (path == nullptr) {
    WARN("SATELLITE_TRANSCRIPT names no recording: nothing was replayed");
    return;
  }
  const Conversation conversation = conversation_in(path);
  REQUIRE(conversation.results.size() > 10);
  Scene::Options options = Scene::with_policy(default_policy);
  options.core.assignments = conversation.authenticated.at("assignments").dump();
  options.core.secrets = conversation.secrets;
  options.environment["CHECKSTACK_SATELLITE_CHECK_CONCURRENCY"] = "16";
  Scene scene(std::move(options));
  std::map<std::string, json> ours;
  eventually(
      "every recorded check has its result",
      [&] {
        for (const std::string& text : scene.core().ledger().frames("result")) {
          const json result = json::parse(text);
          ours.emplace(key_of(result), result);
        }
        return ours.size() >= conversation.results.size();
      },
      std::chrono::seconds(60));
  CHECK(scene.core().ledger().invalid_frames().empty());
  std::size_t compared = 0;
  for (const auto& [key, theirs] : conversation.results) {
    INFO(key);
    REQUIRE(ours.count(key) == 1);
    if (differs_on_purpose(theirs.at("configId"))) continue;
    CHECK(comparable(ours.at(key)) == comparable(theirs));
    ++compared;
  }
  CHECK(compared >= 9);
}
