// Scripts that see the host's processes: what of those of their own user they can look into, change
// or end. Without this grant there is nobody else in a run's pid namespace. (B, C of the list)
#include "tests/escape/escape_bench.hpp"
#include "tests/support/kept_signals.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>
#include <vector>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// A process of the scripts' user that holds secrets in every way that a process can: environment,
/// memory, a directory, an open file. The harness's nonce in its command line is what the probe
/// asks for before it touches it.
class Victim {
 public:
  explicit Victim(const Identity& user) {
    const std::string directory = files_.path().string();
    files_.write("secret", "SECRET\n");
    if (is_root()) {
      REQUIRE(::chown(directory.c_str(), user.uid, user.gid) == 0);
      REQUIRE(::chown((directory + "/secret").c_str(), user.uid, user.gid) == 0);
    }
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd reading(ends[0]);
    kept_.reset(ends[1]);
    const std::string nonce = probe_nonce();
    pid_ = ::fork();
    if (pid_ == 0) become(user, directory, nonce, reading.get());
    REQUIRE(eventually([&] { return holds(read_proc(pid_, "cmdline"), nonce); }));
  }
  ~Victim() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  std::string pid() const { return std::to_string(pid_); }
  bool is_alive() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  /// What of it is not as it was.
  std::string changed() const {
    std::string text;
    const int priority = ::getpriority(PRIO_PROCESS, static_cast<id_t>(pid_));
    if (priority != ::getpriority(PRIO_PROCESS, 0)) text += "priority ";
    if (::sched_getscheduler(pid_) != ::sched_getscheduler(0)) text += "scheduler ";
    // "Max open files  SOFT  HARD  files", which everybody may read.
    std::istringstream limits(read_proc(pid_, "limits"));
    for (std::string line; std::getline(limits, line);) {
      const bool is_it = line.starts_with("Max open files");
      if (is_it && !holds(line, " " + std::to_string(open_files) + " ")) text += "limit ";
    }
    return text;
  }

 private:
  static constexpr rlim_t open_files = 777;

  /// Until the harness ends it or is gone.
  [[noreturn]] static void become(const Identity& user, const std::string& directory,
                                  const std::string& nonce, int waited) {
    const rlimit limit{open_files, open_files};
    const bool is_become = !is_root() || (::setgroups(0, nullptr) == 0 &&
                                          ::setresgid(user.gid, user.gid, user.gid) == 0 &&
                                          ::setresuid(user.uid, user.uid, user.uid) == 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const int secret = ::open((directory + "/secret").c_str(), O_RDONLY);
    const int nothing = ::open("/dev/null", O_WRONLY);
    const bool has_streams = ::dup2(waited, 0) == 0 && ::dup2(nothing, 1) == 1 &&
                             ::dup2(nothing, 2) == 2 && ::dup2(secret, 9) == 9;
    if (!is_become || !has_streams || ::chdir(directory.c_str()) != 0) ::_exit(1);
    const char* const environment[] = {"PATH=/usr/bin:/bin", "PASSWORD=SECRET", nullptr};
    ::execle("/bin/sh", "sh", "-c", "read -r until_the_end", "victim", nonce.c_str(), nullptr,
             environment);
    ::_exit(1);
  }

  TempDir files_;
  UniqueFd kept_;
  pid_t pid_ = -1;
};

struct OnVictim {
  std::string words;  ///< of the probe; {} is the victim
  std::string said;   ///< inside the sandbox
};

/// Each of them works on such a process without a sandbox.
std::vector<OnVictim> attempts_on_a_victim() {
  std::vector<OnVictim> all;
  for (const char* call :
       {"signal", "signal-thread", "signal-queued", "signal-queued-to-thread", "signal-by-handle",
        "signal-by-directory", "trace", "read-memory", "write-memory", "steal-descriptor",
        "compare", "locks", "limit", "scheduler", "affinity", "priority", "io-priority"}) {
    all.push_back({std::string("on-victim {} ") + call, "EPERM"});
  }
  for (const char* file :
       {"environ", "mem", "maps", "smaps", "auxv", "io", "fdinfo", "map_files", "fd/9", "cwd/",
        "cwd/secret", "root/", "root/etc/hostname", "task/{}/environ"}) {
    all.push_back({std::string("read-of-victim {} ") + file, "EACCES"});
  }
  // How many files it has open is told by the mode of the directory, and nothing of what they are.
  all.push_back({"read-of-victim {} fd", "ok"});
  for (const char* link : {"exe", "cwd", "root", "fd/9", "ns/pid", "ns/mnt"}) {
    all.push_back({std::string("link-of-victim {} ") + link, "EACCES"});
  }
  for (const char* change : {"oom_score_adj 900", "clear_refs 1", "coredump_filter 0x33"}) {
    all.push_back({std::string("write-of-victim {} ") + change, "EROFS"});
  }
  return all;
}

std::vector<std::string> words_for(const std::vector<OnVictim>& attempts, const std::string& pid) {
  std::vector<std::string> all;
  for (const auto& attempt : attempts) {
    std::string words = attempt.words;
    for (auto at = words.find("{}"); at != words.npos; at = words.find("{}")) {
      words.replace(at, 2, pid);
    }
    all.push_back(std::move(words));
  }
  return all;
}

Identity scripts_user(const EscapeBench& bench) {
  return bench.settings.default_identity.value_or(Identity{::geteuid(), ::getegid()});
}

bool can_keep_signals(const EscapeBench& bench) {
  return require_layer("signal_scope", bench.facts.keeps_signals,
                       "needs Landlock ABI 6 (Linux 6.12)");
}

/// Runs that see the host's processes, and whose signals are kept by the kernel's scope, or by
/// users that nobody else has.
struct SeeingBench : EscapeBench {
  explicit SeeingBench(KeptSignals chosen)
      : EscapeBench(Engine::native, range_for(chosen, identities_of_this_process(8)),
                    Egress::untried, std::nullopt, landlock_abi_for(chosen)),
        kept(chosen) {
    settings.host_view.processes = true;
  }
  bool is_possible() {
    if (kept == KeptSignals::by_scope) return can_keep_signals(*this);
    CHECK_FALSE(facts.keeps_signals);
    return require_layer("root", is_root(), "only root can give a run a user of its own");
  }

  KeptSignals kept;
};

bool shows_the_hosts(const Ran& ran) {
  const auto& grants = ran.result.sandbox.grants;
  return std::find(grants.begin(), grants.end(), "processes") != grants.end();
}

/// What the answers should be, but are not.
std::string unexpected(const std::vector<OnVictim>& attempts, const std::string& answers) {
  std::istringstream lines(answers);
  std::string text, line;
  for (const auto& attempt : attempts) {
    std::getline(lines, line);
    if (!line.ends_with(": " + attempt.said)) text += line + "\n";
  }
  while (std::getline(lines, line)) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("of a process of its own user a script sees what any user sees, and changes nothing",
          "[processes]") {
  EscapeBench bench(Engine::native);
  if (!can_keep_signals(bench)) return;
  bench.settings.host_view.processes = true;
  const Policy policy = policy_for(Engine::native);
  const bool is_prepared = GENERATE(false, true);
  if (is_prepared) {
    bench.keep_prepared(1);
    bench.run(script("true"), policy);
    REQUIRE(bench.wait_until_prepared(1));
  }
  const Victim victim(scripts_user(bench));
  const auto attempts = attempts_on_a_victim();
  const auto answers = bench.attempt_together(words_for(attempts, victim.pid()), policy);
  CHECK(unexpected(attempts, answers) == "");
  CHECK(victim.changed() == "");
  // By the kernel in the script's name, which tells the script nothing.
  const Answer sent = bench.attempt("on-victim " + victim.pid() + " killed-by-kernel", policy);
  CHECK(sent.said == "ok");
  CHECK(shows_the_hosts(sent.ran));
  // Its command line is what everybody sees.
  const Ran seen = bench.run(script("tr '\\0' ' ' </proc/" + victim.pid() + "/cmdline"), policy);
  CHECK(holds(seen.standard_output, "victim " + probe_nonce()));
  CHECK(victim.is_alive());
}

TEST_CASE("without a sandbox the same attempts reach that process", "[processes]") {
  EscapeBench bench(Engine::none);
  const Victim victim(scripts_user(bench));
  auto attempts = attempts_on_a_victim();
  for (auto& attempt : attempts) attempt.said = "ok";
  const std::string answers =
      bench.attempt_together(words_for(attempts, victim.pid()), policy_for(Engine::none));
  CHECK(unexpected(attempts, answers) == "");
  CHECK(victim.changed() == "priority scheduler limit ");
  CHECK(victim.is_alive());
  bench.attempt("on-victim " + victim.pid() + " killed-by-kernel", policy_for(Engine::none));
  CHECK(eventually([&] { return !victim.is_alive(); }));
}

TEST_CASE("nothing of satellite, launcher, init and other runs opens to a script that sees them",
          "[processes]") {
  SeeingBench bench(GENERATE(KeptSignals::by_scope, KeptSignals::by_users));
  if (!bench.is_possible()) return;
  const std::string marker = unique_marker();
  // Each looks through all processes, the other run's among them, while both are there.
  const std::string text =
      "import os, sys, time\n"
      // What ends has files that open and hold nothing, whoever asks.
      "def holds(fd, f):\n"
      "  if '/' in f: return True\n"
      "  try: return os.read(fd, 1) != b''\n"
      "  except OSError: return True\n"
      // Of other tests' processes, which may have any bytes.
      "def said(p, f): return open('/proc/%s/%s' % (p, f), errors='replace').read()\n"
      "def look():\n"
      "  for p in os.listdir('/proc'):\n"
      "    if not p.isdigit() or int(p) in (os.getpid(), os.getppid()): continue\n"
      "    try:\n"
      "      if not said(p, 'cmdline'): continue\n"  // the kernel's own
      "    except OSError: continue\n"
      "    for f in ('environ', 'mem', 'maps', 'fd/0', 'fd/3', 'cwd/.', 'root/.', 'auxv'):\n"
      "      try:\n"
      "        fd = os.open('/proc/%s/%s' % (p, f), os.O_RDONLY | os.O_NONBLOCK)\n"
      "        if holds(fd, f): print('opened', p, f, said(p, 'comm'))\n"
      "        os.close(fd)\n"
      "      except OSError: pass\n"
      "    try:\n"
      "      if 'TEXT_' + 'OF_" +
      marker +
      "' in said(p, 'cmdline'):\n"
      "        print('the text of', p)\n"
      "    except OSError: pass\n"
      "for i in range(10): look(); time.sleep(0.1)\n";
  std::vector<RunRequest> requests;
  for (int i = 0; i < 2; ++i) {
    RunRequest request = script("python3 - <<'END'\n" + text + "END\n# TEXT_OF_" + marker);
    request.environment = {{"OF_THIS_RUN", "SECRET"}};
    requests.push_back(std::move(request));
  }
  for (const Ran& ran : bench.run_together(std::move(requests), policy_for(Engine::native))) {
    CHECK(ran.standard_output == "");
    CHECK(ran.standard_error == "");
    CHECK(ran.result.exit_code == 0);
    CHECK(shows_the_hosts(ran));
  }
}

TEST_CASE("a script that kills all that it can kills its own run at most", "[processes]") {
  SeeingBench bench(GENERATE(KeptSignals::by_scope, KeptSignals::by_users));
  if (!bench.is_possible()) return;
  // As this user it would hit others if it were not kept.
  if (!require_layer("root", is_root(), "needs a user that nobody else has")) return;
  const Victim victim(scripts_user(bench));
  const std::string text = GENERATE(
      "kill -9 -1; echo lives", "kill -9 $PPID 2>/dev/null || echo lives",
      "kill -STOP $PPID 2>/dev/null || echo lives",
      "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n = $$ ] || kill -9 $n; done 2>/dev/null; "
      "echo lives",
      "for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n = $$ ] || kill -9 -$n; done 2>/dev/null; "
      "echo lives");
  const Ran ran = bench.run(script(text), policy_for(Engine::native));
  INFO(text);
  CHECK(ran.standard_output == "lives\n");
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(victim.is_alive());
}

TEST_CASE("under other engines a script sees no process but those of its run", "[processes]") {
  const Engine engine = each_present_engine();
  if (engine == Engine::native) return;
  EscapeBench bench(engine);
  bench.settings.host_view.processes = true;
  const Answer counted = bench.attempt("count-processes 8");
  CHECK(counted.said == "ESRCH");
  CHECK_FALSE(shows_the_hosts(counted.ran));
}

TEST_CASE("a script that sees the host's processes schedules itself alone", "[processes]") {
  SeeingBench bench(GENERATE(KeptSignals::by_scope, KeptSignals::by_users));
  if (!bench.is_possible()) return;
  const Ran ran =
      bench.run(script("nice -n 5 true && echo nice; ionice -c 3 true && echo ionice; "
                       "taskset -c \"$(taskset -cp $$ | sed 's/.*: //')\" true && echo taskset; "
                       "renice -n 5 -p $PPID >/dev/null 2>&1 && echo renice; "
                       "renice -n 5 -u \"$(id -u)\" >/dev/null 2>&1 && echo 'renice user'; "
                       "ionice -c 3 -p $PPID 2>/dev/null && echo 'ionice other'; true"),
                policy_for(Engine::native));
  CHECK(ran.standard_output == "nice\nionice\ntaskset\n");
}
