#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/commands/terminal.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/packages/packages_here.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/readiness.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/planning/shown_host.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"
#include "tls/system_authorities.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

void print_json(const sandbox::HostFacts& facts, const sandbox::HostReadiness& readiness) {
  nlohmann::ordered_json answer;
  answer["ready"] = readiness.enforceable;
  answer["capabilities"] = nlohmann::json::array();
  for (const auto& finding : facts.findings) {
    answer["capabilities"].push_back({{"name", finding.name},
                                      {"present", finding.present},
                                      {"detail", finding.detail},
                                      {"remedy", finding.remedy}});
  }
  answer["facts"] = sandbox::to_json(facts);
  std::cout << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_text(const sandbox::HostFacts& facts, const sandbox::HostReadiness& readiness) {
  std::size_t width = 0;
  for (const auto& finding : facts.findings) width = std::max(width, finding.name.size());
  for (const auto& finding : facts.findings) {
    std::cout << (finding.present ? coloured(Colour::good, "ok       ")
                                  : coloured(Colour::bad, "missing  "))
              << finding.name << std::string(width + 2 - finding.name.size(), ' ') << finding.detail
              << '\n';
    if (!finding.remedy.empty()) std::cout << "         remedy: " << finding.remedy << '\n';
  }
  std::cout << (readiness.enforceable
                    ? "\nThis host can enforce every layer of the shipped default policy.\n"
                    : "\n" + readiness.guidance + "\n");
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

}  // namespace

int doctor_command(const Invocation& invocation) {
  auto config = local_settings(invocation);
  if (!config) {
    print_error(config.error().message);
    return exit_wrong_usage;
  }
  boost::asio::io_context context(1);
  auto launcher = sandbox::Launcher::start(launcher_settings(*config));
  if (!launcher) return no_launcher(launcher.error());
  (*launcher)->attach(context, [] {});
  auto facts = sandbox::examine_host(context, **launcher, probe_settings(*config));
  facts.findings.push_back(authorities_finding(*config));
  facts.findings.push_back(try_module_runtime(context, **launcher, *config, facts));
  facts.findings.push_back(script_packages_finding(*config));
  auto usable = facts;
  sandbox::restrict_engines(usable, config->sandbox_engines);
  if (!config->host_view.empty()) {
    // As a run finds it, which has those engines alone.
    facts.findings.push_back(sandbox::examine_host_view(config->host_view, usable));
    usable.findings = facts.findings;
  }
  const auto readiness = sandbox::assess_readiness(usable, config->sandbox_engines,
                                                   config->operators_word.may_be_unconfined());
  invocation.json ? print_json(facts, readiness) : print_text(facts, readiness);
  return readiness.enforceable ? exit_done : exit_failed;
}

}  // namespace satellite::agent
