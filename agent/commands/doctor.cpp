#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/readiness.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
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
    std::cout << (finding.present ? "ok       " : "missing  ") << finding.name
              << std::string(width + 2 - finding.name.size(), ' ') << finding.detail << '\n';
    if (!finding.remedy.empty()) std::cout << "         remedy: " << finding.remedy << '\n';
  }
  std::cout << (readiness.enforceable
                    ? "\nThis host can enforce every layer of the shipped default policy.\n"
                    : "\n" + readiness.guidance + "\n");
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
  const auto facts = sandbox::examine_host(context, **launcher, probe_settings(*config));
  auto usable = facts;
  sandbox::restrict_engines(usable, config->sandbox_engines);
  const auto readiness = sandbox::assess_readiness(usable, config->sandbox_engines,
                                                   config->operators_word.may_be_unconfined());
  invocation.json ? print_json(facts, readiness) : print_text(facts, readiness);
  return readiness.enforceable ? exit_done : exit_failed;
}

}  // namespace satellite::agent
