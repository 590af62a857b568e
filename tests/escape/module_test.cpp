// The probe as what a module starts, and as code in the runtime's own process: a native add-on.
#include "tests/escape/escape_bench.hpp"
#include "tests/support/module_bench.hpp"
#include "tests/support/require_layer.hpp"

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

struct Attempt {
  std::string words, expected;
};

const std::vector<Attempt> attempts{{"bpf", "EPERM"},          {"io-uring", "ENOSYS"},
                                    {"key-session", "EPERM"},  {"unshare user", "EPERM"},
                                    {"clone3 user", "ENOSYS"}, {"unshare mnt", "EPERM"}};

/// Writes what stands on standard input to a file and starts it, as many scripts do.
RunRequest module_with(const std::string& bytes, const std::string& name, const std::string& text) {
  RunRequest request = module(
      "import fs from 'node:fs'; import { spawnSync } from 'node:child_process';\n"
      "fs.writeFileSync('" +
      name + "', fs.readFileSync(0)); fs.chmodSync('" + name + "', 0o700);\n" + text);
  request.has_standard_input = true;
  request.standard_input = bytes;
  request.environment = {{"SATELLITE_ESCAPE_NONCE", probe_nonce()}};
  return request;
}

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

}  // namespace

TEST_CASE("what a module starts gets out no more than what a shell starts", "[modules]") {
  const auto runtime = each_module_runtime();
  const auto engine = each_present_engine();
  ModuleBench bench(runtime, engine);
  for (const auto& [words, expected] : attempts) {
    const auto ran = bench.run(
        module_with(probe_image(), "probe",
                    "const r = spawnSync('./probe', '" + probe_introduction() + " " + words +
                        "'.split(' ')); process.stdout.write(r.stdout); export default r.status;"),
        bench.policy);
    INFO(words << ": " << ran.standard_output << ran.standard_error);
    CHECK(answer_in(ran.standard_output).said == expected);
  }
}

TEST_CASE("native code in the runtime's own process gets no further", "[modules]") {
  const std::string addon = addon_image();
  if (!require_layer("addon", !addon.empty(), "this user cannot read it")) return;
  const auto runtime = each_module_runtime();
  const auto engine = each_present_engine();
  ModuleBench bench(runtime, engine);
  auto request = module_with(
      addon_image(), "addon.node",
      "try { process.dlopen({ exports: {} }, process.cwd() + '/addon.node'); } catch {}\n"
      "export default 1;");
  request.environment["NODE_ESCAPE_HOST_PID_NAMESPACE"] = pid_namespace_of_host();
  const auto ran = bench.run(std::move(request), bench.policy);
  INFO(ran.standard_output << ran.standard_error);
  std::istringstream lines(ran.standard_output);
  std::size_t said = 0;
  for (std::string what, answer; lines >> what >> answer;) {
    INFO(what);
    ++said;
    if (what == "control") {
      CHECK(answer == "ok");  // it did run, and could write to its own directory
    } else {
      CHECK(answer != "ok");
    }
  }
  CHECK(said == 9);
}
