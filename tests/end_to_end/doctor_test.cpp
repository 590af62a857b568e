// What doctor proposes without doing it, and with whose eyes it looks.
#include "tests/end_to_end/any_authority.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite::tests;
using nlohmann::json;

namespace {

/// Everything below a directory: names, modes, times of the last change, contents.
std::string snapshot(const std::filesystem::path& root) {
  std::map<std::string, std::string> seen;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    struct stat facts {};
    REQUIRE(::lstat(entry.path().c_str(), &facts) == 0);
    seen[entry.path().string()] =
        std::to_string(facts.st_mode) + ' ' + std::to_string(facts.st_ctim.tv_sec) + '.' +
        std::to_string(facts.st_ctim.tv_nsec) +
        (entry.is_regular_file() ? ' ' + file_text(entry.path()) : std::string());
  }
  std::string all;
  for (const auto& [name, facts] : seen) all += name + ": " + facts + '\n';
  return all;
}

/// A host on which every program that could change something writes down that it was called.
class WatchedHost {
 public:
  WatchedHost() {
    std::filesystem::create_directory(path("bin"));
    for (const char* const program :
         {"apt-get", "apparmor_parser", "checkstack-satellite", "chmod", "dnf", "grubby", "install",
          "mkdir", "modprobe", "sh", "sysctl", "systemctl", "timedatectl"}) {
      const std::string file = directory_.write(std::string("bin/") + program,
                                                "#!/bin/sh\necho \"$0 $*\" >>" + mark() + "\n");
      ::chmod(file.c_str(), 0755);
    }
    settings_ = directory_.write("satellite.toml", "");
    // Others can read it: refused, and chmod would mend it.
    ::chmod(directory_.write("token", "csat_geheim").c_str(), 0644);
    environment_ = shell_path;
    environment_["PATH"] = path("bin") + ":" + environment_.at("PATH");
    environment_["CHECKSTACK_CORE_URL"] = "https://127.0.0.1:1";
    environment_["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
    environment_["CHECKSTACK_SATELLITE_CA_FILE"] = any_authority();
    environment_["CHECKSTACK_SATELLITE_MODULE_RUNTIME"] = "none";
    environment_["CHECKSTACK_SATELLITE_STATUS_SOCKET"] = path("status.sock");
    environment_["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = path("state");
  }
  CommandResult doctor(std::vector<std::string> further) const {
    std::vector<std::string> words{"doctor", "--config", settings_};
    words.insert(words.end(), further.begin(), further.end());
    return run_satellite(words, environment_);
  }
  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  std::string mark() const { return path("called"); }
  const TempDir& directory() const { return directory_; }
  std::map<std::string, std::string>& environment() { return environment_; }

 private:
  TempDir directory_;
  std::string settings_;
  std::map<std::string, std::string> environment_;
};

std::vector<std::string> commands_in(const json& answer, const std::string& finding) {
  for (const json& mend : answer.at("mends")) {
    if (mend.at("finding") == finding) return mend.at("commands");
  }
  return {};
}

bool is_called(const WatchedHost& host) {
  return std::filesystem::exists(host.mark());
}

}  // namespace

TEST_CASE("doctor --fix prints what would mend each finding and runs none of it") {
  WatchedHost host;
  const std::string before = snapshot(host.directory().path());
  const auto told = host.doctor({"--fix"});
  const auto told_to_machines = host.doctor({"--fix", "--json"});
  INFO(told.standard_output << told.standard_error);
  CHECK(snapshot(host.directory().path()) == before);
  CHECK_FALSE(is_called(host));
  CHECK(told.exit_code == 1);
  CHECK(told_to_machines.exit_code == 1);
  const json answer = json::parse(told_to_machines.standard_output);
  const auto opened = commands_in(answer, "token");
  CHECK(opened == std::vector<std::string>{"chmod 600 '" + host.path("token") + "'"});
  CHECK(answer.at("mends").at(0).at("finding") == "tcp");
  CHECK(commands_in(answer, "module_runtime") ==
        std::vector<std::string>{"apt-get install nodejs"});
  for (const json& mend : answer.at("mends")) {
    for (const std::string command : mend.at("commands")) {
      INFO(command);
      CHECK(told.standard_output.find('\n' + command + '\n') != std::string::npos);
    }
  }
  CHECK((told.standard_output + told_to_machines.standard_output).find("geheim") ==
        std::string::npos);
  // The positive control: whatever runs one of these commands here leaves a mark.
  const std::string run = "PATH='" + host.environment().at("PATH") + "' " + opened.front();
  REQUIRE(std::system(run.c_str()) == 0);
  CHECK(is_called(host));
}

TEST_CASE("without --fix doctor tells remedies and no commands, and the verdict comes last") {
  WatchedHost host;
  const auto told = host.doctor({});
  INFO(told.standard_output);
  CHECK(told.exit_code == 1);
  CHECK(told.standard_output.find("chmod 600 '") == std::string::npos);
  const std::string without_end = told.standard_output.substr(0, told.standard_output.size() - 1);
  const std::string last = without_end.substr(without_end.rfind('\n') + 1);
  CHECK(last.find("the way to the core fails at: tcp, token.") != std::string::npos);
  const json answer = json::parse(host.doctor({"--json"}).standard_output);
  CHECK_FALSE(answer.contains("mends"));
  CHECK(answer.at("verdict") == last);
  CHECK(answer.at("well") == false);
}

TEST_CASE("doctor tells what the satellite that runs here can do, not what this command could") {
  WatchedHost host;
  const auto wrapper = [&host] {
    const json answer = json::parse(host.doctor({"--json"}).standard_output);
    for (const json& one : answer.at("capabilities")) {
      if (one.at("name") == "wrapper") return one;
    }
    return json();
  };
  const json seen_by_command = wrapper();
  CHECK(seen_by_command.at("seenBy") == "command");
  REQUIRE(seen_by_command.at("present") == true);
  // Its eyes are worse: it finds no program of this host.
  auto environment = host.environment();
  environment["PATH"] = "/nonexistent";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_geheim";
  const SatelliteProcess satellite({{"run"}, environment, host.path("log")});
  eventually(
      "doctor tells what the satellite sees", [&] { return wrapper().at("seenBy") == "service"; },
      satellite);
  CHECK(wrapper().at("present") == false);
  const auto text = host.doctor({}).standard_output;
  INFO(text);
  CHECK(text.find("was asked what it can do") != std::string::npos);
  CHECK(text.find("bwrap is not on PATH; nsjail is not on PATH (seen by the service)") !=
        std::string::npos);
  // What the satellite does not try is looked at by this command.
  const auto shell = text.find(" shell ");
  REQUIRE(shell != std::string::npos);
  CHECK(text.substr(shell, text.find('\n', shell) - shell).find("seen by") == std::string::npos);
}

TEST_CASE("beside a satellite that this user may not ask doctor shows no token and says why") {
  if (!require_layer("user", ::geteuid() != 0, "root may ask everybody")) return;
  WatchedHost host;
  ::chmod(host.path("token").c_str(), 0600);
  const auto token_step = [&host] {
    return json::parse(host.doctor({"--json"}).standard_output).at("ways").at(0).at("steps").back();
  };
  // Nobody is there to ask: it would be shown, were there a way to the core.
  CHECK(token_step().at("detail") == "not shown to the core");
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  host.path("status.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket, 1) == 0);
  REQUIRE(::chmod(host.path("status.sock").c_str(), 0) == 0);
  CHECK(token_step().at("state") == "not tried");
  CHECK(token_step().at("detail").get<std::string>().find("this user may not ask it") !=
        std::string::npos);
  ::close(socket);
}
