#include "tests/devcore/printer.hpp"

#include "protocol/wire_words.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

namespace satellite::devcore {
namespace {

/// `fs=enforced network=enforced …` from a report; the whole text when it has another shape.
std::string layers_in(const std::string& sandbox_json) {
  const auto report = nlohmann::json::parse(sandbox_json, nullptr, false);
  if (!report.is_object() || !report.contains("layers")) return sandbox_json;
  std::string line = "engine=" + report.value("engine", std::string("?"));
  for (const auto& layer : report["layers"]) {
    line +=
        ' ' + layer.value("layer", std::string("?")) + '=' + layer.value("state", std::string("?"));
  }
  for (const auto& downgrade : report.value("downgrades", nlohmann::json::array())) {
    line += "\n    downgrade: " + downgrade.value("layer", std::string("?")) + ": " +
            downgrade.value("reason", std::string("?"));
  }
  return line;
}

}  // namespace

void Printer::show(const std::string&, const protocol::AgentMessage& message) {
  std::visit([this](const auto& one) { show_one(one); }, message);
  std::cout.flush();
}

void Printer::show_event(const std::string& what) {
  std::cout << what << std::endl;
}

void Printer::show_one(const protocol::ScriptAccepted& message) {
  std::cout << message.run_id.text << " accepted, position " << message.position << '\n';
}

void Printer::show_one(const protocol::ScriptRejected& message) {
  std::cout << message.run_id.text << " rejected: " << message.message << '\n';
  ++finished_runs_;
  all_succeeded_ = false;
}

void Printer::show_one(const protocol::ScriptStarted& message) {
  std::cout << message.run_id.text << " started: " << layers_in(message.sandbox_json) << '\n';
}

void Printer::show_one(const protocol::ScriptOutput& message) {
  std::cout << message.bytes;
}

void Printer::show_one(const protocol::ScriptFinished& message) {
  std::cout << message.run_id.text << " finished: " << message.outcome << ", exit code "
            << message.exit_code << ", " << message.duration.count() << " ms, "
            << message.bytes_standard_output.value << " + " << message.bytes_standard_error.value
            << " bytes" << (message.output_truncated ? ", truncated" : "");
  if (message.error) std::cout << ", " << *message.error;
  std::cout << "\n    " << layers_in(message.sandbox_json) << '\n';
  ++finished_runs_;
  if (message.exit_code != 0) all_succeeded_ = false;
}

void Printer::show_one(const protocol::ScriptStatus& message) {
  constexpr const char* states[] = {"queued", "running", "finished", "unknown"};
  std::cout << message.run_id.text << " is " << states[static_cast<int>(message.state)] << '\n';
}

void Printer::show_one(const protocol::CheckResult& message) {
  std::cout << "result of check " << message.config_id.text << '\n';
}

}  // namespace satellite::devcore
