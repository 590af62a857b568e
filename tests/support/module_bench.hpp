#pragma once

#include "tests/support/module_runtimes.hpp"
#include "tests/support/script_bench.hpp"

#include <nlohmann/json.hpp>
#include <string>

namespace satellite::tests {

/// A bench whose modules are run by this runtime.
class ModuleBench : public ScriptBench {
 public:
  explicit ModuleBench(const RuntimeHere& runtime,
                       sandbox::Engine engine = sandbox::Engine::native);
  Ran run_module(const std::string& text);

  sandbox::Policy policy;
};

sandbox::RunRequest module(const std::string& text);

/// What the module returned; the test fails where it returned nothing.
nlohmann::json result_of(const Ran& ran);

}  // namespace satellite::tests
