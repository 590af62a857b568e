#include "agent/commands/invocation.hpp"

#include "agent/commands/command_description.hpp"
#include "agent/config/setting_table.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

namespace satellite::agent {
namespace {

using Command = Invocation::Command;

constexpr const char* footer =
    "Settings: built-in defaults < settings file < environment < options.\n"
    "Exit codes: 0 done, 1 failed, 2 wrong command line or settings, 3 the launcher was lost;\n"
    "of status: 0 ready, 1 not ready, 4 no satellite answers.";

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
    CLI::Option* const option = sub.add_option_function<std::string>(
        std::string(setting.option),
        [&invocation, key = std::string(setting.key)](const std::string& text) {
          invocation.options[key] = text.empty() && key == "state.ephemeral" ? "true" : text;
        },
        help);
    // A word of its own says it all.
    if (setting.key == "state.ephemeral") option->expected(0, 1);
  }
}

void describe(CLI::App& app, Invocation& invocation) {
  app.require_subcommand(1);
  app.footer(footer);
  add_settings(*add(app, invocation, Command::run, "run",
                    "connect to the core and work (what the service runs)"),
               invocation);
  CLI::App* const exec = add(app, invocation, Command::exec, "exec",
                             "run one script here and print output and report; what follows -- "
                             "are its arguments");
  add_settings(*exec, invocation);
  exec->add_option("file", invocation.script_file, "the script; - reads standard input")
      ->required();
  exec->add_option("--language", invocation.language,
                   "shell or module; default: module for .mjs, .mts, .js and .ts, else shell")
      ->check(CLI::IsMember({"shell", "module"}));
  exec->add_option("--context", invocation.context_file,
                   "what a module finds as `context` (JSON); default: null");
  exec->add_option("--policy", invocation.policy_file,
                   "sandbox policy (JSON); default: the shipped one");
  exec->add_flag("--json", invocation.json, "print one JSON object instead of text");
  CLI::Option* const compare = exec->add_flag(
      "--compare", invocation.compares,
      "run it without a sandbox and in it, up to three times, and print what differs");
  exec->add_flag("--grants", invocation.proposes_grants,
                 "with --compare: print only the section [host_view] that it seems to need")
      ->needs(compare);
  add_settings(*add(app, invocation, Command::plan, "plan",
                    "JSON on standard input -> what would be done, as JSON"),
               invocation);
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
  CLI::App* const packages = add(app, invocation, Command::packages, "packages",
                                 "list, verify or synchronise the packages of scripts");
  packages->add_option("verb", invocation.packages_verb, "list, verify or sync")
      ->required()
      ->check(CLI::IsMember({"list", "verify", "sync"}));
  packages->add_flag("--json", invocation.json, "print one JSON object instead of text");
  add_settings(*packages, invocation);
  CLI::App* const doctor = add(app, invocation, Command::doctor, "doctor",
                               "what this host's sandbox can do, and how to fix what it cannot");
  doctor->add_flag("--json", invocation.json, "print one JSON object instead of text");
  add_settings(*doctor, invocation);
  CLI::App* const status = add(app, invocation, Command::status, "status",
                               "how the satellite of this host is doing; 0 = ready for work");
  status->add_flag("--json", invocation.json, "print one JSON object instead of text");
  add_settings(*status, invocation);
  CLI::App* const check = add(app, invocation, Command::check_config, "check-config",
                              "check the settings and print each with its source");
  add_settings(*check, invocation);
  add(app, invocation, Command::version, "version", "print the version");
}

/// `TEXT:{show,check,merge}` -> the words between the braces.
std::vector<std::string> choices_in(const std::string& type) {
  const auto open = type.find('{');
  const auto close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  std::vector<std::string> choices;
  std::istringstream words(type.substr(open + 1, close - open - 1));
  for (std::string word; std::getline(words, word, ',');) choices.push_back(word);
  return choices;
}

ArgumentDescription describe_argument(const CLI::Option& option) {
  ArgumentDescription described;
  described.name = option.get_name();
  described.help = option.get_description();
  described.takes_value = option.get_items_expected_max() > 0;
  described.choices = choices_in(option.get_type_name());
  described.names_file = described.name == "--config" || described.name == "--policy" ||
                         described.name == "--context" || described.name == "file";
  for (const Setting& setting : setting_table()) {
    if (setting.option != described.name) continue;
    described.names_file = setting.kind == SettingKind::path;
    if (setting.kind == SettingKind::toggle) described.choices = {"true", "false"};
    if (setting.kind == SettingKind::level) described.choices = {"debug", "info", "warn", "error"};
  }
  return described;
}

constexpr const char* token_refusal =
    "the token is never taken from the command line, where every user of this host could read it.\n"
    "Put it into a file that only the satellite can read and name that with --token-file, or use "
    "CHECKSTACK_SATELLITE_TOKEN or $CREDENTIALS_DIRECTORY/token.\n"
    "A token that was typed here stands in the shell's history: have the core issue a new one.\n";

/// `--name` of `--name=value`, `-n` of `-nvalue`: never a value, which may be a secret.
std::string option_name(const std::string& word) {
  if (word.starts_with("--")) return word.substr(0, word.find('='));
  return word.substr(0, 2);
}

/// A word that can only be meant as a command: nothing of this shape is a secret.
bool could_be_command(const std::string& word) {
  constexpr std::size_t command_size_max = 16;
  return !word.empty() && word.size() <= command_size_max &&
         std::all_of(word.begin(), word.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

/// Words that nothing expects. Options are named, what else was typed is not repeated.
std::string text_of_unexpected(const std::vector<std::string>& words, bool has_command) {
  std::string options;
  for (const std::string& word : words) {
    if (!word.starts_with('-') || word.size() < 2) continue;
    const std::string name = option_name(word);
    if (name == "--token" || name == "--tok" || word.starts_with("-token")) return token_refusal;
    options += (options.empty() ? "" : ", ") + name;
  }
  if (!options.empty()) return "there is no option " + options + " here; see --help\n";
  if (!has_command && could_be_command(words.front())) {
    return "there is no command '" + words.front() + "'; see --help\n";
  }
  return "there is a word on the command line that nothing expects; see --help\n";
}

/// Errors of the library that repeat what was typed are put in our words; the others name options.
ParsedEarly answer_of(const CLI::App& app, const CLI::ParseError& early) {
  const std::string prefix = "checkstack-satellite: ";
  const auto words = app.remaining(true);
  const bool has_command = !app.get_subcommands().empty();
  // Without a command the library only says that one is required.
  if (dynamic_cast<const CLI::ExtrasError*>(&early) != nullptr ||
      (!has_command && !words.empty() && early.get_exit_code() != 0)) {
    return {2, prefix + (words.empty() ? "there is a word too many; see --help\n"
                                       : text_of_unexpected(words, has_command))};
  }
  if (dynamic_cast<const CLI::ConversionError*>(&early) != nullptr) {
    return {2, prefix + "an option that takes no value has one, or the wrong one; see --help\n"};
  }
  std::ostringstream out;
  std::ostringstream err;
  const int code = app.exit(early, out, err);
  return {code == 0 ? 0 : 2, out.str() + err.str()};
}

}  // namespace

std::variant<Invocation, ParsedEarly> parse_command_line(int argc, const char* const* argv) {
  Invocation invocation;
  // Of `exec` the words behind `--` are the script's, whatever they look like.
  const bool is_exec = argc > 1 && std::string_view(argv[1]) == "exec";
  const auto divider = std::find(argv, argv + argc, std::string_view("--"));
  if (is_exec && divider != argv + argc) {
    invocation.script_arguments.assign(divider + 1, argv + argc);
    argc = static_cast<int>(divider - argv);
  }
  CLI::App app("Checkstack satellite: runs the core's scripts on this host, in a sandbox.",
               "checkstack-satellite");
  describe(app, invocation);
  try {
    app.parse(argc, const_cast<char**>(argv));
  } catch (const CLI::ParseError& early) {
    return answer_of(app, early);
  }
  return invocation;
}

std::vector<CommandDescription> describe_commands() {
  Invocation unused;
  CLI::App app("", "checkstack-satellite");
  describe(app, unused);
  std::vector<CommandDescription> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandDescription command{sub->get_name(), sub->get_description(), {}, {}};
    for (const CLI::Option* option : sub->get_options()) {
      auto& list = option->get_positional() ? command.arguments : command.options;
      list.push_back(describe_argument(*option));
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace satellite::agent
