#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/module_runtimes.hpp"
#include "tests/support/test_packages.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

const std::string module_secret = "s3cr3t value/XYZ43";

json inline_check(const std::string& config_id, const std::string& text) {
  json check = shell_check(config_id, text, 1);
  check["collectors"][0]["collectorId"] = "healthcheck-script.inline-script";
  check["collectors"][0]["config"]["timeout"] = 60'000;
  return check;
}

Scene::Options by(Scene::Options options, const RuntimeHere& runtime) {
  options.environment["CHECKSTACK_SATELLITE_MODULE_RUNTIME"] = runtime.path;
  return options;
}

protocol::RunScript module(const std::string& text) {
  auto message = script(text);
  message.language = protocol::ScriptLanguage::module;
  message.timeout = 60s;
  return message;
}

}  // namespace

TEST_CASE("an inline check reports what its script returned, with its secrets masked") {
  const auto runtime = each_module_runtime();
  const std::string text =
      "export default ctx => ({ success: process.env.API_TOKEN.length === 18, value: 42, "
      "message: ctx.check.id + ' ' + ctx.config.secretEnv.API_TOKEN.length + ' ' + "
      "process.env.API_TOKEN });";
  Scene scene(
      by(with_checks({with_token(inline_check("cfg", text)),
                      inline_check("bad", "throw new Error('it broke');")},
                     {{{"cfg/c1", "\"env\":{\"API_TOKEN\":\"" + module_secret + "\"}"}}, {}, true}),
         runtime));
  const json result = nth_result(scene, "cfg");
  const json entry = collector_of(result);
  INFO(result.dump(2));
  CHECK(result.at("status") == "healthy");
  CHECK(entry.at("success") == true);
  CHECK(entry.at("value") == 42);
  const std::string message = entry.at("message");
  CHECK(message.starts_with("cfg "));
  CHECK(message.ends_with(" ****"));
  CHECK(entry.at("timedOut") == false);
  const json broken = nth_result(scene, "bad");
  CHECK(broken.at("status") == "unhealthy");
  CHECK(collector_of(broken).at("_collectorError") == "it broke");
  CHECK(broken.at("result").at("message") == "Check failed: it broke");
}

TEST_CASE("an inline check whose packages are not there says so, and runs when they are") {
  const auto runtime = each_module_runtime();
  auto shelf = shelf_with({{"left", "1.0.0", {{"index.js", "module.exports = 5"}}, {}, {}}});
  shelf.silent.insert(*shelf.statement.lockfile_hash);
  json imports = inline_check("imports", "import left from 'left';\nexport default left;");
  imports["collectors"][0]["config"]["timeout"] = 8'000;  // so long it waits for packages
  Scene::Options options = by(with_checks({imports, inline_check("plain", "return 7;")}), runtime);
  options.core.packages = shelf;
  Scene scene(std::move(options));
  const json missing = nth_result(scene, "imports");
  INFO(missing.dump(2));
  CHECK(missing.at("status") == "unhealthy");
  const json entry = collector_of(missing);
  const std::string expected = "Script packages are not ready: expected " +
                               shelf.statement.lockfile_hash->substr(0, 12) + ", present none";
  CHECK(entry.at("_collectorError").get<std::string>().starts_with(expected));
  CHECK(entry.at("message") == entry.at("_collectorError"));
  CHECK(entry.at("success") == false);
  CHECK(entry.at("timedOut") == false);
  CHECK(collector_of(nth_result(scene, "plain")).at("value") == 7);
  shelf.silent.clear();
  scene.core().push_packages(shelf);
  eventually("a result with the package", [&] {
    const auto results = results_of(scene, "imports");
    return !results.empty() && collector_of(results.back()).value("value", 0) == 5;
  });
}

TEST_CASE("a dispatched module returns its result, for a health check and for an automation") {
  const auto runtime = each_module_runtime();
  Scene scene(by(Scene::with_policy(default_policy), runtime));
  auto check = module(
      "console.log('said'); return { seen: context.key, helper: typeof defineHealthCheck };");
  check.context_json = R"({"key":[1,2]})";
  const auto checked = scene.run(std::move(check));
  CHECK(checked.finished->outcome == "exited");
  CHECK(checked.standard_output == "said\n");
  REQUIRE(checked.finished->result_json);
  CHECK(json::parse(*checked.finished->result_json) ==
        json::parse(R"({"seen":[1,2],"helper":"function"})"));
  CHECK_FALSE(checked.finished->artifact_json);
  CHECK_FALSE(checked.finished->error);
  CHECK(json::parse(checked.finished->sandbox_json)
            .at("runtime")
            .get<std::string>()
            .starts_with(runtime.name));

  auto automation = module(
      "import { defineIntegration } from '@checkstack/sdk/integration';\n"
      "console.log('made'); export default defineIntegration(c => ({ id: 7, v: c.var.x, e: "
      "c.trigger.event }));");
  automation.kind = protocol::ScriptKind::automation;
  automation.context_json = R"({"trigger":{"event":"incident.created"},"vars":{"x":"y"}})";
  const auto automated = scene.run(std::move(automation));
  REQUIRE(automated.finished->artifact_json);
  const json artifact = json::parse(*automated.finished->artifact_json);
  CHECK(artifact.at("result") == json::parse(R"({"id":7,"v":"y","e":"incident.created"})"));
  CHECK(artifact.at("externalId") == "7");
  CHECK(artifact.at("stdout") == "made\n");
  CHECK(artifact.at("timedOut") == false);
}

TEST_CASE("a dispatched module that throws says so, with its stack and without its secrets") {
  const auto runtime = each_module_runtime();
  Scene scene(by(Scene::with_policy(default_policy), runtime));
  for (const auto kind : {protocol::ScriptKind::health_check, protocol::ScriptKind::automation}) {
    auto message = module("throw new Error('no ' + process.env.TOKEN);");
    message.kind = kind;
    message.secret_environment.emplace("TOKEN", Secret(module_secret));
    const auto run = scene.run(std::move(message));
    const bool is_automation = kind == protocol::ScriptKind::automation;
    CHECK(run.finished->error == (is_automation ? "Script error: no ****" : "no ****"));
    REQUIRE(run.finished->stack);
    CHECK(run.finished->stack->find("user.mjs:2") != std::string::npos);
    CHECK(run.finished->stack->find("s3cr3t") == std::string::npos);
    CHECK_FALSE(run.finished->result_json);
    CHECK(run.finished->artifact_json.has_value() == is_automation);
  }
  const auto silent = scene.run(module("process.exit(0);"));
  CHECK(silent.finished->error == "Script exited without producing a result");
  auto endless = module("for (;;);");
  endless.timeout = 8s;
  endless.kind = protocol::ScriptKind::automation;
  const auto timed_out = scene.run(std::move(endless));
  CHECK(timed_out.finished->outcome == "timed_out");
  CHECK(timed_out.finished->error == "Script execution timed out");
}

TEST_CASE("without a runtime a dispatched module is rejected with the reason") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_MODULE_RUNTIME"] = "none";
  Scene scene(std::move(options));
  auto message = module("return 1;");
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  eventually("the rejection arrives",
             [&] { return scene.core().ledger().run(id).rejected.has_value(); });
  const auto run = scene.core().ledger().run(id);
  CHECK(run.rejected->code == protocol::RejectionCode::invalid);
  CHECK(run.rejected->message.find("sandbox.module_runtime") != std::string::npos);
  CHECK(scene.run("echo still here").standard_output == "still here\n");
}

TEST_CASE("exec runs a module by its name or by --language, and doctor names its runtime") {
  const auto runtime = each_module_runtime();
  const TempDir files;
  const std::string text = "console.log('out'); return { c: context };";
  const std::string file = files.write("check.mjs", text);
  const std::string other = files.write("check", text);
  const std::string context = files.write("context.json", R"({"a":1})");
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--module-runtime", runtime.path});
    return run_satellite(words, shell_path);
  };
  const auto by_name = run({"exec", file, "--json", "--context", context});
  INFO(by_name.standard_output + by_name.standard_error);
  CHECK(by_name.exit_code == 0);
  const json answer = json::parse(by_name.standard_output);
  CHECK(answer.at("result") == json::parse(R"({"c":{"a":1}})"));
  CHECK(answer.at("stdout") == "out\n");
  CHECK(answer.at("sandbox").at("enforced").at("filesystem") == true);
  const auto by_language = run({"exec", other, "--language", "module"});
  CHECK(by_language.exit_code == 0);
  CHECK(by_language.standard_error.find("result    {\"c\":null}") != std::string::npos);
  const auto thrown = run({"exec", files.write("bad.js", "throw new Error('x');"), "--json"});
  CHECK(thrown.exit_code == 1);
  CHECK(json::parse(thrown.standard_output).at("error") == "x");
  CHECK(run({"exec", file, "--context", files.write("no.json", "{")}).exit_code == 2);
  const auto doctor = run({"doctor"});
  CHECK(doctor.standard_output.find("module_runtime") != std::string::npos);
  CHECK(doctor.standard_output.find(runtime.name + " ") != std::string::npos);
}
