// The probe as what a module starts, and as code in the runtime's own process: a native add-on.
// Both lie in a package of the run, so that a runtime that stood ready gets them like one that is
// started for them.
#include "tests/escape/escape_bench.hpp"
#include "tests/support/module_bench.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace satellite::sandbox;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

struct ModuleAttempt {
  std::string words, expected;
};

const std::vector<ModuleAttempt> module_attempts{
    {"bpf", "EPERM"},          {"io-uring", "ENOSYS"},    {"key-session", "EPERM"},
    {"unshare user", "EPERM"}, {"clone3 user", "ENOSYS"}, {"unshare mnt", "EPERM"}};

std::string pid_namespace_of_host() {
  struct stat facts {};
  REQUIRE(::stat("/proc/self/ns/pid", &facts) == 0);
  return std::to_string(facts.st_ino);
}

std::string addon_image() {
  const char* const copy = std::getenv("SATELLITE_ESCAPE_ADDON");
  std::ifstream in(copy != nullptr ? copy : SATELLITE_ESCAPE_ADDON, std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

enum class ModuleStart { cold, standing };

/// Runs modules that have the package `escape` with probe and add-on in it.
class EscapingModules : public ModuleBench {
 public:
  EscapingModules(const RuntimeHere& runtime, Engine engine, ModuleStart start)
      : ModuleBench(runtime, engine), start_(start) {
    policy.resources.max_processes = 4'096;  // a part of it is for those that stand
    const fs::path package = files_.path() / "node_modules/escape";
    fs::create_directories(package);
    std::ofstream(package / "package.json") << R"({"name":"escape","version":"1.0.0"})";
    std::ofstream(package / "probe", std::ios::binary) << probe_image();
    std::ofstream(package / "addon.node", std::ios::binary) << addon_image();
    fs::permissions(files_.path(), fs::perms(0755));
    fs::permissions(package / "probe", fs::perms(0755));
    if (start_ == ModuleStart::standing) keep_standing(1);
  }
  /// The text may use `folder`, where the package is.
  Ran attempt(const std::string& text) {
    if (start_ == ModuleStart::standing && count_standing() == 0) {
      static_cast<void>(run(request("return 1;"), policy));
      const bool stands = wait_until_standing(1);
      INFO(dropped());
      REQUIRE(stands);
    }
    const Ran ran = run(request(text), policy);
    INFO(ran.standard_output << ran.standard_error << dropped());
    CHECK(ran.result.was_prepared == (start_ == ModuleStart::standing));
    return ran;
  }

 private:
  RunRequest request(const std::string& text) const {
    RunRequest request = module(
        "const { spawnSync } = await import('node:child_process'), fs = await import('node:fs');\n"
        "const folder = require.resolve('escape/package.json').replace('/package.json', '');\n" +
        text);
    request.environment = {{"SATELLITE_ESCAPE_NONCE", probe_nonce()}};
    request.module.packages = PackageTree{(files_.path() / "node_modules").string(), nullptr};
    return request;
  }

  TempDir files_;
  ModuleStart start_;
};

/// Only the native engine keeps runtimes that stand.
ModuleStart each_start(Engine engine) {
  if (engine != Engine::native) return ModuleStart::cold;
  return GENERATE(ModuleStart::cold, ModuleStart::standing);
}

}  // namespace

TEST_CASE("what a module starts gets out no more than what a shell starts", "[modules]") {
  const auto runtime = each_module_runtime();
  const auto engine = each_present_engine();
  const auto start = each_start(engine);
  EscapingModules bench(runtime, engine, start);
  std::string lines = "for (const words of [";
  for (const auto& [words, expected] : module_attempts) lines += "'" + words + "', ";
  const auto ran =
      bench.attempt(lines +
                    "]) {\n"
                    "  const r = spawnSync(folder + '/probe', ['" +
                    probe_introduction() +
                    "', ...words.split(' ')].join(' ').split(' '));\n"
                    "  console.log('ATTEMPT ' + words + '\\n' + r.stdout);\n}\nreturn 1;");
  for (const auto& [words, expected] : module_attempts) {
    const auto begin = ran.standard_output.find("ATTEMPT " + words + "\n");
    REQUIRE(begin != std::string::npos);
    const auto end = ran.standard_output.find("ATTEMPT", begin + 1);
    INFO(words << ": " << ran.standard_output << ran.standard_error);
    CHECK(answer_in(ran.standard_output.substr(begin, end - begin)).said == expected);
  }
}

TEST_CASE("native code in the runtime's own process gets no further", "[modules]") {
  if (!require_layer("addon", !addon_image().empty(), "this user cannot read it")) return;
  const auto runtime = each_module_runtime();
  const auto engine = each_present_engine();
  const auto start = each_start(engine);
  EscapingModules bench(runtime, engine, start);
  const auto ran =
      bench.attempt("fs.writeFileSync('pid-namespace-of-host', '" + pid_namespace_of_host() +
                    "');\n"
                    "try { process.dlopen({ exports: {} }, folder + '/addon.node'); } "
                    "catch {}\nreturn 1;");
  INFO(ran.standard_output << ran.standard_error);
  std::istringstream lines(ran.standard_output);
  std::size_t said = 0;
  for (std::string what, answer; lines >> what >> answer;) {
    INFO(what);
    ++said;
    if (what == "control") {
      CHECK(answer == "ok");  // it did run, and could write to its own directory
    } else {
      CHECK(answer == "refused");
    }
  }
  CHECK(said == 11);
}
