#include "tests/end_to_end/recording.hpp"

#include <fstream>
#include <regex>
#include <stdexcept>

namespace satellite::tests {

using nlohmann::json;

namespace {

std::string members_of(json reply) {
  reply.erase("type");
  reply.erase("requestId");
  const std::string text = reply.dump();
  return text.substr(1, text.size() - 2);
}

void take_secrets(const json& request, const json& reply, Recording& recording) {
  const std::string config_id = request.at("configId");
  if (reply.at("type") == "run_secrets") {
    const std::string entry = request.at("collectorId");
    recording.secrets.run[config_id + '/' + entry] = members_of(reply);
    return;
  }
  recording.secrets.config[config_id] = members_of(reply);
  for (const auto& entry : reply.value("collectors", json::object())) {
    for (const auto& value : entry) recording.config_secrets.push_back(value);
  }
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string written_out(const std::string& output) {
  static const std::regex short_form("<\\+([0-9]{1,8}) (.)>$");
  std::smatch found;
  if (!std::regex_search(output, found, short_form)) return output;
  return found.prefix().str() + std::string(std::stoul(found[1].str()), *found[2].first);
}

constexpr const char* no_runtime =
    "no JavaScript runtime: sandbox.module_runtime is none on this satellite";

json without_runtime() {
  return {{"_collectorId", "healthcheck-script.inline-script"},
          {"_collectorError", no_runtime},
          {"success", false},
          {"message", no_runtime},
          {"timedOut", false}};
}

void write_out(json& entry, const Recording& recording) {
  for (const char* stream : {"stdout", "stderr"}) {
    if (!entry.contains(stream)) continue;
    std::string text = written_out(entry.at(stream));
    for (const std::string& secret : recording.config_secrets) replace_all(text, secret, "****");
    entry[stream] = text;
  }
}

json collectors_of(const RecordedStage& stage, const std::string& config_id) {
  for (const json& assignment : stage.assignments) {
    if (assignment.at("configId") == config_id)
      return assignment.value("collectors", json::array());
  }
  return json::array();
}

}  // namespace

std::string result_key(const json& result) {
  return result.at("configId").get<std::string>() + '/' + result.at("environmentId").dump();
}

Recording recording_in(const std::string& path) {
  Recording recording;
  std::map<std::string, json> requests;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const json entry = json::parse(line);
    if (!entry.contains("frame")) continue;
    const json& frame = entry.at("frame");
    const std::string type = frame.at("type");
    if (type == "authenticated" || type == "config_updated" || type == "sandbox_policy") {
      json assignments = frame.contains("assignments") ? frame.at("assignments")
                                                       : recording.stages.back().assignments;
      recording.stages.push_back({frame, std::move(assignments), {}});
    } else if (type == "request_run_secrets" || type == "request_config_secrets") {
      requests[frame.at("requestId")] = frame;
    } else if (type == "run_secrets" || type == "config_secrets") {
      take_secrets(requests.at(frame.at("requestId")), frame, recording);
    } else if (type == "result") {
      recording.stages.back().results[result_key(frame)] = frame;
    }
  }
  if (recording.stages.empty()) throw std::runtime_error(path + " is no recording");
  return recording;
}

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
    if (!entry.value("timedOut", false)) continue;
    entry["stdout"] = "";
    entry["stderr"] = entry.at("_collectorError");
  }
  return result;
}

json expected_of_ours(const Recording& recording, const RecordedStage& stage, json theirs) {
  theirs = comparable(std::move(theirs));
  if (!theirs["result"]["metadata"].contains("collectors")) return theirs;
  json& entries = theirs["result"]["metadata"]["collectors"];
  std::string failure;
  for (const json& collector : collectors_of(stage, theirs.at("configId"))) {
    const std::string id = collector.at("id"), kind = collector.at("collectorId");
    std::string error;
    if (!entries.contains(id)) {
      error = "Error: Collector " + kind + " not found in satellite";
      entries[id] = {{"_collectorId", kind}, {"error", error}};
    } else if (kind == "healthcheck-script.inline-script") {
      error = no_runtime;
      entries[id] = without_runtime();
    } else {
      write_out(entries[id], recording);
    }
    if (failure.empty()) failure = error;
  }
  if (failure.empty()) return theirs;
  theirs["status"] = theirs["result"]["status"] = "unhealthy";
  theirs["result"]["message"] = "Check failed: " + failure;
  return theirs;
}

}  // namespace satellite::tests
