#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/planning/plan_question.hpp"
#include "sandbox/probing/probe.hpp"

#include <boost/asio/io_context.hpp>
#include <iostream>
#include <optional>

namespace satellite::agent {

int plan_command(const Invocation& invocation) {
  auto config = local_settings(invocation);
  if (!config) {
    print_error(config.error().message);
    return exit_wrong_usage;
  }
  auto question = read_input("-", 4 * limits::script_size_max);
  if (!question) {
    print_error(question.error().message);
    return exit_wrong_usage;
  }
  // Looking at this host starts a launcher, so it happens only when the question needs it.
  std::optional<Error> problem;
  const auto this_host = [&config, &problem]() -> sandbox::HostFacts {
    boost::asio::io_context context(1);
    auto launcher = sandbox::Launcher::start(launcher_settings(*config));
    if (!launcher) {
      problem = launcher.error();
      return {};
    }
    (*launcher)->attach(context, [] {});
    sandbox::ProbeSettings settings = probe_settings(*config);
    settings.tries_every_engine = true;  // the question may be about any
    return sandbox::probe_host_first(context, **launcher, std::move(settings));
  };
  const auto answer = sandbox::answer_plan_question(*question, this_host, config->operators_word,
                                                    config->sandbox_engines, config->host_view);
  // Of a host that could not be looked at nothing is said.
  if (problem) return no_launcher(*problem);
  if (!answer) {
    print_error(answer.error().message);
    return exit_wrong_usage;
  }
  std::cout << *answer << '\n';
  return exit_done;
}

}  // namespace satellite::agent
