#pragma once

#include "tests/devcore/devcore.hpp"
#include "tests/support/loopback_port.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace satellite::tests {

/// The policies the tests relay, as a core writes them.
extern const char* const default_policy;       ///< every layer, nothing degraded, no egress
extern const char* const open_network_policy;  ///< the same, but on the host's network

/// A policy with one value of `resources` replaced.
std::string policy_with_output_cap(std::size_t bytes);

/// A real core, a real satellite, and TLS between them.
class Scene {
 public:
  struct Options {
    devcore::Settings core;
    std::map<std::string, std::string> environment;  ///< on top of what a satellite needs
    std::string settings_file;                       ///< TOML, beside it
    std::filesystem::path state_directory;           ///< empty = one of its own
    std::string host = "127.0.0.1";                  ///< as the satellite's core URL names it
    bool trusts_the_core = true;                     ///< false: another authority is trusted
    bool waits_until_connected = true;
  };
  /// What the scripts of a satellite of root become, unless it has a settings file. Not the user
  /// that other tests run as: what is counted by user is counted over all of them.
  static constexpr const char* script_user_of_root = "65529";

  /// Core with the default policy, satellite connected.
  Scene();
  explicit Scene(Options options);
  static Options with_policy(std::optional<std::string> policy);

  devcore::DevCore& core() { return *core_; }
  SatelliteProcess& satellite() { return *satellite_; }

  /// Dispatches a shell script and waits for its end.
  devcore::CollectedRun run(const std::string& script);
  devcore::CollectedRun run(protocol::RunScript message);
  void wait_for_log(const std::string& words);

  /// Every result that this core has got, in order, each parsed once however often they are asked
  /// for: one may have 15 MB.
  const std::vector<nlohmann::json>& results();

  /// Ends the satellite as kill -9 or a service manager does.
  void end_satellite(int signal = SIGKILL);
  /// The same one again: same settings, same state directory.
  void start_satellite();
  std::filesystem::path state_directory() const { return state_directory_; }
  std::filesystem::path authority_file() const { return files_.path() / "ca.pem"; }
  std::filesystem::path log_file() const { return start_.log_file; }

  /// The core is gone; start_core brings it back on the same port with the same identity.
  void stop_core() {
    core_.reset();
    results_.clear();
  }
  void start_core();

 private:
  TempDir files_;
  devcore::Settings core_settings_;
  std::optional<ReservedPort> port_;  ///< so that it is there when the core comes back
  std::unique_ptr<devcore::DevCore> core_;
  SatelliteProcess::Start start_;
  std::filesystem::path state_directory_;
  std::unique_ptr<SatelliteProcess> satellite_;
  std::vector<nlohmann::json> results_;
};

/// A run_script with a fresh id and 60 s to live.
protocol::RunScript script(const std::string& text);

}  // namespace satellite::tests
