#include "agent/commands/invocation.hpp"

#include "agent/config/setting_table.hpp"

#include <CLI/CLI.hpp>
#include <sstream>

namespace satellite::agent {
namespace {

using Command = Invocation::Command;

constexpr const char* footer =
    "Settings: built-in defaults < settings file < environment < options.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong command line or settings, 3 the launcher was lost.";

CLI::App* add(CLI::App& app, Invocation& invocation, Command command, const char* name,
              const char* help) {
  CLI::App* const sub = app.add_subcommand(name, help);
  sub->callback([&invocation, command] { invocation.command = command; });
  return sub;
}

void add_settings(CLI::App& sub, Invocation& invocation) {
  sub.add_option("--config", invocation.settings_file, "settings file (TOML)");
  for (const Setting& setting : setting_table()) {
    if (setting.option.empty()) continue;
    std::string help(setting.help);
    if (!setting.environment.empty()) help += " [" + std::string(setting.environment) + "]";
    sub.add_option_function<std::string>(
        std::string(setting.option),
        [&invocation, key = std::string(setting.key)](const std::string& text) {
          invocation.options[key] = text;
        },
        help);
  }
}

void describe(CLI::App& app, Invocation& invocation) {
  app.require_subcommand(1);
  app.footer(footer);
  add_settings(*add(app, invocation, Command::run, "run",
                    "connect to the core and work (what the service runs)"),
               invocation);
  CLI::App* const exec = add(app, invocation, Command::exec, "exec",
                             "run one script here and print output and report");
  exec->add_option("file", invocation.script_file, "the script; - reads standard input")
      ->required();
  exec->add_option("--policy", invocation.policy_file,
                   "sandbox policy (JSON); default: the shipped one");
  exec->add_flag("--json", invocation.json, "print one JSON object instead of text");
  add(app, invocation, Command::plan, "plan",
      "JSON on standard input -> what would be done, as JSON");
  CLI::App* const policy =
      add(app, invocation, Command::policy, "policy", "show, check or merge sandbox policies");
  policy->add_option("verb", invocation.policy_verb, "show, check or merge")
      ->required()
      ->check(CLI::IsMember({"show", "check", "merge"}));
  policy->add_option("file", invocation.policy_argument,
                     "policy file (JSON); - reads standard input");
  policy->add_flag("--effective", invocation.effective,
                   "show: what of the policy holds on this host, and what its operator restricted");
  add_settings(*policy, invocation);
  CLI::App* const doctor = add(app, invocation, Command::doctor, "doctor",
                               "what this host's sandbox can do, and how to fix what it cannot");
  doctor->add_flag("--json", invocation.json, "print one JSON object instead of text");
  CLI::App* const check = add(app, invocation, Command::check_config, "check-config",
                              "check the settings and print each with its source");
  add_settings(*check, invocation);
  add(app, invocation, Command::demo, "demo",
      "start a throw-away core and satellite here and show them working");
  add(app, invocation, Command::version, "version", "print the version");
}

}  // namespace

std::variant<Invocation, ParsedEarly> parse_command_line(int argc, const char* const* argv) {
  Invocation invocation;
  CLI::App app("Checkstack satellite: runs the core's scripts on this host, in a sandbox.",
               "checkstack-satellite");
  describe(app, invocation);
  try {
    app.parse(argc, const_cast<char**>(argv));
  } catch (const CLI::ParseError& early) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(early, out, err);
    return ParsedEarly{code == 0 ? 0 : 2, out.str() + err.str()};
  }
  return invocation;
}

}  // namespace satellite::agent
