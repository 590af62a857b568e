#include "agent/commands/commands.hpp"
#include "agent/commands/doctor_answer.hpp"
#include "agent/commands/examination.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"

#include <boost/asio/io_context.hpp>
#include <iostream>

namespace satellite::agent {

int doctor_command(const Invocation& invocation) {
  const ConfigSources sources = config_sources(invocation);
  const auto loaded = load_config(sources, SettingsUse::local);
  if (!loaded) {
    print_error(loaded.error().message);
    return exit_wrong_usage;
  }
  boost::asio::io_context context(1);
  auto launcher = sandbox::Launcher::start(launcher_settings(loaded->config));
  if (!launcher) return no_launcher(launcher.error());
  (*launcher)->attach(context, [] {});
  const auto seen = examine(context, **launcher, sources, loaded->config);
  if (!seen) {
    print_error(seen.error().message);
    return exit_wrong_usage;
  }
  AskedMends mends;
  if (invocation.wants_mends) mends = mends_for(*seen, look_at_mending_place(sources.file));
  if (invocation.json) {
    std::cout << examination_json(*seen, mends);
  } else {
    print_examination(std::cout, *seen, mends);
  }
  return seen->is_well() ? exit_done : exit_failed;
}

}  // namespace satellite::agent
