#include "deploy/documents/manual.hpp"

#include "agent/config/setting_table.hpp"

#include <string_view>

namespace satellite::documents {
namespace {

/// Text of a paragraph: a dash stays a dash that can be copied, and no line is taken for a request.
std::string text(std::string_view plain) {
  std::string out;
  for (const char c : plain) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string bold(std::string_view word) {
  return "\\fB" + text(word) + "\\fR";
}

std::string italic(std::string_view word) {
  return "\\fI" + text(word) + "\\fR";
}

std::string heading(const std::string& name, const std::string& section,
                    const std::string& version) {
  return ".TH " + name + " " + section + " \"\" \"checkstack\\-satellite " + text(version) +
         "\" \"Checkstack satellite\"\n";
}

std::string entry(const std::string& term, const std::string& body) {
  return ".TP\n" + term + "\n" + body + "\n";
}

bool is_setting(const std::string& option) {
  for (const agent::Setting& setting : agent::setting_table()) {
    if (setting.option == option) return true;
  }
  return false;
}

std::string synopsis_of(const agent::CommandDescription& command) {
  std::string line = bold(command.name);
  for (const auto& argument : command.arguments) {
    std::string choices;
    for (const std::string& choice : argument.choices) {
      choices += (choices.empty() ? "" : " | ") + bold(choice);
    }
    line += " " + (choices.empty() ? italic(argument.name) : choices);
  }
  return line + (command.options.size() > 1 ? " [" + italic("options") + "]" : "");
}

std::string options_of(const agent::CommandDescription& command) {
  std::string out;
  for (const auto& option : command.options) {
    if (is_setting(option.name) || option.name == "--config" || option.name == "--help") continue;
    out += entry(bold(option.name) + (option.takes_value ? " " + italic("value") : ""),
                 text(option.help) + ".");
  }
  return out.empty() ? out : ".RS\n" + out + ".RE\n";
}

std::string commands_part(const std::vector<agent::CommandDescription>& commands) {
  std::string out = ".SH COMMANDS\n";
  for (const auto& command : commands) {
    out += entry(synopsis_of(command), text(command.help) + ".");
    out += options_of(command);
  }
  return out;
}

std::string default_of(const agent::Setting& setting) {
  return "Default: " + (setting.fallback.empty() ? std::string("none") : bold(setting.fallback)) +
         ".";
}

std::string settings_options_part() {
  std::string out =
      ".SH OPTIONS\nEvery command but \\fBversion\\fR and \\fBhelp\\fR takes these; "
      "each stands for a setting of \\fBsatellite.toml\\fR(5).\n";
  out += entry(bold("--config") + " " + italic("file"),
               "settings file; default: " + italic("/etc/checkstack-satellite/satellite.toml") +
                   " where it exists.");
  for (const agent::Setting& setting : agent::setting_table()) {
    if (setting.option.empty()) continue;
    out += entry(bold(setting.option) + " " + italic(agent::value_word(setting)),
                 text(setting.help) + ". " + default_of(setting));
  }
  return out;
}

constexpr const char* rest_of_program = R"(.SH SETTINGS
Built\-in defaults, then the settings file, then the environment, then options: what comes later holds.
.B checkstack\-satellite check\-config
prints each setting with its source. The token is never taken from the command line: it comes from
.BR token_file ,
.I $CREDENTIALS_DIRECTORY/token
or
.BR CHECKSTACK_SATELLITE_TOKEN .
.SH FILES
.TP
.I /etc/checkstack\-satellite/satellite.toml
settings; must be writable by root or the satellite's user only
.TP
.I /etc/checkstack\-satellite/token
the token, which the service hands over as a credential
.TP
.I /var/lib/checkstack\-satellite
what waits for the core, and the packages of scripts
.SH EXIT STATUS
.TP
0
done
.TP
1
failed; or the answer is no: \fBdoctor\fR (this host cannot keep the policy, or a step on the way to a core failed), \fBstatus\fR (not ready), \fBpackages verify\fR (damaged), \fBexec \-\-compare\fR (another answer);
or standard output could not be written
.TP
2
wrong command line, settings or input; starting again would not mend them
.TP
3
the launcher was lost; the service manager starts both again
.TP
4
no satellite answers (\fBstatus\fR)
.TP
124, 125, 128+N
of \fBexec\fR, which otherwise ends as its script does: its time was over; it never ran; signal N ended it
.SH EXAMPLES
.nf
checkstack\-satellite doctor \-\-fix
checkstack\-satellite support\-bundle \-\-output bundle.tar
checkstack\-satellite exec check.sh \-\-json
checkstack\-satellite check\-config
.fi
.SH SEE ALSO
.BR satellite.toml (5),
.BR systemd.exec (5)
)";

std::string facts_of(const agent::Setting& setting) {
  std::string out;
  if (!setting.environment.empty()) out += "Environment: " + bold(setting.environment) + ". ";
  if (!setting.option.empty()) out += "Option: " + bold(setting.option) + ". ";
  out += default_of(setting);
  const auto choices = agent::choices_of(setting);
  for (const std::string& choice : choices) {
    out += (&choice == &choices.front() ? " One of " : ", ") + bold(choice);
  }
  if (!choices.empty()) out += ".";
  const bool has_bounds =
      setting.kind == agent::SettingKind::count || setting.kind == agent::SettingKind::seconds;
  if (has_bounds) {
    out +=
        " From " + std::to_string(setting.minimum) + " to " + std::to_string(setting.maximum) + ".";
  }
  return out;
}

}  // namespace

std::string manual_of_program(const std::vector<agent::CommandDescription>& commands,
                              const std::string& version) {
  return heading("CHECKSTACK\\-SATELLITE", "8", version) +
         ".SH NAME\ncheckstack\\-satellite \\- run the scripts of a Checkstack core in a sandbox "
         "on this host\n.SH SYNOPSIS\n.B checkstack\\-satellite\n.I command\n.RI [ options ]\n"
         ".SH DESCRIPTION\nKeeps one outbound TLS WebSocket to a core, takes the sandbox policy "
         "from it, runs its checks and scripts in a sandbox built from that policy, and reports "
         "what was enforced. Without a valid policy nothing runs.\n" +
         commands_part(commands) + settings_options_part() + rest_of_program;
}

std::string manual_of_settings(const std::string& version) {
  std::string out =
      heading("SATELLITE.TOML", "5", version) +
      ".SH NAME\nsatellite.toml \\- settings of the Checkstack satellite\n"
      ".SH DESCRIPTION\nA TOML file. A dot in a name below is a table: \\fBtls.ca_file\\fR is "
      "\\fBca_file\\fR under \\fB[tls]\\fR. An unknown key is an error. Who may write the file "
      "decides what runs as the satellite: root or the satellite's own user only.\n.SH SETTINGS\n";
  for (const agent::Setting& setting : agent::setting_table()) {
    out += entry(bold(setting.key), text(setting.help) + ".\n" + facts_of(setting));
  }
  return out + ".SH SEE ALSO\n.BR checkstack\\-satellite (8)\n";
}

}  // namespace satellite::documents
