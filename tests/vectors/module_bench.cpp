#include "vectors/module_bench.hpp"

#include "agent/checks/collector_outcome.hpp"
#include "agent/checks/config/module_context.hpp"
#include "agent/checks/inline_outcome.hpp"
#include "agent/packages/packages_of_run.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"
#include "support/temp_dir.hpp"

#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <stdexcept>

namespace satellite::vectors {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

using OrderedJson = nlohmann::ordered_json;

class Streams final : public sandbox::RunObserver {
 public:
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}
  asio::awaitable<void> output(sandbox::OutputStream stream, std::string_view bytes) override {
    const bool regular = stream == sandbox::OutputStream::standard_output;
    (regular ? collected.standard_output : collected.standard_error) += bytes;
    co_return;
  }
  agent::CollectedStreams collected;
};

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// The packages that the file of vectors describes.
void write_packages(const fs::path& tree) {
  const auto package = [&tree](const std::string& name, const std::string& fields) {
    write(tree / name / "package.json", R"({"name":")" + name + R"(",)" + fields + "}");
  };
  package("esm-pkg", R"("version":"1.2.3","type":"module","main":"i.js")");
  write(tree / "esm-pkg/i.js", "export default 1; export const two = 2;\n");
  package("cjs-pkg", R"("version":"1.0.0","main":"i.js")");
  write(tree / "cjs-pkg/i.js", "exports.three = 3;\n");
  package(
      "exp-pkg",
      R"("version":"1.0.0","type":"module","exports":{".":{"bun":"./bun.js","node":"./node.js",)"
      R"("import":"./import.js","default":"./default.js"},"./sub":"./sub.js"})");
  for (const char* name : {"bun", "node", "import", "default", "sub"}) {
    write(tree / "exp-pkg" / (std::string(name) + ".js"),
          "export default '" + std::string(name) + "';\n");
  }
  write(tree / "exp-pkg/hidden.js", "export default 'hidden';\n");
  package("@scope/pkg", R"("version":"1.0.0","type":"module","main":"i.js")");
  write(tree / "@scope/pkg/i.js", "export default 'scoped';\n");
  package("dep-user", R"("version":"1.0.0","type":"module","main":"i.js")");
  write(tree / "dep-user/i.js", "export { default } from 'esm-pkg';\n");
  package("dep-user/node_modules/esm-pkg", R"("version":"2.0.0","type":"module","main":"i.js")");
  write(tree / "dep-user/node_modules/esm-pkg/i.js", "export default 'nested 2.0.0';\n");
  package("ts-pkg", R"("version":"1.0.0","type":"module","main":"i.ts")");
  write(tree / "ts-pkg/i.ts", "const s: string = 'from ts'; export default s;\n");
}

agent::ScriptValue script_value(const OrderedJson& value) {
  const auto parsed = agent::parse_script_value(value.dump());
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

/// The context as the check would make it; of a case without one only the configuration.
std::string context_of(const OrderedJson& test_case) {
  OrderedJson config{{"script", test_case.at("script")}};
  config.update(test_case.at("config"));
  if (!test_case.contains("context")) return OrderedJson{{"config", config}}.dump();
  const auto& recorded = test_case.at("context");
  agent::CheckContext context;
  const OrderedJson check = recorded.value("check", OrderedJson::object());
  context.check_id = check.value("id", "");
  context.check_name = check.value("name", "");
  context.interval_seconds = check.value("intervalSeconds", 0.0);
  const OrderedJson system = recorded.value("system", OrderedJson::object());
  context.system_id = system.value("id", "");
  context.system_name = system.value("name", "");
  context.system_metadata = script_value(system.value("metadata", OrderedJson::object()));
  context.environment_fields = agent::ScriptValue::object({});
  if (const auto found = recorded.find("environment"); found != recorded.end()) {
    context.has_environment = true;
    context.environment_id = found->value("id", "");
    context.environment_name = found->value("name", "");
    context.environment_fields = script_value(found->value("fields", OrderedJson::object()));
  }
  return agent::module_context(config.dump(), context);
}

/// Of a case in which the runner was never asked, because the packages were not there: the words of
/// whoever decided that, which the collector passes on.
std::optional<std::string> reason_without_packages(const OrderedJson& test_case) {
  const bool was_run = !test_case.contains("runner") || !test_case.at("runner").is_null();
  if (was_run || !test_case.at("name").get<std::string>().starts_with("pkg-")) return std::nullopt;
  return test_case.at("result").at("_collectorError").get<std::string>();
}

asio::awaitable<std::optional<sandbox::ModuleRuntime>> runtime_of(sandbox::Runner& runner) {
  auto found = co_await runner.find_module_runtime();
  if (!found) co_return std::nullopt;
  co_return *std::move(found);
}

void replace_run_paths(std::optional<std::string>& text) {
  static const std::regex scratch("/tmp/csat-[^/\"]+/runs/run-[0-9]+/scratch");
  if (text) text = std::regex_replace(*text, scratch, "<run>");
}

}  // namespace

struct ModuleBench::State {
  State() {
    auto started = sandbox::Launcher::start();
    if (!started) throw std::runtime_error(started.error().message);
    launcher = *std::move(started);
    launcher->attach(context, [] {});
    if (::geteuid() == 0) settings.default_identity = sandbox::Identity{65'531, 65'531};
    facts = sandbox::probe_host_first(context, *launcher,
                                      {settings.default_identity, {}, false, settings.engines});
    write_packages(packages.path() / "node_modules");
    fs::permissions(packages.path(), fs::perms(0755));
  }

  template <typename T>
  T waited_for(asio::awaitable<T> work) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown, T ended) {
      failure = thrown;
      result.emplace(std::move(ended));
      context.stop();
    });
    context.restart();
    context.run();
    if (failure) std::rethrow_exception(failure);
    return *std::move(result);
  }

  asio::io_context context{1};
  std::unique_ptr<sandbox::Launcher> launcher;
  sandbox::RunnerSettings settings;
  sandbox::HostFacts facts;
  tests::TempDir packages;
  std::map<std::string, std::unique_ptr<sandbox::Runner>> runners;
};

ModuleBench::ModuleBench() : state_(std::make_unique<State>()) {
  for (const char* name : {"bun", "node"}) {
    for (const char* directory : {"/usr/local/bin/", "/usr/bin/"}) {
      auto settings = state_->settings;
      settings.module_runtime = std::string(directory) + name;
      if (!fs::exists(settings.module_runtime)) continue;
      auto runner = std::make_unique<sandbox::Runner>(state_->context, *state_->launcher,
                                                      state_->facts, settings);
      const auto found = state_->waited_for(runtime_of(*runner));
      if (!found) continue;
      node_removes_types_ = node_removes_types_ || found->removes_types;
      runtimes_.emplace_back(name);
      state_->runners.emplace(name, std::move(runner));
      break;
    }
  }
}

ModuleBench::~ModuleBench() = default;

agent::CollectorOutcome ModuleBench::run(const std::string& runtime, const json& test_case) {
  const auto ordered = OrderedJson::parse(test_case.at("caseText").get<std::string>());
  if (const auto reason = reason_without_packages(ordered)) {
    const Error error{ErrorCode::unavailable, *reason};
    const auto result = agent::result_without_packages(error, sandbox::shipped_default_policy());
    return agent::inline_collector_outcome(result, {}, {}).value();
  }
  sandbox::RunRequest request;
  request.id = RunId("vector");
  request.language = sandbox::Language::module;
  request.script = ordered.at("script").get<std::string>();
  request.module.context_json = Secret(context_of(ordered));
  request.timeout = std::chrono::milliseconds(ordered.at("config").value("timeout", 10'000));
  const OrderedJson secrets = ordered.value("secretEnv", OrderedJson::object());
  for (const auto& [name, value] : secrets.items()) {
    request.secret_environment.emplace(name, Secret(value.get<std::string>()));
  }
  if (test_case.at("name").get<std::string>().starts_with("pkg-")) {
    request.module.packages =
        sandbox::PackageTree{(state_->packages.path() / "node_modules").string(), nullptr};
  }
  Streams streams;
  sandbox::CancelSwitch cancel(state_->context);
  const auto result = state_->waited_for(state_->runners.at(runtime)->run(
      std::move(request), {sandbox::shipped_default_policy(), false}, streams, cancel));
  auto end = agent::inline_collector_outcome(result, streams.collected, {});
  if (!end) throw std::runtime_error("the run was stopped");
  replace_run_paths(end->error);
  replace_run_paths(std::get<agent::InlineScriptOutcome>(end->outcome).message);
  return *std::move(end);
}

ModuleBench& module_bench() {
  static ModuleBench bench;
  return bench;
}

}  // namespace satellite::vectors
