#include "sandbox/kernel/scratch_area.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_network.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stop_token>
#include <thread>
#include <vector>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

std::vector<pid_t> removers_of(pid_t launcher) {
  std::istringstream children(
      read_proc(launcher, "task/" + std::to_string(launcher) + "/children"));
  std::vector<pid_t> found;
  for (pid_t pid = 0; children >> pid;) {
    if (read_proc(pid, "comm") == "csat-remover\n") found.push_back(pid);
  }
  return found;
}

/// Waits for a process that removes, and makes it stand still; -1 = there was none, or it was done
/// before we looked.
pid_t stop_a_remover(pid_t launcher) {
  pid_t stopped = -1;
  const auto is_stopped = [&] {
    const auto all = removers_of(launcher);
    if (all.empty() || ::kill(all.front(), SIGSTOP) != 0) return false;
    stopped = all.front();
    // One that is a zombie by then takes the signal as well.
    return eventually([&] { return holds(read_proc(stopped, "stat"), ") T "); },
                      std::chrono::seconds(1));
  };
  return eventually(is_stopped, std::chrono::seconds(20)) ? stopped : -1;
}

/// A tree of 1,200 levels, longer than a path may be, whose removal can be seen. Not deeper: what
/// each level costs to make under Landlock grows with the levels above it.
constexpr const char* makes_deep_tree =
    "p=$(head -c 400 /dev/zero | tr '\\0' d | sed 's,d,ddddd/,g')\n"
    "mkdir tree && cd tree || exit 9\n"
    "for part in 1 2 3; do mkdir -p $p && cd -P $p || exit 9; done; echo made";

void make_wide_tree(const fs::path& top) {
  for (int i = 0; i < 100; ++i) {
    const fs::path directory = top / std::to_string(i);
    fs::create_directories(directory);
    for (int j = 0; j < 100; ++j) std::ofstream(directory / std::to_string(j)) << "x";
  }
}

bool is_empty(const ScriptBench& bench) {
  return fs::is_empty(bench.launcher->scratch_area());
}

/// What remains of a file that a script writes beside its scratch directory, which it can where it
/// has the satellite's user and sees the host's files.
std::string left_beside() {
  ScriptBench bench(Engine::none);
  const fs::path area = fs::path(bench.launcher->scratch_area()).parent_path();
  const Ran ran = bench.run(script("echo x > ../big && echo wrote"), policy_for(Engine::none));
  const auto is_clean = [&area] {
    std::error_code problem;  // what is being removed may go while we look
    fs::recursive_directory_iterator one(area, problem);
    for (; one != fs::recursive_directory_iterator(); one.increment(problem)) {
      if (one->path().filename() == "big") return false;
    }
    return !problem;
  };
  return ran.standard_output + (eventually(is_clean) ? "gone" : "left");
}

}  // namespace

TEST_CASE("deep trees are removed beside the launcher's loop, and again when that process dies") {
  const Engine engine = GENERATE(Engine::none, Engine::native);
  ScriptBench bench(engine);
  const pid_t launcher = bench.launcher->pid();
  // At its start a launcher has such a process look for what earlier agents left.
  REQUIRE(eventually([&] { return removers_of(launcher).empty(); }));
  pid_t stopped = -1;
  for (int attempt = 0; attempt < 10 && stopped < 0; ++attempt) {
    const Ran hostile = bench.run(script(makes_deep_tree), policy_for(engine));
    REQUIRE(hostile.standard_output == "made\n");
    stopped = stop_a_remover(launcher);
  }
  REQUIRE(stopped > 0);
  // While nothing is removed, other runs start, end and are cleaned up as usual.
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.run(script("touch x; echo calm"), policy_for(engine)).standard_output == "calm\n");
  }
  CHECK(std::distance(fs::directory_iterator(bench.launcher->scratch_area()), {}) == 1);
  REQUIRE(::kill(stopped, SIGKILL) == 0);
  CHECK(eventually([&] { return is_empty(bench); }, std::chrono::seconds(60)));
}

TEST_CASE("what a script writes beside its scratch directory is not kept for a later run") {
  CHECK((is_root() ? as_uid_65532(left_beside) : left_beside()) == "wrote\ngone");
}

TEST_CASE("a launcher that ends while trees are removed leaves none of them") {
  std::string area;
  {
    ScriptBench bench(Engine::native);
    area = bench.launcher->scratch_area();
    REQUIRE(bench.run(script(makes_deep_tree), policy_for(Engine::native)).standard_output ==
            "made\n");
  }
  CHECK_FALSE(fs::exists(area));
}

TEST_CASE("nobody waits for old areas to be removed") {
  const TempDir parent;
  const fs::path stale = parent.path() / "csat-aaaaaaaaaaaa";
  make_wide_tree(stale);
  boost::asio::io_context context(1);
  auto started = Launcher::start({parent.path().string(), std::nullopt, std::nullopt});
  REQUIRE(started);
  const auto launcher = *std::move(started);
  const pid_t stopped = stop_a_remover(launcher->pid());
  REQUIRE(stopped > 0);
  launcher->attach(context, [] {});
  // The launcher is at work: it tries what the host can do.
  const HostFacts facts = probe_host_first(context, *launcher, {});
  CHECK(facts.native_engine);
  CHECK(fs::exists(stale));
  REQUIRE(::kill(stopped, SIGCONT) == 0);
  CHECK(eventually([&] { return !fs::exists(stale); }, std::chrono::seconds(60)));
  CHECK(fs::exists(launcher->scratch_area()));
}

TEST_CASE("a scratch area that somebody removed is made anew, its parent too") {
  const Engine engine = GENERATE(Engine::none, Engine::bwrap, Engine::native);
  const TempDir outside;
  const fs::path parent = outside.path() / "a" / "b";
  fs::create_directories(parent);
  fs::permissions(outside.path(), fs::perms(0711));
  ScriptBench bench(engine, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::refused, parent.string());
  const auto is_well = [&] {
    const Ran ran = bench.run(script("touch x && echo ran"), policy_for(engine));
    INFO(ran.result.error.value_or(""));
    CHECK(ran.standard_output == "ran\n");
    CHECK(eventually([&] { return is_empty(bench); }));
  };
  is_well();
  const fs::path runs = bench.launcher->scratch_area();
  fs::remove_all(runs);
  is_well();
  fs::remove_all(runs.parent_path());
  is_well();
  fs::remove_all(parent);
  is_well();
  fs::remove_all(outside.path() / "a");
  is_well();
  // The launcher still holds the directory, but runs would not find it at its path any more.
  fs::rename(parent, outside.path() / "elsewhere");
  is_well();
}

TEST_CASE("a scratch area is made anew although another agent sweeps meanwhile") {
  const TempDir parent;
  auto made = kernel::ScratchArea::make(parent.path().string());
  REQUIRE(made);
  std::jthread sweeper([&parent](const std::stop_token& stop) {
    const auto other = kernel::ScratchArea::make(parent.path().string());
    // At its start an agent does so once; here thousands of them start each second.
    while (other && !stop.stop_requested()) {
      other->sweep_stale_neighbours();
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    if (other) other->remove();
  });
  const kernel::ScratchOwner owner{::geteuid(), ::getegid(), kernel::ScratchReach::bound};
  for (int i = 0; i < 3'000; ++i) {
    std::error_code in_use;  // the sweeper may have the area open, or have removed it
    fs::remove_all(fs::path(made->path()).parent_path(), in_use);
    const auto anew = made->make_directory("run-" + std::to_string(i), owner);
    INFO(i << ": " << (anew ? "made" : anew.error().message));
    REQUIRE(anew);
  }
}

TEST_CASE("a run that stands ready is made again when its scratch directory is gone") {
  const TempDir outside;
  fs::permissions(outside.path(), fs::perms(0711));
  ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::refused, outside.path().string());
  bench.keep_prepared(1);
  REQUIRE(bench.run(script("echo first"), policy_for(Engine::native)).standard_output == "first\n");
  REQUIRE(bench.wait_until_prepared(1));
  fs::remove_all(bench.launcher->scratch_area());
  const Ran ran = bench.run(script("touch x && echo ran"), policy_for(Engine::native));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.standard_output == "ran\n");
}

TEST_CASE("a scratch parent that another user put in its place is not used") {
  if (!require_layer("root", is_root(), "only root can give a directory to another user")) return;
  const TempDir outside;
  const fs::path above = outside.path() / "above", parent = above / "parent";
  fs::create_directories(parent);
  ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::refused, parent.string());
  fs::remove_all(above);
  fs::create_directories(parent);
  const fs::path strangers = GENERATE(0, 1) == 0 ? parent : above;
  REQUIRE(::chown(strangers.c_str(), 65'531, 65'531) == 0);
  const Ran ran = bench.run(script("echo ran"), policy_for(Engine::native));
  CHECK(ran.result.outcome == Outcome::setup_failed);
  CHECK(ran.result.error.value_or("").find("another user") != std::string::npos);
}

namespace {

/// Another user of this host, who tries to start what it is shown.
class Stranger {
 public:
  Stranger() {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::runtime_error("socketpair");
    }
    ours_.reset(ends[0]);
    UniqueFd its(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ours_.reset();
    constexpr uid_t user = 65'531;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
        ::setresuid(user, user, user) != 0) {
      ::_exit(1);
    }
    serve(its.get());
  }
  ~Stranger() {
    ours_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  bool can_start(const std::string& path) const {
    char answer = '?';
    if (::send(ours_.get(), path.c_str(), path.size() + 1, 0) < 0 ||
        ::recv(ours_.get(), &answer, 1, 0) != 1) {
      throw std::runtime_error("the stranger is gone");
    }
    return answer == 'y';
  }

 private:
  [[noreturn]] static void serve(int socket) {
    char path[4096];
    while (::recv(socket, path, sizeof(path), 0) > 0) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::execl(path, path, nullptr);
        ::_exit(126);
      }
      int status = 1;
      ::waitpid(pid, &status, 0);
      ::send(socket, status == 0 ? "y" : "n", 1, 0);
    }
    ::_exit(0);
  }

  UniqueFd ours_;
  pid_t pid_ = -1;
};

/// A script opens its scratch directory to everybody and puts a program into it; who can start it.
std::string story_of_an_open_program(Engine engine, const Stranger& stranger) {
  ScriptBench bench(engine);
  Listener listener;
  std::string seen;
  bool asked = false;
  listener.on_output = [&](const std::string&) {
    if (std::exchange(asked, true)) return;
    for (const auto& run : fs::directory_iterator(bench.launcher->scratch_area())) {
      const fs::path scratch = run.path() / "scratch";
      seen += fs::exists(scratch / "tool") ? "there, " : "not there, ";
      seen += stranger.can_start((scratch / "tool").string()) ? "reached" : "not reached";
      std::ofstream(scratch / "seen") << "x";
    }
  };
  const Ran ran =
      bench.run(script("cp /usr/bin/true tool && chmod 755 tool . && ./tool && echo made\n"
                       "chmod 6755 tool 2>/dev/null; chmod 777 ..  2>/dev/null\n"
                       "until [ -e seen ]; do sleep 0.02; done"),
                policy_for(engine), listener);
  return ran.standard_output + seen;
}

}  // namespace

TEST_CASE("nobody but a script's user can start what it puts into an open scratch directory") {
  if (!require_layer("root", is_root(), "only root can be two users")) return;
  const Engine engine = GENERATE(Engine::none, Engine::bwrap, Engine::native);
  const Stranger stranger;
  const TempDir open;
  fs::permissions(open.path(), fs::perms(0755));
  fs::copy_file("/usr/bin/true", open.path() / "tool");
  REQUIRE(stranger.can_start((open.path() / "tool").string()));
  const std::string expected = "made\nthere, not reached";
  CHECK(story_of_an_open_program(engine, stranger) == expected);
  CHECK(as_uid_65532([&] { return story_of_an_open_program(engine, stranger); }) == expected);
}

namespace {

struct SeenDirectory {
  ino_t inode = 0;
  uid_t uid = 0;
};

/// What a script finds in a scratch directory of `uid` before it does anything.
SeenDirectory use_directory(kernel::ScratchArea& area, std::uint64_t number, uid_t uid,
                            const std::function<void(const fs::path&)>& leave) {
  const std::string path = area.directory_of(number);
  const auto name = area.name_of(path);
  REQUIRE(name);
  REQUIRE(area.make_directory(*name, {uid, uid, kernel::ScratchReach::bound}));
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0700);
  CHECK(fs::is_empty(path));
  leave(path);
  CHECK(area.remove_at_once(*name));
  CHECK_FALSE(fs::exists(path));
  return {facts.st_ino, facts.st_uid};
}

}  // namespace

TEST_CASE("a scratch directory without a trace is used again, one with a trace is not") {
  const TempDir parent;
  auto area = kernel::ScratchArea::make(parent.path().string());
  REQUIRE(area);
  const uid_t uid = ::geteuid();
  const auto nothing = [](const fs::path&) {};
  const auto first = use_directory(*area, 1, uid, nothing);
  CHECK(use_directory(*area, 2, uid, nothing).inode == first.inode);
  const std::vector<std::function<void(const fs::path&)>> traces{
      [](const fs::path& path) { std::ofstream(path / "file") << "x"; },
      [](const fs::path& path) { fs::permissions(path, fs::perms(0755)); },
      [](const fs::path& path) {
        const int set = ::setxattr(path.c_str(), "user.left", "x", 1, 0);
        if (set != 0) std::ofstream(path / "file") << "this file system has no attributes";
      },
      [](const fs::path& path) {
        const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        int flags = 0;
        const bool is_set =
            ::ioctl(directory.get(), FS_IOC_GETFLAGS, &flags) == 0 &&
            ::ioctl(directory.get(), FS_IOC_SETFLAGS, &(flags |= FS_NODUMP_FL)) == 0;
        if (!is_set) std::ofstream(path / "file") << "this file system has no flags";
      }};
  for (std::size_t i = 0; i < traces.size(); ++i) {
    INFO("trace " << i);
    const auto number = static_cast<std::uint64_t>(10 + 2 * i);
    use_directory(*area, number, uid, traces[i]);
    // An inode's number may be given again, so what counts is what the next one finds.
    use_directory(*area, number + 1, uid, [](const fs::path& path) {
      CHECK(::listxattr(path.c_str(), nullptr, 0) <= 0);
      int flags = 0;
      const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ::ioctl(directory.get(), FS_IOC_GETFLAGS, &flags);
      CHECK((flags & FS_NODUMP_FL) == 0);
    });
  }
}

TEST_CASE("a scratch directory that is used again belongs to who gets it") {
  if (!require_layer("root", is_root(), "only root can give a directory to another user")) return;
  const TempDir parent;
  auto area = kernel::ScratchArea::make(parent.path().string());
  REQUIRE(area);
  const auto nothing = [](const fs::path&) {};
  const auto others = use_directory(*area, 1, 65'531, nothing);
  CHECK(others.uid == 65'531);
  const auto ours = use_directory(*area, 2, 0, nothing);
  CHECK(ours.inode == others.inode);
  CHECK(ours.uid == 0);
  CHECK(use_directory(*area, 3, 65'530, nothing).uid == 65'530);
}

TEST_CASE("what somebody puts into a spare scratch directory reaches no run") {
  const TempDir parent;
  auto area = kernel::ScratchArea::make(parent.path().string());
  REQUIRE(area);
  const auto nothing = [](const fs::path&) {};
  use_directory(*area, 1, ::geteuid(), nothing);
  const fs::path directory = fs::path(area->path()).parent_path();
  std::size_t spares = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!entry.path().filename().string().starts_with("spare-")) continue;
    ++spares;
    std::ofstream(entry.path() / "scratch" / "planted") << "x";
  }
  REQUIRE(spares == 1);
  use_directory(*area, 2, ::geteuid(), nothing);
}
