#include "tests/support/module_bench.hpp"

#include <catch2/catch.hpp>

namespace satellite::tests {

ModuleBench::ModuleBench(const RuntimeHere& runtime, sandbox::Engine engine) : ScriptBench(engine) {
  settings.module_runtime = runtime.path;
  policy = policy_for(engine);
  policy.resources.max_processes = 1'024;  // counted with neighbouring tests
}

Ran ModuleBench::run_module(const std::string& text) {
  return run(module(text), policy);
}

sandbox::RunRequest module(const std::string& text) {
  sandbox::RunRequest request = script(text);
  request.language = sandbox::Language::module;
  return request;
}

nlohmann::json result_of(const Ran& ran) {
  INFO(ran.standard_error);
  INFO(ran.result.error.value_or(""));
  REQUIRE(ran.result.answer);
  INFO(ran.result.answer->error);
  REQUIRE(ran.result.answer->ok);
  return nlohmann::json::parse(ran.result.answer->result_json);
}

}  // namespace satellite::tests
