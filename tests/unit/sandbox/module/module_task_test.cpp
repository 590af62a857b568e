#include "sandbox/module/module_task.hpp"
#include "sandbox/module/bootstrap.hpp"
#include "sandbox/module/module_command.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

ModuleTask some_task() {
  ModuleTask task;
  task.script = "return \"a\n\x01\";";
  task.context_json = R"({"a":{"b":1}})";
  task.environment = {{"KEY", "v\"1"}, {"Z", "\xC3\xA9"}};
  task.global_function = "defineHealthCheck";
  task.folder = "/scratch";
  return task;
}

}  // namespace

TEST_CASE("a task is one JSON object with everything of the run") {
  const auto text = module_task_text(some_task());
  REQUIRE(text);
  const auto json = nlohmann::json::parse(*text);
  CHECK(json.at("script") == some_task().script);
  CHECK(json.at("context").at("a").at("b") == 1);
  CHECK(json.at("env") == nlohmann::json{{"KEY", "v\"1"}, {"Z", "\xC3\xA9"}});
  CHECK(json.at("helper") == "defineHealthCheck");
  CHECK(json.at("folder") == "/scratch");
  CHECK_FALSE(json.contains("packages"));
}

TEST_CASE("a task without a context has null, and bytes that are no text are replaced") {
  auto task = some_task();
  task.context_json = "";
  task.script = "\xFF";
  task.packages = "/tree";
  const auto text = module_task_text(task);
  REQUIRE(text);
  const auto json = nlohmann::json::parse(*text);
  CHECK(json.at("context").is_null());
  CHECK(json.at("script") == "\uFFFD");
  CHECK(json.at("packages") == "/tree");
}

TEST_CASE("a task above its bound is refused with its size") {
  auto task = some_task();
  const std::string context = "\"" + std::string(module_task_size_max.value, 'x') + "\"";
  task.context_json = context;
  const auto text = module_task_text(task);
  REQUIRE_FALSE(text);
  CHECK(text.error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("a root of the run's own shows bootstrap, SDK and packages") {
  ModuleInput input;
  input.packages = PackageTree{"/data/tree/node_modules", nullptr};
  const auto files = module_files(input);
  REQUIRE(files.texts.size() == 4);
  CHECK(files.texts[0].path == bun_bootstrap_path);
  CHECK(files.texts[1].path == node_bootstrap_path);
  for (const int i : {0, 1})
    CHECK(files.texts[static_cast<std::size_t>(i)].content == module_bootstrap());
  CHECK(files.node_modules == "/data/tree/node_modules");
  // node's bootstrap loads one of its neighbours while it waits.
  CHECK(files.texts[3].path == "/.module/integration.mjs");
  CHECK(module_bootstrap().find("\"./integration.mjs\"") != std::string_view::npos);
  // It travels as a C string.
  CHECK(module_bootstrap().find('\0') == std::string_view::npos);
  CHECK(module_bootstrap().size() > 1'000);
}

TEST_CASE("the runtime executes the bootstrap where it is shown, else from its argument") {
  const ModuleRuntime bun{RuntimeKind::bun, "/bin/bun", "1.4.5", false};
  const ModuleRuntime node{RuntimeKind::node, "/bin/node", "20.0.0", false};
  using Words = std::vector<std::string>;
  CHECK(module_command(bun, BootstrapPlace::own_root) ==
        Words{"/bin/bun", "--no-install", "/.module/runner.mjs"});
  CHECK(module_command(node, BootstrapPlace::own_root) ==
        Words{"/bin/node", "/.module/runner.cjs"});
  const auto eval = module_command(node, BootstrapPlace::argument);
  REQUIRE(eval.size() == 3);
  CHECK(eval[2] == module_bootstrap());
  CHECK(module_command(bun, BootstrapPlace::argument).back() == module_bootstrap());
}

TEST_CASE("a script's imports of the SDK lead to where ours is") {
  const std::string script = "import { defineIntegration } from '@checkstack/sdk/integration';";
  CHECK(script_to_run(script, ModulePurpose::automation, BootstrapPlace::own_root) ==
        "import { defineIntegration } from 'file:///.module/integration.mjs';");
  CHECK(script_to_run(script, ModulePurpose::automation, BootstrapPlace::argument)
            .find("from 'data:text/javascript,") != std::string::npos);
  CHECK(script_to_run(script, ModulePurpose::health_check, BootstrapPlace::own_root) == script);
}
