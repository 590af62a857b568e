#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/devcore/devcore.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

// The demonstration is the real thing: a core on a thread here, the installed program as a process
// of its own, TLS between them.

using namespace satellite;

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t output_cap = 65'536;

const char* const demo_policy = R"({"enabled":true,"onUnavailable":"fail",
 "resources":{"cpuSeconds":60,"memoryBytes":536870912,"maxOpenFiles":1024,"maxProcesses":256,
              "maxOutputBytes":65536,"maxFileSizeBytes":268435456},
 "filesystem":{"mode":"scratch-plus-ro"},
 "network":{"mode":"allowlist","allow":[],"denyLinkLocalAndMetadata":true},
 "privilege":{"mode":"drop-to-uid"}})";

/// A directory for the certificate, the settings and the satellite's log; gone with the demo.
class DemoFiles {
 public:
  DemoFiles() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "satellite-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~DemoFiles() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  DemoFiles(const DemoFiles&) = delete;
  DemoFiles& operator=(const DemoFiles&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The program as it is installed, as `run`.
class DemoSatellite {
 public:
  DemoSatellite(const devcore::DevCore& core, const DemoFiles& files) {
    std::ofstream(files.file("ca.pem")) << core.ca_pem();
    std::vector<std::string> settings{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CHECKSTACK_CORE_URL=" + core.url(),
        "CHECKSTACK_SATELLITE_CLIENT_ID=demo",
        "CHECKSTACK_SATELLITE_TOKEN=csat_demo",
        "CHECKSTACK_SATELLITE_CA_FILE=" + files.file("ca.pem"),
        "CHECKSTACK_SATELLITE_STATE_DIRECTORY=" + files.file("state")};
    std::vector<char*> environment;
    environment.reserve(settings.size() + 1);
    for (auto& setting : settings) environment.push_back(setting.data());
    environment.push_back(nullptr);
    std::array<std::string, 2> words{"checkstack-satellite", "run"};
    std::array<char*, 3> arguments{words[0].data(), words[1].data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 2, files.file("log").c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    // Asio opens sockets without O_CLOEXEC; a satellite must not keep its core's port.
    ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    ::posix_spawn(&pid_, SATELLITE_BINARY, &actions, nullptr, arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~DemoSatellite() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd ended{pidfd.get(), POLLIN, 0};
    if (::poll(&ended, 1, 12'000) != 1) ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  DemoSatellite(const DemoSatellite&) = delete;
  DemoSatellite& operator=(const DemoSatellite&) = delete;

 private:
  pid_t pid_ = -1;
};

protocol::RunScript demo_script(const char* id, const std::string& text) {
  protocol::RunScript message;
  message.run_id = RunId(id);
  message.script = text;
  message.timeout = 30s;
  return message;
}

/// `engine=bwrap resources=enforced filesystem=enforced network=enforced privilege=enforced`.
std::string report_line(const std::string& report_json) {
  const auto report = nlohmann::json::parse(report_json, nullptr, false);
  if (report.is_discarded()) return "no report";
  std::string line = "engine=" + report.value("engine", "?");
  for (const auto& layer : report.value("layers", nlohmann::json::array())) {
    line += " " + layer.value("layer", "?") + "=" + layer.value("state", "?");
  }
  for (const auto& downgrade : report.value("downgrades", nlohmann::json::array())) {
    line += "; " + downgrade.value("layer", "?") + ": " + downgrade.value("reason", "?");
  }
  return line;
}

void tell(const char* who, const std::string& what) {
  std::cout << who << std::string(11 - std::string_view(who).size(), ' ') << what << std::endl;
}

bool tell_run(const char* name, const devcore::CollectedRun& run, bool as_hoped,
              const std::string& what) {
  tell("check", std::string(name) + ": " +
                    (as_hoped ? what : "NOT as it should be, outcome " + run.finished->outcome));
  tell("", "sandbox: " + report_line(run.finished->sandbox_json));
  if (!as_hoped && run.finished->error) tell("", "error: " + *run.finished->error);
  return as_hoped;
}

std::optional<devcore::CollectedRun> run_check(devcore::DevCore& core, const char* id,
                                               const std::string& text) {
  core.dispatch(demo_script(id, text));
  auto run = core.wait_finished(id, 60s);
  if (run) return *std::move(run);
  tell("check", std::string(id) + ": " + run.error().message);
  return std::nullopt;
}

bool show_healthy_check(devcore::DevCore& core) {
  const auto run = run_check(core, "disk-free", "df -P / | tail -1 | awk '{print $5 \" used\"}'");
  if (!run) return false;
  const bool passed = run->finished->outcome == "exited" && run->finished->exit_code == 0;
  return tell_run("disk-free", *run, passed,
                  "passes in " + std::to_string(run->finished->duration.count()) +
                      " ms: " + run->standard_output.substr(0, run->standard_output.find('\n')));
}

bool show_refused_network(devcore::DevCore& core) {
  // The address it tries is this core's own: the satellite is connected to it, so it is reachable.
  const auto run = run_check(core, "fetch-url",
                             "bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(core.port()) +
                                 "' 2>/dev/null && echo reached || { echo unreachable; exit 7; }");
  if (!run) return false;
  const bool refused = run->finished->outcome == "exited" && run->finished->exit_code == 7 &&
                       run->standard_output == "unreachable\n";
  return tell_run("fetch-url", *run, refused,
                  "is refused the network and fails with its own code 7");
}

bool show_output_cap(devcore::DevCore& core) {
  const auto run = run_check(core, "flood", "yes 'a line without end'");
  if (!run) return false;
  const bool capped = run->finished->outcome == "output_limit" && run->output_bytes == output_cap;
  return tell_run("flood", *run, capped,
                  "is stopped at its output cap, " + std::to_string(run->output_bytes) + " bytes");
}

bool show_reconnect(devcore::DevCore& core) {
  core.dispatch(demo_script("long", "echo begin; sleep 2; seq 1 5000; echo end"));
  if (!core.wait_output("long", 6)) return false;
  core.misbehave(devcore::Misbehaviour::reset);
  const auto cut = Clock::now();
  const auto back = core.wait_until_authenticated(40s, 2);
  if (!back) {
    tell("reconnect", back.error().message);
    return false;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - cut);
  const auto run = core.wait_finished("long", 60s);
  if (!run) {
    tell("reconnect", run.error().message);
    return false;
  }
  const bool whole = run->violations.empty() && run->output_bytes == 6 + 23'893 + 4;
  tell("reconnect", "connection cut while a script ran; reconnected after " +
                        std::to_string(took.count()) + " ms");
  return tell_run(
      "long", *run, whole,
      "went on meanwhile; all " + std::to_string(run->output_bytes) + " bytes arrived, each once");
}

int show_everything(devcore::DevCore& core, const DemoFiles& files) {
  const auto started = Clock::now();
  const DemoSatellite satellite(core, files);
  const auto authenticated = core.wait_until_authenticated(60s);
  if (!authenticated) {
    tell("agent", authenticated.error().message);
    std::cout << std::ifstream(files.file("log")).rdbuf();
    return EXIT_FAILURE;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started);
  tell("agent", "started, connected and authenticated in " + std::to_string(took.count()) + " ms");
  bool all = show_healthy_check(core);
  all = show_refused_network(core) && all;
  all = show_output_cap(core) && all;
  all = show_reconnect(core) && all;
  if (!all) {
    tell("agent", "its log:");
    std::cout << std::ifstream(files.file("log")).rdbuf();
  }
  tell("demo", all ? "everything happened as it should" : "something did not happen");
  return all ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  const DemoFiles files;
  devcore::Settings settings;
  settings.tokens.emplace("demo", "csat_demo");
  settings.policy = demo_policy;
  auto core = devcore::DevCore::start(std::move(settings));
  if (!core) {
    std::cerr << "demo: " << core.error().message << '\n';
    return EXIT_FAILURE;
  }
  tell("core", "a throw-away core on " + (*core)->url() + " with a temporary certificate");
  return show_everything(**core, files);
}
