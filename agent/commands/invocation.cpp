#include "agent/commands/invocation.hpp"

#include "agent/commands/command_description.hpp"
#include "agent/commands/wrong_usage.hpp"
#include "agent/config/load_config.hpp"
#include "agent/config/setting_table.hpp"
#include "agent/runtime/version.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <utility>

namespace satellite::agent {

const char* const default_bundle_file = "checkstack-satellite-support.tar";

namespace {

using Command = Invocation::Command;

constexpr const char* program_purpose =
    "Checkstack satellite: runs the core's scripts on this host, in a sandbox.";
constexpr const char* footer =
    "Settings: built-in defaults < settings file < environment < options.\n"
    "Exit codes: 0 done; 1 failed, or the answer is no (doctor, packages verify, exec --compare, "
    "status: not ready);\n"
    "2 wrong command line, settings or input, which starting again would not mend; 3 the launcher "
    "was lost;\n"
    "4 no satellite answers (status). exec ends as its script does: with its code, 128 + N after "
    "signal N,\n"
    "124 after its time was over, 125 if it never ran.\n"
    "checkstack-satellite COMMAND --help lists the options of a command.";

CLI::App* add(CLI::App& app, Invocation& invocation, Command command, const char* name,
              const char* help) {
  CLI::App* const sub = app.add_subcommand(name, help);
  sub->callback([&invocation, command] { invocation.command = command; });
  return sub;
}

std::string help_of(const Setting& setting) {
  std::string help(setting.help);
  if (setting.maximum != 0) {
    help += " (" + std::to_string(setting.minimum) + " to " + std::to_string(setting.maximum) + ")";
  }
  if (!setting.environment.empty()) help += " [" + std::string(setting.environment) + "]";
  return help;
}

void add_settings(CLI::App& sub, Invocation& invocation) {
  sub.add_option("--config", invocation.settings_file,
                 "settings file (TOML) [CHECKSTACK_SATELLITE_CONFIG]")
      ->option_text("PATH=" + std::string(default_config_file));
  for (const Setting& setting : setting_table()) {
    if (setting.option.empty()) continue;
    CLI::Option* const option = sub.add_option_function<std::string>(
        std::string(setting.option),
        [&invocation, key = std::string(setting.key)](const std::string& text) {
          invocation.options[key] = text.empty() && key == "state.ephemeral" ? "true" : text;
        },
        help_of(setting));
    option->option_text(value_word(setting) +
                        (setting.fallback.empty() ? "" : "=" + std::string(setting.fallback)));
    // A word of its own says it all.
    if (setting.key == "state.ephemeral") option->expected(0, 1);
  }
}

/// The commands that take settings.
using Configured = std::vector<CLI::App*>;

void describe_enrolment(CLI::App& app, Invocation& invocation, Configured& configured) {
  const std::pair<Command, CLI::App*> both[] = {
      {Command::enrol,
       add(app, invocation, Command::enrol, "enrol",
           "make this host a satellite of a core: try the way, then write settings and token; the "
           "token comes from standard input")},
      {Command::rotate_token,
       add(app, invocation, Command::rotate_token, "rotate-token",
           "put a new token, from standard input, in the place of the old one, once the core "
           "knows it")}};
  for (const auto& [command, sub] : both) {
    sub->add_flag("--no-trial", invocation.skips_trial, "write without trying the way to the core");
    sub->add_flag("--no-start", invocation.skips_start,
                  command == Command::enrol ? "do not enable and start the service"
                                            : "do not restart the service");
    configured.push_back(sub);
  }
}

void describe_exec(CLI::App& app, Invocation& invocation, Configured& configured) {
  CLI::App* const exec = add(app, invocation, Command::exec, "exec",
                             "run one script here and print output and report; what follows -- "
                             "are its arguments");
  configured.push_back(exec);
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
}

/// Commands that look and change nothing.
void describe_looking(CLI::App& app, Invocation& invocation, Configured& configured) {
  CLI::App* const doctor = add(app, invocation, Command::doctor, "doctor",
                               "what this host's sandbox can do, and how to fix what it cannot");
  doctor->add_flag("--json", invocation.json, "print one JSON object instead of text");
  doctor->add_flag("--fix", invocation.wants_mends,
                   "print the commands that would mend what does not work; none of them is run");
  configured.push_back(doctor);
  CLI::App* const bundle = add(
      app, invocation, Command::support_bundle, "support-bundle",
      "one file for whoever helps: settings, doctor, status, log and facts of the host, without "
      "secrets");
  bundle
      ->add_option("--output", invocation.bundle_file,
                   "the file (tar), which must not be there yet; - writes to standard output")
      ->option_text(std::string("PATH=") + default_bundle_file);
  bundle
      ->add_option("--log", invocation.log_file,
                   "file with the satellite's log; default: the journal, where there is one")
      ->option_text("PATH");
  bundle->add_flag("--json", invocation.json, "print what is in it as one JSON object");
  configured.push_back(bundle);
  CLI::App* const status = add(app, invocation, Command::status, "status",
                               "how the satellite of this host is doing; 0 = ready for work");
  status->add_flag("--json", invocation.json, "print one JSON object instead of text");
  configured.push_back(status);
  CLI::App* const check = add(app, invocation, Command::check_config, "check-config",
                              "check the settings and print each with its source");
  check->add_flag("--json", invocation.json, "print one JSON object instead of text");
  configured.push_back(check);
}

Configured describe(CLI::App& app, Invocation& invocation) {
  Configured configured;
  app.require_subcommand(1);
  app.footer(footer);
  app.set_version_flag("--version", std::string("checkstack-satellite ") + program_version,
                       "print the version");
  configured.push_back(add(app, invocation, Command::run, "run",
                           "connect to the core and work (what the service runs)"));
  describe_enrolment(app, invocation, configured);
  describe_exec(app, invocation, configured);
  configured.push_back(add(app, invocation, Command::plan, "plan",
                           "JSON on standard input -> what would be done, as JSON"));
  CLI::App* const policy =
      add(app, invocation, Command::policy, "policy", "show, check or merge sandbox policies");
  policy->add_option("verb", invocation.policy_verb, "show, check or merge")
      ->required()
      ->check(CLI::IsMember({"show", "check", "merge"}));
  policy->add_option("file", invocation.policy_argument,
                     "policy file (JSON); - reads standard input");
  policy->add_flag("--effective", invocation.effective,
                   "show: what of the policy holds on this host, and what its operator restricted");
  policy->add_flag(
      "--json", invocation.json,
      "check: print one JSON object instead of text; show and merge print JSON anyway");
  configured.push_back(policy);
  CLI::App* const packages = add(app, invocation, Command::packages, "packages",
                                 "list, verify or synchronise the packages of scripts");
  packages->add_option("verb", invocation.packages_verb, "list, verify or sync")
      ->required()
      ->check(CLI::IsMember({"list", "verify", "sync"}));
  packages->add_flag("--json", invocation.json, "print one JSON object instead of text");
  configured.push_back(packages);
  describe_looking(app, invocation, configured);
  add(app, invocation, Command::version, "version", "print the version")
      ->add_flag("--json", invocation.json, "print one JSON object instead of text");
  add(app, invocation, Command::help, "help", "print this, or the help of a command")
      ->add_option("command", invocation.helped_command, "the command");
  return configured;
}

void describe_with_settings(CLI::App& app, Invocation& invocation) {
  for (CLI::App* const sub : describe(app, invocation)) add_settings(*sub, invocation);
}

/// With the settings of the one command that is typed: those of all take longer than the rest of
/// the start.
void describe_for_parsing(CLI::App& app, Invocation& invocation) {
  for (CLI::App* const sub : describe(app, invocation)) {
    sub->preparse_callback([sub, &invocation](std::size_t) { add_settings(*sub, invocation); });
  }
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
                         described.name == "--context" || described.name == "--output" ||
                         described.name == "--log" || described.name == "file";
  for (const Setting& setting : setting_table()) {
    if (setting.option != described.name) continue;
    described.names_file = setting.kind == SettingKind::path;
    described.choices = choices_of(setting);
    described.value = value_word(setting);
    described.fallback = setting.fallback;
  }
  return described;
}

KnownWords known_words(const CLI::App& app) {
  KnownWords known;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    known.commands.push_back(sub->get_name());
    if (!sub->parsed()) continue;
    known.command = sub->get_name();
    for (const CLI::Option* option : sub->get_options()) {
      if (!option->get_positional()) known.options.push_back(option->get_name());
    }
  }
  return known;
}

/// `verb: lits not in {list,verify,sync}`, as the library words it.
WrongChoice wrong_choice_in(const std::string& message) {
  WrongChoice wrong;
  const std::size_t colon = message.find(": "), middle = message.find(" not in {");
  if (colon == std::string::npos || middle == std::string::npos || middle < colon) return wrong;
  wrong.place = message.substr(0, colon);
  wrong.typed = message.substr(colon + 2, middle - colon - 2);
  wrong.choices = choices_in(message.substr(middle));
  return wrong;
}

/// What the library says of the rest names options and no values.
std::string text_of(const CLI::ParseError& early, const std::string& command) {
  const std::string message = early.what();
  const std::string place = message.substr(0, message.find_first_of(": "));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&early) != nullptr) {
    return "option " + place + " needs one value" + where_help_is(command);
  }
  if (dynamic_cast<const CLI::RequiredError*>(&early) != nullptr) {
    return command + " needs a " + place + where_help_is(command);
  }
  return message + where_help_is(command);
}

/// Errors of the library that repeat what was typed are put in our words; the others name options.
ParsedEarly answer_of(const CLI::App& app, const CLI::ParseError& early) {
  const std::string prefix = "checkstack-satellite: ";
  const auto words = app.remaining(true);
  const KnownWords known = known_words(app);
  if (early.get_exit_code() == 0) {
    std::ostringstream out;
    std::ostringstream err;
    app.exit(early, out, err);
    return {0, out.str() + err.str()};
  }
  // Without a command the library only says that one is required.
  const bool is_extra = dynamic_cast<const CLI::ExtrasError*>(&early) != nullptr;
  if (!words.empty() && (is_extra || known.command.empty())) {
    return {2, prefix + text_of_unexpected(words, known)};
  }
  if (known.command.empty()) {
    return {2, prefix + "a command is missing\n\n" + app.help()};
  }
  if (is_extra) return {2, prefix + "there is a word too many" + where_help_is(known.command)};
  if (dynamic_cast<const CLI::ConversionError*>(&early) != nullptr) {
    return {2, prefix + "an option that takes no value has one, or the wrong one" +
                   where_help_is(known.command)};
  }
  if (dynamic_cast<const CLI::ValidationError*>(&early) != nullptr) {
    const WrongChoice wrong = wrong_choice_in(early.what());
    if (!wrong.place.empty()) return {2, prefix + text_of_wrong_choice(wrong, known.command)};
  }
  return {2, prefix + text_of(early, known.command)};
}

/// By an app that has parsed nothing: one that has speaks of the command that it was given.
ParsedEarly help_text(const std::string& command) {
  Invocation unused;
  CLI::App app(program_purpose, "checkstack-satellite");
  describe_with_settings(app, unused);
  if (command.empty()) return {0, app.help()};
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() == command) return {0, sub->help("checkstack-satellite")};
  }
  return {2, "checkstack-satellite: " + text_of_unexpected({command}, known_words(app))};
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
  CLI::App app(program_purpose, "checkstack-satellite");
  describe_for_parsing(app, invocation);
  try {
    app.parse(argc, const_cast<char**>(argv));
  } catch (const CLI::ParseError& early) {
    return answer_of(app, early);
  }
  if (invocation.command == Command::help) return help_text(invocation.helped_command);
  return invocation;
}

std::vector<CommandDescription> describe_commands() {
  Invocation unused;
  CLI::App app(program_purpose, "checkstack-satellite");
  describe_with_settings(app, unused);
  std::vector<CommandDescription> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandDescription command{sub->get_name(), sub->get_description(), {}, {}};
    for (const CLI::Option* option : sub->get_options()) {
      auto& list = option->get_positional() ? command.arguments : command.options;
      list.push_back(describe_argument(*option));
    }
    commands.push_back(std::move(command));
  }
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CommandDescription& command : commands) names.push_back(command.name);
  for (CommandDescription& command : commands) {
    if (command.name == "help") command.arguments.front().choices = names;
  }
  return commands;
}

}  // namespace satellite::agent
