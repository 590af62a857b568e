#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/module_bench.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

// Runtimes that stand behind every layer and wait for a task, as the satellite keeps them.

namespace {

struct StandingModules : ModuleBench {
  explicit StandingModules(const RuntimeHere& runtime) : ModuleBench(runtime) {
    policy.resources.max_processes = 4'096;  // shared with neighbours, and a part of it is theirs
    keep_standing(2);
  }
  /// The first run is cold; then one stands.
  void stand() {
    static_cast<void>(run_module("return 0;"));
    const bool stands = wait_until_standing(1);
    INFO(dropped());
    REQUIRE(stands);
  }
  Ran run_standing(RunRequest request) {
    const bool stands = wait_until_standing(1);
    INFO(dropped());
    REQUIRE(stands);
    Ran ran = run(std::move(request), policy);
    INFO(dropped());
    CHECK(ran.result.was_prepared);
    return ran;
  }
  /// Of the runtimes that stand: below the launcher, with our bootstrap in their command line.
  std::vector<pid_t> standing() const {
    std::vector<pid_t> found;
    for (const pid_t pid : processes_with("/.module/runner.")) {
      std::istringstream status(read_proc(pid, "status"));
      std::string word;
      pid_t parent = 0;
      while (status >> word && word != "PPid:") {
      }
      status >> parent;
      const auto init = read_proc(parent, "status");
      if (holds(init, "PPid:\t" + std::to_string(launcher->pid()) + "\n")) found.push_back(pid);
    }
    return found;
  }
};

/// Which of these texts are anywhere in the memory of a process that is ours to read.
std::set<std::string> found_in_memory(pid_t pid, const std::vector<std::string>& wanted) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  const UniqueFd memory(
      ::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(memory.get() >= 0);
  std::vector<std::string> wide;  // engines keep some texts in two bytes a character
  for (const std::string& text : wanted) {
    wide.emplace_back();
    for (const char c : text) wide.back() += {c, '\0'};
  }
  std::set<std::string> found;
  std::vector<char> bytes;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0, end = 0;
    char dash = 0;
    std::string rights;
    std::istringstream words(line);
    words >> std::hex >> begin >> dash >> end >> rights;
    if (rights.empty() || rights[0] != 'r' || end - begin > (512U << 20U)) continue;
    if (bytes.size() < end - begin) bytes.resize(end - begin);
    const ssize_t size =
        ::pread(memory.get(), bytes.data(), end - begin, static_cast<off_t>(begin));
    if (size <= 0) continue;
    const auto holds_text = [&](const std::string& text) {
      return ::memmem(bytes.data(), static_cast<std::size_t>(size), text.data(), text.size()) !=
             nullptr;
    };
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (holds_text(wanted[i]) || holds_text(wide[i])) found.insert(wanted[i]);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("a standing module run gives what a cold one gives") {
  const auto runtime = each_module_runtime();
  StandingModules bench(runtime);
  const auto request = [] {
    auto made = module(R"(
      import { defineHealthCheck } from "@checkstack/sdk/healthcheck";
      console.log("out"); console.error("err");
      export default async ctx => defineHealthCheck({ value: ctx.a, late: process.env.LATE,
        secret: process.env.TOKEN, argv: process.argv, names: Object.keys(process.env).sort().join() });)");
    made.module.context_json = Secret(R"({"a":5})");
    made.environment["LATE"] = "yes";
    made.secret_environment.emplace("TOKEN", Secret("s3cr3t-Value-19"));
    return made;
  };
  const auto cold = bench.run(request(), bench.policy);
  CHECK_FALSE(cold.result.was_prepared);
  const auto warm = bench.run_standing(request());
  CHECK(result_of(warm) == result_of(cold));
  CHECK(result_of(warm).at("secret") == "****");
  CHECK(warm.standard_output == cold.standard_output);
  CHECK(warm.standard_error == cold.standard_error);
  CHECK(warm.result.outcome == cold.result.outcome);
  REQUIRE(warm.report);
  REQUIRE(cold.report);
  CHECK(warm.report->enforced == cold.report->enforced);
  for (std::size_t i = 0; i < cold.report->layers.size(); ++i) {
    CHECK(warm.report->layers[i].state == cold.report->layers[i].state);
    CHECK(warm.report->layers[i].mechanism == cold.report->layers[i].mechanism);
  }
}

TEST_CASE("standing module runs serve one task each, one after the other") {
  const auto runtime = each_module_runtime();
  StandingModules bench(runtime);
  bench.stand();
  for (int i = 0; i < 8; ++i) {
    auto request = module(
        "globalThis.kept = (globalThis.kept ?? 0) + 1; return [kept, context, process.env.N];");
    request.module.context_json = Secret(std::to_string(i));
    request.environment["N"] = std::to_string(i);
    const auto result = result_of(bench.run_standing(std::move(request)));
    CHECK(result == nlohmann::json{1, i, std::to_string(i)});
  }
}

TEST_CASE(
    "a standing runtime holds nothing of the task before it has it, nor one that stands later") {
  const auto runtime = each_module_runtime();
  if (!require_layer("root", is_root(), "only root may read the memory of others")) return;
  StandingModules bench(runtime);
  bench.stand();
  const auto standing = bench.standing();
  REQUIRE_FALSE(standing.empty());
  // Put together here, so that this program's own text is not what is found.
  std::vector<std::string> parts;
  for (int i = 0; i < 4; ++i) parts.push_back(unique_marker() + unique_marker());
  const std::string of_every_runtime = "/.module/runner.";  // its memory can be searched
  std::vector<std::string> wanted = parts;
  wanted.push_back(of_every_runtime);
  for (const pid_t pid : standing)
    CHECK(found_in_memory(pid, wanted) == std::set{of_every_runtime});
  auto request = module("const script = '" + parts[0] +
                        "'; console.log('has it'); await new Promise(r => setTimeout(r, 600000));");
  request.module.context_json = Secret("\"" + parts[1] + "\"");
  request.environment["LATE"] = parts[2];
  request.secret_environment.emplace("TOKEN", Secret(parts[3]));
  std::set<std::string> found;
  Listener listener;
  listener.on_output = [&](const std::string&) {
    for (const pid_t pid : standing) {
      if (!std::filesystem::exists("/proc/" + std::to_string(pid))) continue;
      found.merge(found_in_memory(pid, parts));
    }
    bench.cancel->cancel();
  };
  REQUIRE(bench.wait_until_standing(1));
  const auto ran = bench.run(std::move(request), bench.policy, listener);
  CHECK(ran.result.was_prepared);
  CHECK(found.size() == parts.size());
  REQUIRE(bench.wait_until_standing(1));
  const auto later = bench.standing();
  REQUIRE_FALSE(later.empty());
  for (const pid_t pid : later) CHECK(found_in_memory(pid, wanted) == std::set{of_every_runtime});
}

TEST_CASE("a runtime has settled by the time that the satellite counts it first") {
  const auto runtime = each_module_runtime();
  StandingModules bench(runtime);
  bench.keep_standing(StandingSettings{1});
  bench.stand();
  // A busy host may hold up one of them, and not each.
  bool was_prepared = false;
  for (int attempt = 0; attempt < 10 && !was_prepared; ++attempt) {
    REQUIRE(bench.wait_until_standing(1));
    was_prepared = bench.run_module("return 1;").result.was_prepared;
  }
  INFO(bench.dropped());
  CHECK(was_prepared);
}

TEST_CASE("runtimes stand only within the memory that is set aside for what stands ready") {
  const auto runtime = each_module_runtime();
  StandingModules bench(runtime);
  SECTION("one that takes more is given up, none is tried again, and modules run all the same") {
    bench.settings.prepared_memory = 2_MiB;
    bench.keep_standing(2);
    CHECK(result_of(bench.run_module("return 1;")) == 1);
    REQUIRE(bench.wait_until_dropped());
    CHECK(holds(bench.dropped(), "sandbox.prepared_memory"));
    CHECK(bench.prepared_memory_taken() == 0_B);
    const auto ran = bench.run_module("return 2;");
    CHECK(result_of(ran) == 2);
    CHECK_FALSE(ran.result.was_prepared);
  }
  SECTION("none is made without any") {
    bench.settings.prepared_memory = 0_B;
    bench.keep_standing(2);
    CHECK(result_of(bench.run_module("return 1;")) == 1);
    CHECK_FALSE(bench.run_module("return 2;").result.was_prepared);
    CHECK(bench.prepared_memory_taken() == 0_B);
    CHECK(bench.dropped().empty());
  }
  SECTION("what stands is counted with what it takes") {
    bench.stand();
    // More than sleeping sandboxes have, and less than a runtime that leaked.
    CHECK(bench.prepared_memory_taken() > 2_MiB);
    CHECK(bench.prepared_memory_taken() < 100_MiB);
    CHECK(result_of(bench.run_standing(module("return 3;"))) == 3);
  }
}

TEST_CASE("a standing run that changed is dropped, and the module runs all the same") {
  const auto runtime = each_module_runtime();
  StandingModules bench(runtime);
  bench.stand();
  const auto standing = bench.standing();
  REQUIRE_FALSE(standing.empty());
  std::string expected;
  SECTION("another limit") {
    // Another process of the script's user does it, as a run beside it could.
    const std::string done = in_child([&standing] {
      const auto id = script_identity;
      if (is_root() &&
          (::setresgid(id.gid, id.gid, id.gid) != 0 || ::setresuid(id.uid, id.uid, id.uid) != 0)) {
        return std::string("no other user");
      }
      const rlimit lower{100, 100};
      for (const pid_t pid : standing) {
        if (::prlimit(pid, RLIMIT_NOFILE, &lower, nullptr) != 0) return std::string("refused");
      }
      return std::string("done");
    });
    REQUIRE(done == "done");
    expected = "another limit";
  }
  SECTION("a file in its directory") {
    for (const auto& run : std::filesystem::directory_iterator(bench.launcher->scratch_area())) {
      std::ofstream(run.path() / "scratch/usercustomize.mjs") << "x";
    }
    expected = "somebody changed its scratch directory";
  }
  SECTION("it was killed") {
    for (const pid_t pid : standing) ::kill(pid, SIGKILL);
    for (const pid_t pid : standing) {
      REQUIRE(eventually([pid] { return read_proc(pid, "maps").empty(); }));
    }
    expected = "";  // the launcher may notice its end before, in or after the look at it
  }
  const auto ran = bench.run_module("return 5;");
  INFO(name_of(ran.result.outcome)
       << " " << ran.result.exit_code << " " << ran.result.signal.value_or(0) << " "
       << ran.result.was_prepared << "\n"
       << bench.dropped());
  CHECK(result_of(ran) == 5);
  CHECK_FALSE(ran.result.was_prepared);
  CHECK(holds(bench.dropped(), "standing_runtime: " + expected));
}

TEST_CASE("what a runtime has to be started with is not given to one that stands") {
  const auto runtime = each_module_runtime();
  StandingModules bench(runtime);
  bench.stand();
  auto request = module(
      "let n = ''; for await (const c of process.stdin) n += c; return [n, process.env.NODE_X ?? "
      "''];");
  SECTION("a variable that it reads at its start") {
    request.environment["NODE_X"] = "1";
    const auto ran = bench.run(std::move(request), bench.policy);
    CHECK_FALSE(ran.result.was_prepared);
    CHECK(result_of(ran) == nlohmann::json{"", "1"});
  }
  SECTION("standard input") {
    request.has_standard_input = true;
    request.standard_input = "typed";
    const auto ran = bench.run(std::move(request), bench.policy);
    CHECK_FALSE(ran.result.was_prepared);
    CHECK(result_of(ran) == nlohmann::json{"typed", ""});
  }
  SECTION("a directory") {
    request.working_directory = "/usr/lib";
    CHECK_FALSE(bench.run(std::move(request), bench.policy).result.was_prepared);
  }
  SECTION("other packages") {
    const TempDir files;
    std::filesystem::create_directories(files.path() / "node_modules");
    request.module.packages = PackageTree{(files.path() / "node_modules").string(), nullptr};
    CHECK_FALSE(bench.run(std::move(request), bench.policy).result.was_prepared);
  }
  SECTION("another policy") {
    bench.policy.resources.max_open_files = 500;
    CHECK_FALSE(bench.run(std::move(request), bench.policy).result.was_prepared);
  }
}

TEST_CASE("what must start cold finds its sandbox ready") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  bench.keep_prepared(2);
  static_cast<void>(bench.run_module("return 0;"));
  REQUIRE(bench.wait_until_prepared(1));
  auto request =
      module("let n = ''; for await (const c of process.stdin) n += c; return [n, process.cwd()];");
  request.has_standard_input = true;
  request.standard_input = "typed";
  request.working_directory = "/usr/lib";
  const auto ran = bench.run(std::move(request), bench.policy);
  CHECK(ran.result.was_prepared);
  CHECK(result_of(ran) == nlohmann::json{"typed", "/usr/lib"});
  // A shell never gets a sandbox that was made for a module.
  const auto shell = bench.run(script("ls -d /.module"), bench.policy);
  CHECK(shell.result.exit_code != 0);
}

TEST_CASE("standing runtimes end with their launcher, also with one that is killed") {
  const auto runtime = each_module_runtime();
  const bool is_killed = GENERATE(false, true);
  std::vector<pid_t> standing;
  {
    StandingModules bench(runtime);
    bench.stand();
    standing = bench.standing();
    REQUIRE_FALSE(standing.empty());
    if (is_killed) ::kill(bench.launcher->pid(), SIGKILL);
  }
  for (const pid_t pid : standing) {
    CHECK(eventually([pid] { return !std::filesystem::exists("/proc/" + std::to_string(pid)); }));
  }
}
