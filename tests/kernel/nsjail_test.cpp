// What is particular to nsjail: its own limits, its directories on the host, the choice of it.
#include "sandbox/launcher/process/nsjail_directories.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

namespace fs = std::filesystem;

/// PATH for as long as it lives.
class SearchPath {
 public:
  explicit SearchPath(const std::string& path) : before_(std::getenv("PATH")) {
    ::setenv("PATH", path.c_str(), 1);
  }
  ~SearchPath() { ::setenv("PATH", before_.c_str(), 1); }
  SearchPath(const SearchPath&) = delete;
  SearchPath& operator=(const SearchPath&) = delete;

 private:
  std::string before_;
};

std::string nsjail_path() {
  std::istringstream directories(std::getenv("PATH"));
  for (std::string one; std::getline(directories, one, ':');) {
    if (::access((one + "/nsjail").c_str(), X_OK) == 0) return one + "/nsjail";
  }
  return {};
}

bool nsjail_is_there() {
  const bool works = with_nsjail({}).size() == 1;
  return require_layer("nsjail", works, "it does not work here");
}

const CapabilityFinding& finding(const HostFacts& facts, const std::string& name) {
  for (const auto& one : facts.findings) {
    if (one.name == name) return one;
  }
  throw std::runtime_error("no finding " + name);
}

uid_t user_of_scripts() {
  return is_root() ? script_identity.uid : ::geteuid();
}

/// What this user's nsjails may have left on the host.
std::vector<std::string> directories_of(uid_t user) {
  const std::string number = std::to_string(user);
  std::vector<std::string> found;
  for (const auto& path :
       {"/tmp/nsjail." + number + ".root", "/tmp/nsjail." + number + ".tmp",
        "/run/user/nsjail." + number + ".root", "/run/user/nsjail." + number + ".tmp",
        "/run/user/" + number + "/nsjail"}) {
    if (fs::exists(path)) found.push_back(path);
  }
  return found;
}

}  // namespace

TEST_CASE("a script under nsjail has the policy's limits and the satellite's, not nsjail's") {
  if (!nsjail_is_there()) return;
  ScriptBench bench(Engine::nsjail);
  rlimit size{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &size) == 0);
  Policy policy = policy_for(Engine::nsjail);
  policy.resources = ResourceLimits{};
  const Ran ran =
      bench.run(script("ulimit -v; ulimit -t; nice; head -c 3000000 /dev/zero > big; wc -c < big; "
                       "test $(ulimit -n) -gt 32 && echo files"),
                policy);
  INFO(ran.result.error.value_or("") << ran.standard_error);
  const std::string nice = std::to_string(::getpriority(PRIO_PROCESS, 0));
  // Its defaults: address space 4 GiB, 600 s, priority 19, files of 1 MiB, 32 descriptors.
  CHECK(ran.standard_output == "unlimited\nunlimited\n" + nice + "\n3000000\nfiles\n");
}

TEST_CASE("a script under nsjail is told from everything around it and measured so") {
  if (!nsjail_is_there()) return;
  ScriptBench bench(Engine::nsjail);
  const Ran ran = bench.run(
      script("touch ok && echo scratch; touch /tmp/ok && echo tmp; echo > /dev/null && echo null; "
             "for d in / /usr /etc /bin /dev /proc; do touch $d/no && echo $d; done; "
             "echo x > /proc/self/comm && echo proc; ls /root /home /var 2>/dev/null; "
             "test $(ls -d /proc/[0-9]* | wc -l) -le 5 && echo few; cat /proc/self/oom_score_adj; "
             "grep -c . /proc/net/dev"),
      policy_for(Engine::nsjail));
  INFO(ran.result.error.value_or("") << ran.standard_error);
  CHECK(ran.standard_output == "scratch\ntmp\nnull\nfew\n1000\n3\n");
  REQUIRE(ran.report);
  CHECK(ran.report->engine == "nsjail");
  for (const auto& layer : ran.report->layers) {
    INFO(name_of(layer.layer) << ": " << layer.evidence);
    CHECK(layer.state == LayerState::enforced);
  }
  const auto& privilege = ran.report->layers.at(static_cast<std::size_t>(Layer::privilege));
  CHECK(privilege.evidence.find("CapBnd 0, NoNewPrivs 1, Seccomp 2") != std::string::npos);
}

TEST_CASE("a run under nsjail leaves no directory on the host, whether it worked or not") {
  if (!nsjail_is_there()) return;
  const auto before = directories_of(user_of_scripts());
  ScriptBench bench(Engine::nsjail);
  std::vector<RunRequest> requests;
  for (int i = 0; i < 6; ++i) requests.push_back(script("echo up"));
  RunRequest failing = script("true");
  failing.working_directory = "/nowhere";
  requests.push_back(std::move(failing));
  const auto all = bench.run_together(std::move(requests), policy_for(Engine::nsjail));
  for (std::size_t i = 0; i < 6; ++i) {
    INFO(all[i].result.error.value_or(""));
    CHECK(all[i].standard_output == "up\n");
  }
  CHECK(all.back().result.outcome == Outcome::setup_failed);
  // Another test of this user may be on its way right now, with directories of its own.
  CHECK(eventually([&] { return directories_of(user_of_scripts()).size() <= before.size(); }));
}

TEST_CASE(
    "nsjail's directories are shared while in use and refused when they are somebody else's") {
  // A number that no test runs as; the directories are only made, nothing is started.
  const uid_t named = 1'700'000'000 + static_cast<uid_t>(::getpid());
  const uid_t user = ::geteuid();
  {
    auto first = NsjailDirectories::take(named, user);
    REQUIRE(first);
    const auto made = directories_of(named);
    CHECK(made.size() == 2);
    {
      const auto second = NsjailDirectories::take(named, user);
      REQUIRE(second);
    }
    CHECK(directories_of(named) == made);  // the first still has them
  }
  CHECK(directories_of(named).empty());

  const std::string root_directory =
      (is_root() ? "/run/user/nsjail." : "/tmp/nsjail.") + std::to_string(named) + ".root";
  REQUIRE(fs::exists("/run/user"));
  fs::create_directory_symlink("/usr", root_directory);
  const auto link = NsjailDirectories::take(named, user);
  CHECK_FALSE(link);
  fs::remove(root_directory);
  fs::create_directory(root_directory);
  fs::permissions(root_directory, fs::perms(0777));
  const auto open = NsjailDirectories::take(named, user);
  REQUIRE_FALSE(open);
  CHECK(open.error().message.find(root_directory) != std::string::npos);
  // Positive control: closed to others it is used, and left, because we did not make it.
  fs::permissions(root_directory, fs::perms(0755));
  CHECK(NsjailDirectories::take(named, user).has_value());
  CHECK(fs::remove(root_directory));
}

TEST_CASE("where only nsjail is installed it is chosen, and nobody is told to install bubblewrap") {
  if (!nsjail_is_there()) return;
  const TempDir programs;
  fs::permissions(programs.path(), fs::perms(0755));
  fs::create_symlink(nsjail_path(), programs.path() / "nsjail");
  const SearchPath search(programs.path().string());
  boost::asio::io_context context(1);
  auto launcher = Launcher::start({"/tmp", {}, {}});
  REQUIRE(launcher);
  (*launcher)->attach(context, [] {});
  const auto facts = examine_host(context, **launcher, {});
  CHECK(facts.wrapper == Wrapper::nsjail);
  CHECK(finding(facts, "wrapper").present);
  CHECK(finding(facts, "program_bwrap").detail.find("not needed") != std::string::npos);
  for (const auto& one : facts.findings) CHECK(one.remedy.find("bubblewrap") == std::string::npos);
}

TEST_CASE("where no wrapper is installed the remedy names those that may be used") {
  const TempDir nothing;
  const SearchPath search(nothing.path().string());
  ScriptBench bench(Engine::bwrap);
  bench.try_engines({Engine::native, Engine::bwrap});
  CHECK(bench.facts.wrapper == Wrapper::none);
  CHECK(finding(bench.facts, "wrapper").remedy ==
        "sandbox.engines allows only native, bwrap: make one of these work, or allow another");
  const auto all = examine_host(bench.context, *bench.launcher, {});
  CHECK(finding(all, "wrapper").remedy == "install bubblewrap or nsjail");
}

TEST_CASE("a program that is no nsjail fails the set-up with its own words") {
  if (!nsjail_is_there()) return;
  const TempDir programs;
  fs::permissions(programs.path(), fs::perms(0755));
  const std::string file =
      programs.write("nsjail", "#!/bin/sh\necho 'this nsjail is broken' >&2\nexit 255\n");
  fs::permissions(file, fs::perms(0755));
  const SearchPath search(programs.path().string() + ":/usr/bin:/bin");
  const ScriptBench bench(Engine::nsjail);
  CHECK(bench.facts.wrapper == Wrapper::none);
  CHECK(finding(bench.facts, "wrapper").detail.find("this nsjail is broken") != std::string::npos);
}

TEST_CASE("when nsjail is killed nothing of its run stays") {
  if (!nsjail_is_there()) return;
  ScriptBench bench(Engine::nsjail);
  const std::string marker = unique_marker();
  Listener listener;
  int killed = 0;
  listener.on_output = [&](const std::string&) {
    for (const pid_t pid : processes_with(bench.launcher->scratch_area())) {
      if (::kill(pid, SIGKILL) == 0) ++killed;
    }
  };
  const Ran ran = bench.run(script("echo up; setsid sleep " + marker + " & sleep " + marker),
                            policy_for(Engine::nsjail), listener);
  CHECK(killed > 0);
  CHECK(ran.result.outcome != Outcome::exited);
  CHECK(eventually([&] { return count_processes(marker) == 0; }));
}
