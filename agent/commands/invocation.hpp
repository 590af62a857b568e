#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace satellite::agent {

/// What support-bundle writes where nobody names a file, in the working directory.
extern const char* const default_bundle_file;

/// What the command line asked for, before any setting was looked at.
struct Invocation {
  enum class Command {
    run,
    exec,
    plan,
    policy,
    packages,
    doctor,
    check_config,
    status,
    version,
    enrol,
    rotate_token,
    support_bundle,
    help  ///< answered by parse_command_line
  };

  Command command = Command::version;
  std::map<std::string, std::string> options;  ///< setting key -> text, see config/setting_table
  std::optional<std::string> settings_file;    ///< --config
  std::string script_file;                     ///< exec FILE
  bool compares = false;                       ///< exec --compare
  bool proposes_grants = false;                ///< exec --compare --grants
  std::vector<std::string> script_arguments;   ///< exec FILE -- ARGUMENT ...
  std::string language;                        ///< exec --language; empty = by the file's name
  std::optional<std::string> context_file;     ///< exec --context FILE
  std::optional<std::string> policy_file;      ///< exec --policy FILE
  bool json = false;                           ///< machine-readable output
  std::string policy_verb;                     ///< policy show | check | merge
  std::string policy_argument;                 ///< policy check FILE
  std::string packages_verb;                   ///< packages list | verify | sync
  std::string helped_command;                  ///< help COMMAND; empty = all
  bool skips_trial = false;                    ///< enrol, rotate-token: --no-trial
  bool skips_start = false;                    ///< enrol, rotate-token: --no-start
  bool effective = false;                      ///< policy show --effective
  bool wants_mends = false;                    ///< doctor --fix
  std::string bundle_file;                     ///< support-bundle --output; `-` = standard output
  std::string log_file;                        ///< support-bundle --log; empty = the journal
};

/// The command line was answered already (help) or is wrong: print `text`, leave with `exit_code`.
struct ParsedEarly {
  int exit_code = 0;
  std::string text;
};

/// argv -> what to do. Prints nothing.
std::variant<Invocation, ParsedEarly> parse_command_line(int argc, const char* const* argv);

}  // namespace satellite::agent
