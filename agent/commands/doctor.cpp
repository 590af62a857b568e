#include "agent/commands/commands.hpp"
#include "agent/commands/core_trial.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/commands/running_satellite.hpp"
#include "agent/commands/terminal.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/connection/connection_record.hpp"
#include "agent/packages/packages_here.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/readiness.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/planning/shown_host.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"
#include "tls/system_authorities.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace satellite::agent {
namespace {

/// What was looked at, and by whom.
struct Examination {
  sandbox::HostFacts facts;
  sandbox::HostReadiness readiness;
  std::vector<CoreTrial> ways;  ///< to each core that is named
  std::string looked_as;        ///< and whose eyes the service has, if they are others

  bool is_well() const {
    return readiness.enforceable && std::all_of(ways.begin(), ways.end(), [](const auto& way) {
             return leads_there(way.steps);
           });
  }
  /// The last step of each way.
  bool knows_token() const {
    return std::all_of(ways.begin(), ways.end(), [](const auto& way) {
      return way.steps.back().state == WayStep::State::done;
    });
  }
};

const char* name_of(WayStep::State state) {
  return state == WayStep::State::done     ? "done"
         : state == WayStep::State::failed ? "failed"
                                           : "not tried";
}

nlohmann::ordered_json way_json(const CoreTrial& trial) {
  auto steps = nlohmann::ordered_json::array();
  for (const WayStep& step : trial.steps) {
    steps.push_back({{"name", step.name},
                     {"state", name_of(step.state)},
                     {"detail", step.detail},
                     {"remedy", step.remedy}});
  }
  return {{"core", trial.core.url()}, {"way", trial.way}, {"steps", std::move(steps)}};
}

/// Where the shipped policy holds without it, what is not here is optional; but no core is trusted
/// without authorities, and no shell script runs without a shell.
bool is_needed(const sandbox::CapabilityFinding& finding, const Examination& seen) {
  return !seen.readiness.enforceable || finding.name == "certificate_authorities" ||
         finding.name == "shell";
}

void print_json(const Examination& seen) {
  nlohmann::ordered_json answer;
  answer["ready"] = seen.readiness.enforceable;
  answer["lookedAs"] = seen.looked_as;
  answer["capabilities"] = nlohmann::json::array();
  for (const auto& finding : seen.facts.findings) {
    answer["capabilities"].push_back({{"name", finding.name},
                                      {"present", finding.present},
                                      {"needed", is_needed(finding, seen)},
                                      {"detail", finding.detail},
                                      {"remedy", finding.remedy}});
  }
  answer["ways"] = nlohmann::json::array();
  for (const CoreTrial& way : seen.ways) answer["ways"].push_back(way_json(way));
  answer["facts"] = sandbox::to_json(seen.facts);
  std::cout << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

std::string mark_of(const sandbox::CapabilityFinding& finding, const Examination& seen) {
  if (finding.present) return coloured(Colour::good, "ok       ");
  return is_needed(finding, seen) ? coloured(Colour::bad, "missing  ")
                                  : coloured(Colour::quiet, "optional ");
}

void print_text(const Examination& seen) {
  std::cout << seen.looked_as << "\n\n";
  std::size_t width = 0;
  for (const auto& finding : seen.facts.findings) width = std::max(width, finding.name.size());
  for (const auto& finding : seen.facts.findings) {
    std::cout << mark_of(finding, seen) << finding.name
              << std::string(width + 2 - finding.name.size(), ' ') << finding.detail << '\n';
    if (!finding.remedy.empty()) std::cout << "         remedy: " << finding.remedy << '\n';
  }
  for (const CoreTrial& way : seen.ways) print_trial(way);
  std::cout << (seen.readiness.enforceable
                    ? "\nThis host can enforce every layer of the shipped default policy"
                    : "\n" + seen.readiness.guidance);
  if (seen.ways.empty()) {
    std::cout << (seen.readiness.enforceable ? "." : "")
              << " No core is set here, so no way to one was tried.\n";
  } else if (!seen.is_well() && seen.readiness.enforceable) {
    std::cout << ", but a step on the way to the core failed.\n";
  } else if (seen.readiness.enforceable) {
    std::cout << ", and the way to the core is open"
              << (seen.knows_token() ? ".\n" : " up to the token, which was not tried.\n");
  } else {
    std::cout << '\n';
  }
}

/// Whom a connection would trust.
sandbox::CapabilityFinding authorities_finding(const Config& config) {
  sandbox::CapabilityFinding finding;
  finding.name = "certificate_authorities";
  if (!config.ca_file.empty() || !config.ca_directory.empty()) {
    const auto checked = check_authorities(config);
    finding.present = static_cast<bool>(checked);
    if (!config.ca_file.empty()) finding.detail = config.ca_file + " (tls.ca_file)";
    if (!config.ca_directory.empty()) {
      finding.detail +=
          (finding.detail.empty() ? "" : ", ") + config.ca_directory + " (tls.ca_directory)";
    }
    if (checked) return finding;
    finding.detail = checked.error().message;
    finding.remedy = "correct the file or directory, or the setting that names it";
    return finding;
  }
  const auto found = tls::find_system_authorities(tls::authorities_max);
  finding.present = static_cast<bool>(found);
  finding.detail = found ? tls::describe(*found) : found.error().message;
  if (!found) finding.remedy = "install ca-certificates, or name an authority in tls.ca_file";
  return finding;
}

/// Found as the first module run finds it: by letting it run a script.
boost::asio::awaitable<sandbox::CapabilityFinding> module_runtime_finding(sandbox::Runner& runner) {
  sandbox::CapabilityFinding finding;
  finding.name = "module_runtime";
  const auto found = co_await runner.find_module_runtime();
  finding.present = static_cast<bool>(found);
  finding.detail = found ? describe(*found) : found.error().message;
  if (!found) {
    finding.remedy =
        "install bun or node (18 or newer) where the satellite's PATH finds it, or name one in "
        "sandbox.module_runtime; shell scripts need none";
  }
  co_return finding;
}

sandbox::CapabilityFinding try_module_runtime(boost::asio::io_context& context,
                                              sandbox::Launcher& launcher, const Config& config,
                                              const sandbox::HostFacts& facts) {
  auto settings = runner_settings(config);
  settings.prepared_runs = settings.prepared_modules = 0;  // there is no run but the trial
  sandbox::Runner runner(context, launcher, facts, std::move(settings));
  sandbox::CapabilityFinding finding;
  std::exception_ptr failure;
  boost::asio::co_spawn(context, module_runtime_finding(runner),
                        [&](std::exception_ptr thrown, sandbox::CapabilityFinding tried) {
                          failure = thrown;
                          finding = std::move(tried);
                          context.stop();
                        });
  context.restart();
  context.run();
  if (failure) std::rethrow_exception(failure);
  return finding;
}

/// Whether packages can be unpacked here, found by starting the process that does it.
sandbox::CapabilityFinding script_packages_finding(const Config& config) {
  sandbox::CapabilityFinding finding;
  finding.name = "script_packages";
  const auto walls = try_unpacking(config.scratch_directory);
  finding.present = static_cast<bool>(walls);
  finding.detail = walls ? "unpacked behind " + *walls : walls.error().message;
  if (!walls) {
    finding.remedy =
        "packages need Landlock (Linux 5.13) or user namespaces around the process that unpacks "
        "them; scripts that import none need neither";
  }
  const auto here = packages_here(config);
  finding.detail += here ? "; " + std::to_string(here->packages) + " packages in use (" +
                               here->lockfile_hash.substr(0, 12) + ")"
                         : "; none are here";
  return finding;
}

/// `uid 0, capabilities 000001ffffffffff` of a process; empty where it cannot be read.
std::string privileges_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/status");
  std::string uid, capabilities;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, value;
    words >> name >> value;
    if (name == "Uid:") uid = value;
    if (name == "CapEff:") capabilities = value;
  }
  return uid.empty() ? std::string() : "uid " + uid + ", capabilities " + capabilities;
}

/// The satellite that runs here, in its own words; null = none answers, or none is to be asked.
nlohmann::json running_satellite(const Config& config) {
  if (config.status_socket == "none") return nullptr;
  const auto answer = ask_satellite(config, "/status.json");
  if (!answer) return nullptr;
  auto status = nlohmann::json::parse(answer->body, nullptr, false);
  return status.is_object() ? status : nlohmann::json::object();
}

/// Its process; the id is only for /proc.
std::string id_of(const nlohmann::json& running) {
  const auto id = running.find("processId");
  return id != running.end() && id->is_number_integer() ? std::to_string(id->get<long>())
                                                        : std::string();
}

std::string text_in(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Whoever has other privileges than the service sees what the service cannot do.
std::string eyes_of(const nlohmann::json& running) {
  const std::string own = privileges_of("self");
  const std::string looked = "Looked with the privileges of this command (" + own + ")";
  if (running.is_null()) {
    return looked + "; no satellite answers here: under a service unit it may be able to do less.";
  }
  const std::string other = privileges_of(id_of(running));
  if (other == own) return looked + ", which are those of the satellite that runs here.";
  return looked + "; the satellite that runs here has others (" +
         (other.empty() ? "unknown" : other) +
         "): what it can do is told by checkstack-satellite status.";
}

/// A token is shown only where no satellite runs: the core has one connection for each id, and the
/// running one would lose it. What that one knows of its token is told instead.
WayStep token_beside(const Config& config, const nlohmann::json& running) {
  WayStep step{"token", WayStep::State::not_tried, "not shown to the core: ", {}};
  if (running.is_null()) {
    step.detail += "whether a satellite runs here is not known (status.socket is none)";
    return step;
  }
  const auto connection = running.value("connection", nlohmann::json());
  if (text_in(connection, "clientId") != config.client_id) {
    step.detail += "the satellite that runs here has another id";
  } else if (text_in(connection, "state") == "connected") {
    step.state = WayStep::State::done;
    step.detail = "the satellite that runs here is connected with it";
  } else if (text_in(connection, "lastReason") == refused_in_words) {
    step.state = WayStep::State::failed;
    step.detail = "the core refused id or token of the satellite that runs here";
    step.remedy = refused_token_remedy;
  } else {
    step.detail += "the satellite that runs here uses it, and is not connected";
  }
  return step;
}

/// The one that is named, else the one beside the settings, which only the unit names.
TokenSource token_of(LoadedConfig& loaded, const std::string& settings) {
  if (loaded.token_source.found()) return std::move(loaded.token_source);
  TokenSource source;
  const auto beside = std::filesystem::path(settings).parent_path() / "token";
  if (::access(beside.c_str(), F_OK) != 0) return source;
  source.file = beside.string();
  source.setting = "beside the settings";
  return source;
}

/// The way to each core that is named.
Result<std::vector<CoreTrial>> ways_to_cores(const ConfigSources& sources,
                                             const nlohmann::json& running) {
  std::vector<CoreTrial> ways;
  auto loaded = load_config(sources, SettingsUse::running);
  if (!loaded) return loaded.error();
  const auto cores = parse_core_urls(loaded->config.core_url);
  if (!cores) return cores.error();
  const bool shows_token = running.is_null() && loaded->config.status_socket != "none";
  Secret token;
  std::optional<WayStep> known;
  if (!shows_token) known = token_beside(loaded->config, running);
  auto source = token_of(*loaded, sources.file.value_or(default_config_file));
  if (shows_token && source.found()) {
    auto read = read_token(source);
    if (read) token = std::move(read->value);
    if (!read) {
      known = WayStep{"token", WayStep::State::failed, read.error().message,
                      "correct that file, or look as the user who may read it"};
    }
  }
  for (const CoreAddress& core : *cores) {
    ways.push_back(try_core(loaded->config, core, token.reveal()));
    if (known) ways.back().steps.back() = *known;
  }
  return ways;
}

}  // namespace

int doctor_command(const Invocation& invocation) {
  const ConfigSources sources = config_sources(invocation);
  auto loaded = load_config(sources, SettingsUse::local);
  if (!loaded) {
    print_error(loaded.error().message);
    return exit_wrong_usage;
  }
  const Config& config = loaded->config;
  boost::asio::io_context context(1);
  auto launcher = sandbox::Launcher::start(launcher_settings(config));
  if (!launcher) return no_launcher(launcher.error());
  (*launcher)->attach(context, [] {});
  Examination seen;
  sandbox::HostFacts& facts = seen.facts;
  facts = sandbox::examine_host(context, **launcher, probe_settings(config));
  facts.findings.push_back(authorities_finding(config));
  facts.findings.push_back(try_module_runtime(context, **launcher, config, facts));
  facts.findings.push_back(script_packages_finding(config));
  auto usable = facts;
  sandbox::restrict_engines(usable, config.sandbox_engines);
  if (!config.host_view.empty()) {
    // As a run finds it, which has those engines alone.
    facts.findings.push_back(
        sandbox::examine_host_view(config.host_view, usable, config.scratch_directory));
    usable.findings = facts.findings;
  }
  seen.readiness = sandbox::assess_readiness(usable, config.sandbox_engines,
                                             config.operators_word.may_be_unconfined());
  const auto running = running_satellite(config);
  seen.looked_as = eyes_of(running);
  if (!config.core_url.empty() && !config.client_id.empty()) {
    // From here on this process may hold the token.
    ::prctl(PR_SET_DUMPABLE, 0);
    auto ways = ways_to_cores(sources, running);
    if (!ways) {
      print_error(ways.error().message);
      return exit_wrong_usage;
    }
    seen.ways = *std::move(ways);
  }
  invocation.json ? print_json(seen) : print_text(seen);
  return seen.is_well() ? exit_done : exit_failed;
}

}  // namespace satellite::agent
