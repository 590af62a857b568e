// What people get wrong, and what is said to them: each row is a command line, a setting or a token
// file. All end with exit code 2 before anything is started, with the cause in one line, and none
// repeats what could be a secret.
#include "tests/end_to_end/any_authority.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

using namespace satellite::tests;

namespace {

using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

const std::string secret = "geheim";

/// `{dir}` -> the directory of the test.
std::string placed(std::string text, const TempDir& directory) {
  const std::string mark = "{dir}";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
    text.replace(at, mark.size(), directory.path().string());
  }
  return text;
}

Variables complete() {
  Variables variables = shell_path;
  variables["CHECKSTACK_CORE_URL"] = "https://core.example.org";
  variables["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  variables["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  variables["CHECKSTACK_SATELLITE_CA_FILE"] = any_authority();
  return variables;
}

void check_refused(const CommandResult& result, const std::string& words) {
  INFO("exit code " << result.exit_code << ", it says: " << result.standard_error);
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find(words) != std::string::npos);
  CHECK(result.standard_error.starts_with("checkstack-satellite: "));
  CHECK((result.standard_output + result.standard_error).find(secret) == std::string::npos);
  CHECK(result.standard_output.empty());
}

}  // namespace

TEST_CASE("what an error repeats from outside cannot repaint the terminal") {
  const auto result =
      run_satellite({"policy", "check", "/nonexistent/\x1b[31mred\nline"}, shell_path);
  INFO(result.standard_error);
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find('\x1b') == std::string::npos);
  CHECK(result.standard_error.find("[31mred") != std::string::npos);
  CHECK(result.standard_error.find('\n') == result.standard_error.size() - 1);
}

TEST_CASE("a wrong command line is told with what was meant and where help is") {
  struct Row {
    Words words;
    std::string said;
  };
  const Row row = GENERATE(
      Row{{}, "a command is missing"}, Row{{"rum"}, "no command 'rum'; did you mean 'run'?"},
      Row{{"statsu"}, "did you mean 'status'?"}, Row{{"docter"}, "did you mean 'doctor'?"},
      Row{{"checkconfig"}, "did you mean 'check-config'?"},
      Row{{"polices"}, "did you mean 'policy'?"}, Row{{"fly"}, "no command 'fly'; see"},
      Row{{"Run"}, "nothing expects"}, Row{{"csat_geheim"}, "nothing expects"},
      Row{{"help", "rum"}, "did you mean 'run'?"}, Row{{"version", "now"}, "version --help"},
      Row{{"run", "--cor", "https://x"}, "no option --cor here; did you mean '--core'?"},
      Row{{"run", "--concurency=3"}, "did you mean '--concurrency'?"},
      Row{{"run", "--ca_file", "x"}, "did you mean '--ca-file'?"},
      Row{{"doctor", "--jsno"}, "did you mean '--json'?"},
      Row{{"doctor", "--fxi"}, "did you mean '--fix'?"},
      Row{{"doctor", "--fix=geheim"}, "takes no value"},
      Row{{"suport-bundle"}, "did you mean 'support-bundle'?"},
      Row{{"support-bundle", "--output"}, "option --output needs one value"},
      Row{{"support-bundle", "--output", "{dir}/check.sh"}, "is there already"},
      Row{{"support-bundle", "x.tar"}, "nothing expects"},
      Row{{"status", "--socket", "/x"}, "no option --socket here; see"},
      Row{{"run", "--token", "geheim"}, "--token-file"},
      Row{{"run", "--token=geheim"}, "have the core issue a new one"},
      Row{{"run", "-token", "geheim"}, "--token-file"},
      Row{{"--token", "geheim", "run"}, "--token-file"},
      Row{{"run", "--secret=geheim"}, "no option --secret here"},
      Row{{"run", "-sgeheim"}, "no option -s here"},
      Row{{"run", "csat_geheim"}, "nothing expects; see checkstack-satellite run --help"},
      Row{{"run", "--core"}, "option --core needs one value"},
      Row{{"run", "--core", "https://a", "--core", "https://geheim"}, "--core needs one value"},
      Row{{"exec"}, "exec needs a file; see checkstack-satellite exec --help"},
      Row{{"exec", "/nonexistent/x"}, "/nonexistent/x"},
      Row{{"exec", "{dir}/check.sh", "--language", "python"}, "none of shell, module"},
      Row{{"exec", "{dir}/check.sh", "--language", "modul"}, "did you mean 'module'?"},
      Row{{"exec", "{dir}/check.sh", "--policy", "/nonexistent/p"}, "/nonexistent/p"},
      Row{{"exec", "{dir}/check.sh", "--policy", "{dir}/check.sh"}, "policy"},
      Row{{"exec", "{dir}/check.sh", "--context", "/nonexistent/c"}, "/nonexistent/c"},
      Row{{"exec", "{dir}/check.sh", "--grants"}, "--compare"},
      Row{{"exec", "{dir}/check.sh", "--json=geheim"}, "takes no value"},
      Row{{"policy"}, "policy needs a verb"}, Row{{"policy", "shwo"}, "did you mean 'show'?"},
      Row{{"policy", "csat_geheim"}, "what was typed is none of show, check, merge"},
      Row{{"policy", "check"}, "needs a file"},
      Row{{"policy", "check", "/nonexistent/p"}, "/nonexistent/p"},
      Row{{"policy", "merge", "--effective", "-"}, "--effective belongs to policy show"},
      Row{{"packages"}, "packages needs a verb"}, Row{{"packages", "lits"}, "did you mean 'list'?"},
      Row{{"check-config", "--config"}, "--config needs one value"},
      Row{{"check-config", "--config", "/nonexistent/s"}, "/nonexistent/s cannot be opened"},
      Row{{"check-config", "--config", "{dir}"}, "is a directory"});
  const TempDir directory;
  directory.write("check.sh", "true\n");
  Words words;
  for (const std::string& word : row.words) words.push_back(placed(word, directory));
  std::string line;
  for (const std::string& word : words) line += word + ' ';
  INFO(line);
  check_refused(run_satellite(words, complete()), row.said);
}

TEST_CASE("a wrong line of a settings file is told with file, line and remedy") {
  struct Row {
    std::string text, said;
  };
  const Row row = GENERATE(
      Row{"core = \n", "satellite.toml:1: not valid TOML"},
      Row{"id = 'a'\nid = 'b'\n", "not valid TOML"}, Row{"[log\n", "not valid TOML"},
      Row{"\n[dispatch]\nconcurency = 3\n", "satellite.toml:3: there is no setting"},
      Row{"[dispatch]\nconcurency = 3\n", "did you mean 'dispatch.concurrency'?"},
      Row{"cor = 'x'\n", "did you mean 'core'?"},
      Row{"[dispatch]\nconcurrency = 0\n", "satellite.toml:2"},
      Row{"[dispatch]\nconcurrency = 'three'\n", "whole number from 1 to 32"},
      Row{"[dispatch]\nconcurrency = 3.5\n", "text, a whole number, true or false"},
      Row{"[dispatch]\nconcurrency = [3]\n", "satellite.toml:2"},
      Row{"[dispatch.more]\nx = 1\n", "section"}, Row{"token = 'geheim'\n", "token_file"},
      Row{"[dispatch]\nautomation = true\n", "called operator.automation"},
      Row{"[log]\nlevel = 'loud'\n", "one of debug, info, warn, error"},
      Row{"[log]\nformat = 'xml'\n", "one of text, json, logfmt"},
      Row{"[status]\nsocket = 'here'\n", "absolute path, or none"},
      Row{"[status]\nhttp = '0.0.0.0:80'\n", "status.http (from"},
      Row{"[state]\ndirectory = 'here'\n", "absolute path"},
      Row{"[state]\nephemeral = true\n[offline]\ncache = true\n", "needs a state directory"},
      Row{"[sandbox]\nuid = 0\n", "sandbox.uid (from"},
      Row{"[sandbox]\nuid = -1\n", "whole number from 1"},
      Row{"[sandbox]\nengines = 'native,firejail'\n", "firejail"},
      Row{"[sandbox]\nmodule_runtime = 'bun'\n", "auto, none or the absolute path"},
      Row{"[sandbox]\nscratch_directory = 'here'\n", "absolute path"},
      Row{"[sandbox]\nscratch_directory = '/nonexistent/x'\n", "does not exist; create it"},
      Row{"[sandbox]\nuid_range = '5'\n", "sandbox.uid_range"},
      Row{"[operator]\ntimeout_max = 0\n", "operator.timeout_max"},
      Row{"[operator]\nallow_unconfined = 'maybe'\n", "operator.allow_unconfined"},
      Row{"[operator]\nceiling = '/nonexistent/c'\n", "/nonexistent/c"},
      Row{"[operator]\nblocked_addresses = 'x'\n", "operator.blocked_addresses"},
      Row{"[operator]\nhealth_checks = 'yes'\n", "neither true nor false"},
      Row{"[tls]\nca_file = '/nonexistent/ca'\n", "tls.ca_file"},
      Row{"[tls]\nca_file = '{dir}/text'\n", "no certificate in it"},
      Row{"[tls]\nca_directory = '{dir}'\n", "openssl rehash"},
      Row{"[tls]\nsystem_store = 'both'\n", "neither replaced nor added"},
      Row{"[tls]\npins = ['sha256/short']\n", "satellite.toml:2"},
      Row{"[tls]\ncertificate_file = '/c'\n", "needs tls.key_file"},
      Row{"[tls]\ncertificate_file = '/nonexistent/c'\nkey_file = '/k'\n", "/nonexistent/c"},
      Row{"[proxy]\nurl = 'socks5://x'\n", "satellite.toml:2"},
      Row{"[proxy]\nurl = 'http://user:geheim@x'\n", "proxy.credentials_file"},
      Row{"[proxy]\nurl = 'http://p'\nbypass = ['a/b']\n", "satellite.toml:3"},
      Row{"[proxy]\nurl = 'http://p'\ncredentials_file = '/nonexistent/c'\n", "/nonexistent/c"},
      Row{"[connection]\nresolver = 'mdns'\n", "neither builtin nor getent"},
      Row{"[connection]\nbackoff_max = 0\n", "connection.backoff_max"},
      Row{"[outbox]\nsize_max = 0\n", "outbox.size_max"},
      Row{"delivery = 'maybe'\n", "neither at-least-once nor at-most-once"},
      Row{"# K\xfc"
          "che\n",
          "satellite.toml:1: the settings file is not UTF-8"},
      Row{std::string("\xff\xfe#\0\n\0", 6), "it is UTF-16"},
      Row{std::string("# \0\n", 4), "NUL byte"});
  const TempDir directory;
  directory.write("text", "hello\n");
  const std::string file = directory.write("satellite.toml", placed(row.text, directory));
  INFO(row.text);
  auto variables = complete();
  // A variable outranks the file.
  if (row.text.find("ca_file") != std::string::npos) {
    variables.erase("CHECKSTACK_SATELLITE_CA_FILE");
  }
  check_refused(run_satellite({"check-config", "--config", file}, variables), row.said);
}

TEST_CASE("a wrong variable of the environment is told by its name") {
  struct Row {
    std::string name, value, said;
  };
  const Row row =
      GENERATE(Row{"CHECKSTACK_CORE_URL", "", "core: not set; use option --core"},
               Row{"CHECKSTACK_CORE_URL", "core.example.org", "environment CHECKSTACK_CORE_URL"},
               Row{"CHECKSTACK_CORE_URL", "http://core.example.org", "use https://"},
               Row{"CHECKSTACK_CORE_URL", "https://user:geheim@core", "user name or password"},
               Row{"CHECKSTACK_CORE_URL", "https://core:0", "port"},
               Row{"CHECKSTACK_CORE_URL", "https://core/?token=geheim", "query"},
               Row{"CHECKSTACK_CORE_URL", "ftp://core", "scheme"},
               Row{"CHECKSTACK_CORE_URL", "https://127.1", "four decimal numbers"},
               Row{"CHECKSTACK_CORE_URL", "https://a,https://a", "named twice"},
               Row{"CHECKSTACK_SATELLITE_CLIENT_ID", "", "id: not set"},
               Row{"CHECKSTACK_SATELLITE_CLIENT_ID", "\"satellite-1\"", "quotes"},
               Row{"CHECKSTACK_SATELLITE_CLIENT_ID", "satellite-1\r", "line break"},
               Row{"CHECKSTACK_SATELLITE_CLIENT_ID", "satellite 1", "white space"},
               Row{"CHECKSTACK_SATELLITE_CLIENT_ID", std::string(300, 'x'), "256 bytes"},
               Row{"CHECKSTACK_SATELLITE_CONCURRENCY", "many",
                   "(from environment CHECKSTACK_SATELLITE_CONCURRENCY)"},
               Row{"CHECKSTACK_SATELLITE_CONFIG", "/nonexistent/s", "/nonexistent/s"},
               Row{"CHECKSTACK_SATELLITE_TOKEN", "", "token: none found"},
               Row{"CHECKSTACK_SATELLITE_TOKEN", "\"geheim\"", "quotes"},
               Row{"CHECKSTACK_SATELLITE_TOKEN", "geheim geheim", "white space"},
               Row{"HTTPS_PROXY", "http://user:geheim@proxy", "proxy.credentials_file"});
  auto environment = complete();
  environment[row.name] = row.value;
  INFO(row.name << '=' << row.value);
  check_refused(run_satellite({"check-config"}, environment), row.said);
}

TEST_CASE("a wrong token file is told with its path and what is wrong with it") {
  struct Row {
    std::string content;
    mode_t mode;
    std::string said;
  };
  const Row row = GENERATE(
      Row{"", 0600, "is empty"}, Row{"\n", 0600, "is empty"},
      Row{"\"geheim\"", 0600, "quotes around it"}, Row{"'geheim'\n", 0600, "quotes around it"},
      Row{"\xef\xbb\xbfgeheim\n", 0600, "byte order mark"},
      Row{std::string("\xff\xfeg\0", 4), 0600, "byte order mark"},
      Row{"# web\ngeheim\n", 0600, "one token and nothing else"},
      Row{"geheim\ngeheim\n", 0600, "one token and nothing else"},
      Row{"geheim\xc3\xa4", 0600, "printable ASCII"},
      Row{std::string(5'000, 'x'), 0600, "longer than"}, Row{"geheim", 0644, "mount it with mode"},
      Row{"geheim", 0444, "mount it with mode"}, Row{"geheim", 0660, "chmod 600"});
  const TempDir directory;
  const std::string file = directory.write("token", row.content);
  ::chmod(file.c_str(), row.mode);
  const auto result = run_satellite({"check-config", "--token-file", file}, complete());
  check_refused(result, row.said);
  CHECK(result.standard_error.find(file) != std::string::npos);
  // The positive control: the same with one line that is a token.
  const std::string good = directory.write("good", "csat_good\r\n");
  ::chmod(good.c_str(), 0600);
  CHECK(run_satellite({"check-config", "--token-file", good}, complete()).exit_code == 0);
}

TEST_CASE("a token file that is none is told with its path") {
  const TempDir directory;
  check_refused(run_satellite({"check-config", "--token-file", "/nonexistent/t"}, complete()),
                "/nonexistent/t");
  check_refused(
      run_satellite({"check-config", "--token-file", directory.path().string()}, complete()),
      "not a regular file");
}

TEST_CASE("a variable that is none of ours is told, with the one that was meant") {
  auto environment = complete();
  environment["CHECKSTACK_SATELLITE_CONCURENCY"] = "geheim";
  environment["CHECKSTACK_SANDBOX_COLOUR"] = "geheim";
  environment["CHECKSTACK_CHECK_ID"] = "what scripts are given";
  const auto result = run_satellite({"check-config"}, environment);
  INFO(result.standard_output);
  CHECK(result.exit_code == 0);
  CHECK(result.standard_output.find("warning: the variable CHECKSTACK_SATELLITE_CONCURENCY is none "
                                    "of this satellite's; did you mean "
                                    "CHECKSTACK_SATELLITE_CONCURRENCY?") != std::string::npos);
  CHECK(result.standard_output.find("CHECKSTACK_SANDBOX_COLOUR") != std::string::npos);
  CHECK(result.standard_output.find("CHECKSTACK_CHECK_ID") == std::string::npos);
  CHECK(result.standard_output.find(secret) == std::string::npos);
}
