// A host that becomes a satellite, and one whose token is replaced, by the real program against a
// real core.
#include "tests/devcore/devcore.hpp"
#include "tests/devcore/temporary_certificate.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::tests;
using nlohmann::json;

namespace {

/// An empty host: a directory for settings and token, an authority, and a core that knows one id.
class EmptyHost {
 public:
  EmptyHost() {
    devcore::Settings settings;
    settings.tokens["satellite-1"] = "csat_geheim";
    settings.tokens["satellite-2"] = "csat_geheim-2";
    auto started = devcore::DevCore::start(std::move(settings));
    REQUIRE(started);
    core_ = *std::move(started);
    authority_ = directory_.write("ca.pem", core_->ca_pem());
  }
  std::vector<std::string> command(const std::string& name) const {
    return {name, "--config", path("etc/satellite.toml"), "--no-start"};
  }
  CommandResult enrol(const std::string& token, std::vector<std::string> further = {}) const {
    std::vector<std::string> words = command("enrol");
    words.insert(words.end(), {"--core", core_->url(), "--id", "satellite-1", "--ca-file",
                               authority_, "--connect-deadline", "20"});
    words.insert(words.end(), further.begin(), further.end());
    return run_satellite(words, shell_path, token);
  }
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  bool has(const std::string& name) const { return ::access(path(name).c_str(), F_OK) == 0; }
  std::string content(const std::string& name) const {
    std::ifstream file(path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  mode_t mode(const std::string& name) const {
    struct stat facts {};
    REQUIRE(::stat(path(name).c_str(), &facts) == 0);
    return facts.st_mode & 07777;
  }
  const TempDir& directory() const { return directory_; }
  devcore::DevCore& core() { return *core_; }

 private:
  TempDir directory_;
  std::unique_ptr<devcore::DevCore> core_;
  std::string authority_;
};

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("an empty host is enrolled, and the satellite that is started then is connected") {
  EmptyHost host;
  const auto enrolled = host.enrol("csat_geheim\n");
  INFO(enrolled.standard_output << enrolled.standard_error);
  CHECK(enrolled.exit_code == 0);
  CHECK(says(enrolled.standard_output, "the core knows id and token"));
  CHECK_FALSE(says(enrolled.standard_output + enrolled.standard_error, "geheim"));
  CHECK(host.content("etc/token") == "csat_geheim\n");
  CHECK(host.mode("etc/token") == 0600);
  CHECK(host.mode("etc/satellite.toml") == 0644);
  CHECK(says(host.content("etc/satellite.toml"), "id = \"satellite-1\""));
  CHECK_FALSE(says(host.content("etc/satellite.toml"), "geheim"));
  const std::uint64_t before = host.core().ledger().counters().authentications;
  const SatelliteProcess satellite(
      {{"run", "--config", host.path("etc/satellite.toml"), "--token-file", host.path("etc/token")},
       shell_path,
       host.path("log")});
  CHECK(host.core().wait_until_authenticated(devcore::DevCore::patience, before + 1));
}

TEST_CASE("enrol writes nothing before the core knows the token, and says which step failed") {
  EmptyHost host;
  const auto refused = host.enrol("csat_other");
  INFO(refused.standard_error);
  CHECK(refused.exit_code == 1);
  CHECK(says(refused.standard_output, "failed   token"));
  CHECK(says(refused.standard_error, "nothing was written"));
  CHECK_FALSE(says(refused.standard_output + refused.standard_error, "csat_other"));
  CHECK_FALSE(host.has("etc/token"));
  CHECK_FALSE(host.has("etc/satellite.toml"));
  // What is known to be right is written without a core.
  CHECK(host.enrol("csat_other", {"--no-trial"}).exit_code == 0);
  CHECK(host.content("etc/token") == "csat_other\n");
}

TEST_CASE("enrol keeps what an operator wrote into his settings") {
  EmptyHost host;
  REQUIRE(::mkdir(host.path("etc").c_str(), 0755) == 0);
  host.directory().write("etc/satellite.toml",
                         "# mine\nid = \"old\"\n[log]\nlevel = \"debug\"   # for now\n");
  REQUIRE(host.enrol("csat_geheim").exit_code == 0);
  const std::string text = host.content("etc/satellite.toml");
  INFO(text);
  CHECK(says(text, "# mine\n"));
  CHECK(says(text, "id = \"satellite-1\"\n"));
  CHECK(says(text, "level = \"debug\"   # for now\n"));
  CHECK(says(text, "[tls]\nca_file = "));
}

TEST_CASE("what enrol cannot take is told before anything is tried") {
  EmptyHost host;
  struct Row {
    std::string token;
    std::vector<std::string> further;
    std::string said;
  };
  const Row row =
      GENERATE(Row{"", {}, "standard input is empty"},
               Row{std::string(5'000, 'x'), {}, "standard input is larger"},
               Row{"\"csat_geheim\"", {}, "quotes"}, Row{"csat_geheim more", {}, "white space"},
               Row{"csat_geheim", {"--token", "csat_geheim"}, "command line"},
               Row{"csat_geheim", {"--log-level", "loud"}, "log.level"});
  const auto result = host.enrol(row.token, row.further);
  INFO(result.standard_error);
  CHECK(result.exit_code == 2);
  CHECK(says(result.standard_error, row.said));
  CHECK_FALSE(says(result.standard_error, "geheim"));
  CHECK_FALSE(host.has("etc/token"));
  CHECK(host.core().ledger().counters().connections == 0);
  const auto without = run_satellite(host.command("enrol"), shell_path, "csat_geheim");
  CHECK(without.exit_code == 2);
  CHECK(says(without.standard_error, "--core"));
}

TEST_CASE("a token is rotated once the core knows the new one, else the old one stays") {
  EmptyHost host;
  REQUIRE(host.enrol("csat_geheim").exit_code == 0);
  const auto wrong = run_satellite(host.command("rotate-token"), shell_path, "csat_wrong");
  INFO(wrong.standard_error);
  CHECK(wrong.exit_code == 1);
  CHECK(says(wrong.standard_error, "the token was not changed"));
  CHECK(host.content("etc/token") == "csat_geheim\n");
  // As if the core had issued another one: its other id has another.
  const auto second = run_satellite({"enrol", "--config", host.path("etc/satellite.toml"),
                                     "--no-start", "--no-trial", "--id", "satellite-2"},
                                    shell_path, "csat_old");
  REQUIRE(second.exit_code == 0);
  REQUIRE(::chmod(host.path("etc/token").c_str(), 0644) == 0);
  const auto right = run_satellite(host.command("rotate-token"), shell_path, "csat_geheim-2\r\n");
  INFO(right.standard_output << right.standard_error);
  CHECK(right.exit_code == 0);
  CHECK(host.content("etc/token") == "csat_geheim-2\n");
  // What read_secret_file refuses is taken away.
  CHECK((host.mode("etc/token") & 07) == 0);
}

TEST_CASE(
    "enrol writes what it tried, also where variables of the shell and paths of it named it") {
  EmptyHost host;
  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = host.core().url();
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  const std::string relative =
      std::filesystem::relative(host.path("ca.pem"), std::filesystem::current_path()).string();
  REQUIRE(relative.front() != '/');
  auto words = host.command("enrol");
  words.insert(words.end(), {"--ca-file", relative});
  const auto enrolled = run_satellite(words, environment, "csat_geheim");
  INFO(enrolled.standard_output << enrolled.standard_error);
  REQUIRE(enrolled.exit_code == 0);
  const std::string text = host.content("etc/satellite.toml");
  INFO(text);
  CHECK(says(text, "core = \"" + host.core().url() + "\"\n"));
  CHECK(says(text, "id = \"satellite-1\"\n"));
  CHECK(says(text, "ca_file = \"/"));
  // From another directory, without the variables.
  const auto checked = run_satellite({"check-config", "--config", host.path("etc/satellite.toml"),
                                      "--token-file", host.path("etc/token")},
                                     shell_path);
  INFO(checked.standard_error);
  CHECK(checked.exit_code == 0);
}

TEST_CASE("enrol writes the proxy of the shell, through which it reached the core") {
  EmptyHost host;
  auto environment = shell_path;
  environment["HTTPS_PROXY"] = "http://proxy.example.org:3128";
  environment["NO_PROXY"] = "other.example.org,not/one,192.0.2.0/24";
  auto words = host.command("enrol");
  words.insert(words.end(), {"--no-trial", "--id", "satellite-1", "--core"});
  auto direct = words;
  words.emplace_back("https://core.example.org");
  direct.emplace_back("https://other.example.org");
  REQUIRE(run_satellite(direct, environment, "csat_geheim").exit_code == 0);
  CHECK_FALSE(says(host.content("etc/satellite.toml"), "proxy"));
  REQUIRE(run_satellite(words, environment, "csat_geheim").exit_code == 0);
  const std::string text = host.content("etc/satellite.toml");
  INFO(text);
  CHECK(says(text, "[proxy]\n"));
  CHECK(says(text, "url = \"http://proxy.example.org:3128\"\n"));
  CHECK(says(text, "other.example.org"));
  CHECK(says(text, "192.0.2.0/24"));
  CHECK_FALSE(says(text, "not/one"));
}

namespace {

/// What doctor says of a host whose sockets are its own, whatever else runs on this machine.
class DoctorAtCore {
 public:
  explicit DoctorAtCore(EmptyHost& host) : host_(host) {
    environment_ = shell_path;
    environment_["CHECKSTACK_CORE_URL"] = host.core().url();
    environment_["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
    environment_["CHECKSTACK_SATELLITE_CA_FILE"] = host.path("ca.pem");
    environment_["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = host.path("state");
    environment_["CHECKSTACK_SATELLITE_STATUS_SOCKET"] = host.path("status.sock");
  }
  const std::map<std::string, std::string>& environment() const { return environment_; }
  std::map<std::string, std::string> states(
      const std::map<std::string, std::string>& further) const {
    const auto result = run({"doctor", "--json"}, further);
    std::map<std::string, std::string> states;
    const json answer = json::parse(result.standard_output);
    for (const json& step : answer.at("ways").at(0).at("steps")) {
      states[step.at("name")] = step.at("state");
      if (step.at("state") == "failed") CHECK_FALSE(step.at("remedy").get<std::string>().empty());
    }
    return states;
  }
  CommandResult run(std::vector<std::string> words,
                    const std::map<std::string, std::string>& further) const {
    auto environment = environment_;
    for (const auto& [name, value] : further) environment[name] = value;
    words.insert(words.end(), {"--config", host_.directory().write("settings", "")});
    auto result = run_satellite(words, environment);
    INFO(result.standard_error);
    CHECK_FALSE(says(result.standard_output + result.standard_error, "csat_"));
    return result;
  }

 private:
  EmptyHost& host_;
  std::map<std::string, std::string> environment_;
};

}  // namespace

TEST_CASE("doctor finds a wrong token, a wrong authority and a closed port by itself") {
  EmptyHost host;
  const std::string empty = host.directory().write("other.pem", "");
  const std::string other =
      host.directory().write("foreign.pem", tls::TemporaryAuthority::create()->certificate_pem());
  const DoctorAtCore doctor(host);
  const auto asked = [&](std::map<std::string, std::string> further) {
    further.emplace("CHECKSTACK_SATELLITE_TOKEN", "csat_geheim");
    return doctor.states(further);
  };
  CHECK(asked({}).at("token") == "done");
  CHECK(asked({{"CHECKSTACK_SATELLITE_TOKEN", "csat_wrong"}}).at("token") == "failed");
  CHECK(asked({{"CHECKSTACK_SATELLITE_CA_FILE", other}}).at("tls") == "failed");
  CHECK(asked({{"CHECKSTACK_SATELLITE_CA_FILE", empty}}).at("trust") == "failed");
  CHECK(asked({{"CHECKSTACK_CORE_URL", "https://127.0.0.1:1"}}).at("tcp") == "failed");
  CHECK(asked({{"CHECKSTACK_CORE_URL", "https://core.example.org"},
               {"HTTPS_PROXY", "http://127.0.0.1:1"}})
            .at("tcp") == "failed");
}

TEST_CASE("doctor takes the token beside the settings, and says where it could try none") {
  EmptyHost host;
  const DoctorAtCore doctor(host);
  CHECK(doctor.states({}).at("token") == "not tried");
  CHECK_FALSE(says(doctor.run({"doctor"}, {}).standard_output, "the core is open."));
  ::chmod(host.directory().write("token", "csat_wrong").c_str(), 0600);
  CHECK(doctor.states({}).at("token") == "failed");
  CHECK(doctor.run({"doctor"}, {}).exit_code == 1);
  host.directory().write("token", "csat_geheim");
  CHECK(doctor.states({}).at("token") == "done");
}

TEST_CASE("beside a running satellite doctor shows no token, and tells what that one knows") {
  EmptyHost host;
  const DoctorAtCore doctor(host);
  const std::string token = host.directory().write("token", "csat_geheim");
  ::chmod(token.c_str(), 0600);
  const SatelliteProcess satellite(
      {{"run", "--config", host.directory().write("settings", ""), "--token-file", token},
       doctor.environment(),
       host.path("log")});
  REQUIRE(host.core().wait_until_authenticated(devcore::DevCore::patience, 1));
  eventually("status tells of the connection",
             [&] { return doctor.states({}).at("token") == "done"; });
  // With "none" nobody can know whether one runs.
  CHECK(doctor.states({{"CHECKSTACK_SATELLITE_STATUS_SOCKET", "none"}}).at("token") == "not tried");
  CHECK(host.core().ledger().counters().authentications == 1);
}

TEST_CASE("doctor tells of the refusal that a running satellite got") {
  EmptyHost host;
  const DoctorAtCore doctor(host);
  const std::string token = host.directory().write("token", "csat_wrong");
  ::chmod(token.c_str(), 0600);
  const SatelliteProcess satellite(
      {{"run", "--config", host.directory().write("settings", ""), "--token-file", token},
       doctor.environment(),
       host.path("log")});
  eventually("the satellite was refused",
             [&] { return says(satellite.log(), "refused id or token"); });
  eventually("doctor tells of it", [&] { return doctor.states({}).at("token") == "failed"; });
}
