// The trials of this command come first, then the words of the satellite that runs here take their
// places: it alone knows what its unit leaves it.
#include "agent/commands/examination.hpp"

#include "agent/commands/preconditions.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/connection/connection_record.hpp"
#include "agent/packages/packages_here.hpp"
#include "agent/runtime/private_memory.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/planning/shown_host.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"
#include "tls/system_authorities.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <filesystem>
#include <utility>

namespace satellite::agent {
namespace {

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
  // There is no run but the trial.
  settings.prepared_runs = 0;
  settings.standing_modules.count_max = 0;
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

/// A token is shown only where no satellite runs: the core has one connection for each id, and the
/// running one would lose it. What that one knows of its token is told instead.
WayStep token_beside(const Config& config, const RunningService& service) {
  WayStep step{"token", WayStep::State::not_tried, "not shown to the core: ", {}};
  if (!service.why_unknown.empty()) {
    step.detail += "whether a satellite runs here is not known (" + service.why_unknown + ")";
  } else if (service.client_id != config.client_id) {
    step.detail += "the satellite that runs here has another id";
  } else if (service.connection_state == "connected") {
    step.state = WayStep::State::done;
    step.detail = "the satellite that runs here is connected with it";
  } else if (service.last_reason == refused_in_words) {
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
Result<void> go_to_cores(const ConfigSources& sources, const RunningService& service,
                         Examination& seen) {
  auto loaded = load_config(sources, SettingsUse::running);
  if (!loaded) return loaded.error();
  const auto cores = parse_core_urls(loaded->config.core_url);
  if (!cores) return cores.error();
  const bool shows_token = service.why_unknown.empty() && !service.answers;
  Secret token;
  std::optional<WayStep> known;
  if (!shows_token) known = token_beside(loaded->config, service);
  auto source = token_of(*loaded, sources.file.value_or(default_config_file));
  if (shows_token && source.found()) {
    auto read = read_token(source);
    if (read) token = std::move(read->value);
    if (!read) {
      known = WayStep{"token", WayStep::State::failed, read.error().message,
                      "correct that file, or look as the user who may read it"};
      // One that this user may read, and others, too.
      const bool is_open =
          read.error().code == ErrorCode::not_permitted && ::access(source.file.c_str(), R_OK) == 0;
      if (is_open) seen.open_token_file = source.file;
    }
  }
  for (const CoreAddress& core : *cores) {
    seen.ways.push_back(try_core(loaded->config, core, token.reveal()));
    if (known) seen.ways.back().steps.back() = *known;
  }
  return {};
}

/// What the service found takes the place of what this command found.
void take_words_of(const HostAsServiceSeesIt& host, Examination& seen) {
  for (SeenCapability& one : seen.capabilities) {
    const auto found =
        std::find_if(host.findings.begin(), host.findings.end(),
                     [&one](const auto& finding) { return finding.name == one.finding.name; });
    if (found == host.findings.end()) continue;
    one.finding = *found;
    one.is_seen_by_service = true;
  }
  seen.is_enforceable = host.is_enforceable;
  seen.guidance = host.guidance;
}

/// Where the shipped policy holds without it, what is not here is optional; but no core is trusted
/// without authorities, and no shell script runs without a shell.
bool is_needed(const sandbox::CapabilityFinding& finding, const Examination& seen) {
  return !seen.is_enforceable || finding.name == "certificate_authorities" ||
         finding.name == "shell";
}

void look_at_host(boost::asio::io_context& context, sandbox::Launcher& launcher,
                  const Config& config, Examination& seen) {
  sandbox::HostFacts& facts = seen.facts;
  facts = sandbox::examine_host(context, launcher, probe_settings(config));
  facts.findings.push_back(authorities_finding(config));
  facts.findings.push_back(try_module_runtime(context, launcher, config, facts));
  facts.findings.push_back(script_packages_finding(config));
  auto usable = facts;
  sandbox::restrict_engines(usable, config.sandbox_engines);
  if (!config.host_view.empty()) {
    // As a run finds it, which has those engines alone.
    facts.findings.push_back(sandbox::examine_host_view(
        config.host_view, usable, config.scratch_directory, config.sandbox_uid_range));
    usable.findings = facts.findings;
  }
  const auto readiness = sandbox::assess_readiness(usable, config.sandbox_engines,
                                                   config.operators_word.may_be_unconfined());
  seen.is_enforceable = readiness.enforceable;
  seen.guidance = readiness.guidance;
  for (const auto& finding : facts.findings) seen.capabilities.push_back({finding});
}

/// What the shipped policy holds without, but neither a connection nor a shell script does.
std::string lacking_names(const Examination& seen) {
  std::string names;
  for (const SeenCapability& one : seen.capabilities) {
    if (!seen.is_enforceable || !one.is_needed || one.finding.present) continue;
    names += (names.empty() ? "" : ", ") + one.finding.name;
  }
  return names;
}

std::string failed_steps(const Examination& seen) {
  std::string names;
  for (const CoreTrial& way : seen.ways) {
    for (const WayStep& step : way.steps) {
      if (step.state != WayStep::State::failed) continue;
      names += (names.empty() ? "" : ", ") + step.name;
    }
  }
  return names;
}

}  // namespace

bool Examination::is_well() const {
  return is_enforceable && lacking_names(*this).empty() &&
         std::all_of(ways.begin(), ways.end(),
                     [](const auto& way) { return leads_there(way.steps); });
}

bool Examination::knows_token() const {
  return std::all_of(ways.begin(), ways.end(), [](const auto& way) {
    return way.steps.back().state == WayStep::State::done;
  });
}

std::string verdict_of(const Examination& seen) {
  std::string verdict =
      seen.is_enforceable
          ? "This host can enforce every layer of the shipped default policy"
          : "This host cannot enforce the shipped default policy, so scripts are refused";
  if (!seen.eyes.caveat.empty()) verdict += " (" + seen.eyes.caveat + ")";
  const std::string lacking = lacking_names(seen), failed = failed_steps(seen);
  if (!lacking.empty()) verdict += ", but lacks: " + lacking;
  const bool is_well_here = seen.is_enforceable && lacking.empty();
  const char* const joint = is_well_here == failed.empty() ? ", and " : ", but ";
  if (seen.ways.empty()) return verdict + ". No core is set here, so no way to one was tried.";
  if (!failed.empty()) return verdict + joint + "the way to the core fails at: " + failed + ".";
  return verdict + joint + "the way to the core is open" +
         (seen.knows_token() ? "." : " up to the token, which was not tried.");
}

Result<Examination> examine(boost::asio::io_context& context, sandbox::Launcher& launcher,
                            const ConfigSources& sources, const Config& config) {
  keep_memory_private();
  Examination seen;
  look_at_host(context, launcher, config, seen);
  const RunningService service = ask_service(config);
  seen.eyes = eyes_of(service);
  if (service.host) take_words_of(*service.host, seen);
  for (SeenCapability& one : seen.capabilities) one.is_needed = is_needed(one.finding, seen);
  if (config.core_url.empty() || config.client_id.empty()) return seen;
  const auto gone = go_to_cores(sources, service, seen);
  if (!gone) return gone.error();
  return seen;
}

}  // namespace satellite::agent
