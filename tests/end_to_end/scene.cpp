#include "tests/end_to_end/scene.hpp"

#include "tests/devcore/temporary_certificate.hpp"

#include <unistd.h>
#include <atomic>
#include <catch2/catch.hpp>

namespace satellite::tests {

const char* const default_policy = R"({"enabled":true,"onUnavailable":"fail",
 "resources":{"cpuSeconds":60,"memoryBytes":536870912,"maxOpenFiles":1024,"maxProcesses":256,
              "maxOutputBytes":5242880,"maxFileSizeBytes":268435456},
 "filesystem":{"mode":"scratch-plus-ro"},
 "network":{"mode":"allowlist","allow":[],"denyLinkLocalAndMetadata":true},
 "privilege":{"mode":"drop-to-uid"}})";

const char* const open_network_policy = R"({"onUnavailable":"fail",
 "resources":{"maxOutputBytes":5242880},"filesystem":{"mode":"scratch-plus-ro"},
 "network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false},
 "privilege":{"mode":"drop-to-uid"}})";

std::string policy_with_output_cap(std::size_t bytes) {
  std::string policy = default_policy;
  const std::string original = "5242880";
  return policy.replace(policy.find(original), original.size(), std::to_string(bytes));
}

Scene::Options Scene::with_policy(std::optional<std::string> policy) {
  Options options;
  options.core.policy = std::move(policy);
  return options;
}

Scene::Scene() : Scene(with_policy(default_policy)) {}

Scene::Scene(Options options) : core_settings_(std::move(options.core)) {
  core_settings_.tokens.emplace("satellite-1", "csat_right");
  // Signed here once, so that a core that comes back is the same core.
  auto authority = tls::TemporaryAuthority::create();
  auto other_authority = tls::TemporaryAuthority::create();
  REQUIRE(authority);
  REQUIRE(other_authority);
  auto certificate = authority->sign(core_settings_.certificate_request);
  REQUIRE(certificate);
  core_settings_.certificate = *std::move(certificate);
  const bool takes_any = core_settings_.port == 0 && core_settings_.address == "127.0.0.1";
  if (takes_any) core_settings_.port = port_.emplace().number();
  start_core();
  core_settings_.port = core_->port();

  const std::string trusted =
      (options.trusts_the_core ? authority : other_authority)->certificate_pem();
  std::map<std::string, std::string> environment{
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"HOME", "/nonexistent"},
      {"CHECKSTACK_CORE_URL",
       "https://" + options.host + ":" + std::to_string(core_settings_.port)},
      {"CHECKSTACK_SATELLITE_CLIENT_ID", "satellite-1"},
      {"CHECKSTACK_SATELLITE_TOKEN", "csat_right"},
      {"CHECKSTACK_SATELLITE_FIRST_RUN_WITHIN", "1"},
      {"CHECKSTACK_SATELLITE_CA_FILE", files_.write("ca.pem", trusted)}};
  state_directory_ =
      options.state_directory.empty() ? files_.path() / "state" : options.state_directory;
  environment["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = state_directory_.string();
  // A fleet that comes back spread over seconds is of no use to one satellite that a test waits
  // for.
  environment["CHECKSTACK_SATELLITE_RECONNECT_SPREAD"] = "0";
  if (::geteuid() == 0 && options.settings_file.empty()) {
    environment["CHECKSTACK_SANDBOX_UID"] = script_user_of_root;
  }
  for (const auto& [name, value] : options.environment) environment[name] = value;
  start_ = {{"run"}, environment, (files_.path() / "log").string()};
  if (!options.settings_file.empty()) {
    start_.arguments.insert(start_.arguments.end(),
                            {"--config", files_.write("satellite.toml", options.settings_file)});
  }
  start_satellite();
  if (!options.waits_until_connected) return;
  const auto authenticated = core_->wait_until_authenticated();
  INFO(satellite_->log());
  REQUIRE(authenticated);
}

void Scene::start_satellite() {
  satellite_ = std::make_unique<SatelliteProcess>(start_);
}

const std::vector<nlohmann::json>& Scene::results() {
  for (const std::string& text : core_->ledger().frames("result", results_.size())) {
    results_.push_back(nlohmann::json::parse(text));
  }
  return results_;
}

void Scene::end_satellite(int signal) {
  satellite_->signal(signal);
  satellite_->wait();
}

void Scene::start_core() {
  auto started = devcore::DevCore::start(core_settings_);
  if (!started) FAIL(started.error().message);
  core_ = *std::move(started);
}

devcore::CollectedRun Scene::run(const std::string& text) {
  return run(script(text));
}

devcore::CollectedRun Scene::run(protocol::RunScript message) {
  const std::string id = message.run_id.text;
  core_->dispatch(std::move(message));
  auto finished = core_->wait_finished(id);
  INFO(satellite_->log());
  if (!finished) FAIL(finished.error().message);
  CHECK(finished->violations.empty());
  return *std::move(finished);
}

void Scene::wait_for_log(const std::string& words) {
  const auto says_so = [&] { return satellite_->log().find(words) != std::string::npos; };
  eventually("the log says " + words, says_so, *satellite_);
}

protocol::RunScript script(const std::string& text) {
  static std::atomic<unsigned> number{0};
  protocol::RunScript message;
  message.run_id = RunId("run-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
  message.script = text;
  message.timeout = std::chrono::seconds(60);
  return message;
}

}  // namespace satellite::tests
