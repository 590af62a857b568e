#include "sandbox/module/bootstrap.hpp"
#include "tests/support/module_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

// Scripts in JavaScript by each runtime of this host, behind the layers.

namespace {

bool has_note(const Ran& ran, const std::string& words) {
  for (const auto& note : ran.result.sandbox.notes) {
    if (holds(note.note, words)) return true;
  }
  return false;
}

constexpr const char* ended_by_us = "left something open after its result";

}  // namespace

TEST_CASE("a module runs under each engine, with its context, variables and helper module") {
  const auto engine = each_engine();
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime, engine);
  auto request = module(R"(
    import { defineHealthCheck } from "@checkstack/sdk/healthcheck";
    console.log("out"); console.error("err");
    export default async ctx => defineHealthCheck({
      value: ctx.a, late: process.env.LATE, global: typeof globalThis.defineHealthCheck,
      folder: import.meta.url.endsWith("/user.mjs"), argv: process.argv.length });)");
  request.module.context_json = Secret(R"({"a":5})");
  request.environment["LATE"] = "yes";
  const auto ran = bench.run(std::move(request), bench.policy);
  const auto result = result_of(ran);
  CHECK(result.at("value") == 5);
  CHECK(result.at("late") == "yes");
  CHECK(result.at("global") == "function");
  CHECK(result.at("folder") == true);
  CHECK(ran.standard_output == "out\n");
  CHECK(ran.standard_error == "err\n");
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.exit_code == 0);
  CHECK(holds(ran.result.sandbox.runtime, runtime.name));
  CHECK(ran.result.sandbox.engine == name_of(engine));
  CHECK(ran.result.is_module);
}

TEST_CASE("a module is confined like a shell script") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  const auto module = bench.run_module("return 1;");
  const auto shell = bench.run(script("true"), bench.policy);
  REQUIRE(module.report);
  REQUIRE(shell.report);
  for (std::size_t i = 0; i < shell.report->layers.size(); ++i) {
    CHECK(module.report->layers[i].state == shell.report->layers[i].state);
  }
  const auto result = result_of(bench.run_module(R"(
    const { readFileSync, writeFileSync } = await import("node:fs");
    const status = readFileSync("/proc/self/status", "utf8");
    const tried = path => { try { writeFileSync(path, "x"); return "written"; } catch (e) { return e.code; } };
    return { filter: /Seccomp:\s+2/.test(status), usr: tried("/usr/x"), bootstrap: tried(process.argv[1]),
      scratch: tried("own"), shadow: tried("/etc/shadow") };)"));
  CHECK(result.at("filter") == true);
  CHECK(result.at("scratch") == "written");
  for (const char* place : {"usr", "bootstrap", "shadow"}) CHECK(result.at(place) != "written");
}

TEST_CASE("secrets of a module are masked in result, keys, error, stack and output") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  const std::string secret = "s3cr3t-Value-17";
  const auto with_secret = [&](const std::string& text) {
    auto request = module(text);
    request.secret_environment.emplace("TOKEN", Secret(secret));
    return bench.run(std::move(request), bench.policy);
  };
  const auto returned = with_secret(
      "const t = process.env.TOKEN; console.log(t); return { [t]: [{ deep: 'x' + t }], n: t.length "
      "};");
  const auto result = result_of(returned);
  CHECK(result.at("****").at(0).at("deep") == "x****");
  CHECK(result.at("n") == secret.size());
  CHECK(returned.standard_output == "****\n");
  const auto thrown = with_secret("throw new Error('no ' + process.env.TOKEN);");
  REQUIRE(thrown.result.answer);
  CHECK(thrown.result.answer->error == "no ****");
  REQUIRE(thrown.result.answer->stack);
  CHECK(holds(*thrown.result.answer->stack, "no ****"));
  CHECK_FALSE(holds(*thrown.result.answer->stack, secret));
  CHECK(holds(*thrown.result.answer->stack, "user.mjs:2"));
  CHECK_FALSE(holds(*thrown.result.answer->stack, "/scratch/user.mjs"));
}

TEST_CASE("late variables and secrets stand in no file of /proc, but reach the children") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  auto request = module(R"JS(
    const { readFileSync } = await import("node:fs");
    const { execSync, spawnSync } = await import("node:child_process");
    const { Worker } = await import("node:worker_threads");
    const environ = readFileSync("/proc/self/environ", "utf8");
    const cmdline = readFileSync("/proc/self/cmdline", "utf8");
    const own = [];
    if (typeof Bun !== "undefined") {
      own.push(Bun.spawnSync(["sh", "-c", "printf %s $TOKEN"]).stdout.toString());
      own.push(await new Response(Bun.spawn(["sh", "-c", "printf %s $TOKEN"]).stdout).text());
      own.push(await Bun.$`printf %s $TOKEN`.text());
    }
    own.push(await new Promise(resolve => new Worker(
      "require('node:worker_threads').parentPort.postMessage(process.env.TOKEN)",
      { eval: true }).on("message", resolve)));
    return { secret: (environ + cmdline).includes(process.env.TOKEN), early: environ.includes("NODE_EARLY"),
      exec: execSync("printf %s $TOKEN").toString() === process.env.TOKEN,
      spawn: spawnSync("sh", ["-c", "printf %s $TOKEN"]).stdout.toString() === process.env.TOKEN,
      others: own.length, same: own.every(token => token === process.env.TOKEN) };)JS");
  request.secret_environment.emplace("TOKEN", Secret("s3cr3t-Value-18"));
  request.environment["NODE_EARLY"] = "1";  // shows that the file is read
  const auto result = result_of(bench.run(std::move(request), bench.policy));
  CHECK(result.at("secret") == false);
  CHECK(result.at("early") == true);
  CHECK(result.at("exec") == true);
  CHECK(result.at("spawn") == true);
  CHECK(result.at("others") == (runtime.name == "bun" ? 4 : 1));
  CHECK(result.at("same") == true);
}

TEST_CASE("children of a module have neither its task nor its answer") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  const auto result = result_of(bench.run_module(R"(
    const { readlinkSync } = await import("node:fs");
    const { execSync } = await import("node:child_process");
    const own = [3, 4].map(fd => readlinkSync("/proc/self/fd/" + fd));
    const seen = execSync("for fd in /proc/$$/fd/*; do readlink $fd; done; true").toString();
    return { task: own[0], answer: own[1], inherited: own.filter(name => seen.includes(name)) };)"));
  CHECK(holds(result.at("task"), "memfd:task"));
  CHECK(holds(result.at("answer"), "pipe:"));
  CHECK(result.at("inherited").empty());
}

TEST_CASE("what a module leaves open does not cost its result") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  const std::string text =
      GENERATE("setInterval(() => {}, 1000); return 7;",
               "(await import('node:http')).createServer().listen(0, '127.0.0.1'); return 7;",
               "setTimeout(() => { for (;;); }, 0); return 7;",
               "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); return 7;",
               "(await import('node:child_process')).spawn('sleep', ['600']); return 7;");
  INFO(text);
  const auto ran = bench.run_module(text);
  CHECK(result_of(ran) == 7);
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.exit_code == 0);
  CHECK(has_note(ran, ended_by_us));
  CHECK(ran.result.duration < 30s);  // far from its timeout of 60 s
}

TEST_CASE("output after the result is kept, all of it, however slowly it is read") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  bench.policy.resources.max_output_bytes = 8U << 20U;
  // On a busy host a module may be silent for longer than the half second of the satellite, since
  // it gets no processor.
  bench.settings.quiet_after_answer = 8s;
  Listener listener;
  listener.before_taking = [&bench]() -> boost::asio::awaitable<void> {
    boost::asio::steady_timer pause(bench.context, 5ms);
    co_await pause.async_wait(boost::asio::use_awaitable);
  };
  const bool leaves_open = GENERATE(false, true);
  const std::string open = leaves_open ? "setInterval(() => {}, 1000);" : "";
  const auto ran =
      bench.run(module("setTimeout(() => process.stdout.write('x'.repeat(3000000)), 50);" + open +
                       "return 1;"),
                bench.policy, listener);
  CHECK(result_of(ran) == 1);
  CHECK(ran.standard_output.size() == 3'000'000);
  CHECK(has_note(ran, ended_by_us) == leaves_open);
}

TEST_CASE("a module without an answer says how it ended") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  const auto exited = bench.run_module("console.error('why'); process.exit(3);");
  CHECK_FALSE(exited.result.answer);
  CHECK(exited.result.outcome == Outcome::exited);
  CHECK(exited.result.exit_code == 3);
  CHECK(exited.standard_error == "why\n");
  const auto killed =
      bench.run_module("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});");
  CHECK_FALSE(killed.result.answer);
  CHECK(killed.result.outcome == Outcome::signaled);
  const auto never = bench.run_module("await new Promise(() => {});");
  REQUIRE(never.result.answer);
  CHECK(never.result.answer->error ==
        "Script ended while it waited for something that can no longer happen");
  const auto closed = bench.run_module("(await import('node:fs')).closeSync(4); return 1;");
  CHECK_FALSE(closed.result.answer);
}

TEST_CASE("a module that does not end is stopped at its timeout or cancelled") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  auto request = module("console.log('begun'); await new Promise(r => setTimeout(r, 600000));");
  // Long enough for a runtime to start on a machine that is busy.
  request.timeout = 20s;
  const auto timed_out = bench.run(std::move(request), bench.policy);
  CHECK(timed_out.result.outcome == Outcome::timed_out);
  CHECK_FALSE(timed_out.result.answer);
  CHECK(timed_out.standard_output == "begun\n");
  Listener listener;
  listener.on_output = [&bench](const std::string&) { bench.cancel->cancel(); };
  const auto cancelled =
      bench.run(module("console.log('begun'); for (;;);"), bench.policy, listener);
  CHECK(cancelled.result.outcome == Outcome::cancelled);
}

TEST_CASE("a module gets standard input, a directory and a script of any length") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  auto request = module("// " + std::string(900U << 10U, 'x') +
                        "\nlet n = ''; for await (const c of process.stdin) n += "
                        "c; return [n, process.cwd(), context.length];");
  request.has_standard_input = true;
  request.standard_input = "typed";
  request.working_directory = "/usr/lib";
  request.module.context_json = Secret("\"" + std::string(900U << 10U, 'c') + "\"");
  const auto result = result_of(bench.run(std::move(request), bench.policy));
  CHECK(result.at(0) == "typed");
  CHECK(result.at(1) == "/usr/lib");
  CHECK(result.at(2) == 900U << 10U);
}

TEST_CASE("script packages are at /node_modules, read-only, and nothing beside them is seen") {
  const auto runtime = each_module_runtime();
  const auto engine = each_engine();
  ModuleBench bench(runtime, engine);
  const TempDir files;
  const auto tree = files.path() / "tree/node_modules";
  std::filesystem::create_directories(tree / "pkg");
  static_cast<void>(
      files.write("tree/node_modules/pkg/package.json",
                  R"({"name":"pkg","version":"1.0.0","type":"module","main":"i.js"})"));
  static_cast<void>(files.write("tree/node_modules/pkg/i.js", "export default 'from pkg';\n"));
  static_cast<void>(files.write("tree/other", "beside"));
  std::filesystem::permissions(files.path(), std::filesystem::perms(0755));
  auto request = module(R"(
    const fs = await import("node:fs");
    const pkg = (await import("pkg")).default;
    const real = fs.realpathSync(import.meta.resolve?.("pkg").replace("file://", ""));
    const tried = (() => { try { fs.writeFileSync(real, ""); return "written"; } catch (e) { return e.code; } })();
    const mounts = fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    const mount = mounts.find(line => line.includes(" /node_modules "))?.split(" ")[5];
    let missing; try { await import("left-pad"); } catch (e) { missing = e.message; }
    return { pkg, real, tried, beside: fs.existsSync(")" +
                        (files.path() / "tree/other").string() + R"("), missing, mount };)");
  request.module.packages = PackageTree{tree.string(), nullptr};
  const auto result = result_of(bench.run(std::move(request), bench.policy));
  CHECK(result.at("pkg") == "from pkg");
  CHECK(holds(result.at("missing"), "left-pad"));
  if (engine == Engine::none) return;
  CHECK(result.at("real") == "/node_modules/pkg/i.js");
  CHECK(result.at("tried") != "written");
  CHECK(result.at("beside") == false);
  CHECK(holds(result.at("mount"), "ro"));
  if (engine == Engine::nsjail) return;  // it has no option for the others
  CHECK(holds(result.at("mount"), "nosuid"));
  CHECK(holds(result.at("mount"), "nodev"));
}

TEST_CASE("a runtime whose task never comes ends by itself") {
  const auto runtime = each_module_runtime();
  const TempDir files;
  const std::string name = runtime.name == "bun" ? "runner.mjs" : "runner.cjs";
  const auto bootstrap = files.write(name, std::string(module_bootstrap()));
  const auto answer = (files.path() / "answer").string();
  const std::string command =
      ": | timeout 60 " + runtime.path + " " + bootstrap + " 3<&0 4>" + answer;
  CHECK(std::system(command.c_str()) == 0);
  std::ifstream said(answer);
  std::string text;
  std::getline(said, text);
  CHECK(text == "R");
}

TEST_CASE("without a runtime a module does not start, and the reason is told") {
  ScriptBench bench;
  bench.settings.module_runtime = GENERATE("none", "/nonexistent/bun", "/bin/true");
  const auto ran = bench.run(module("return 1;"), policy_for(Engine::native));
  CHECK(ran.result.outcome == Outcome::setup_failed);
  REQUIRE(ran.result.error);
  CHECK(ran.result.error->starts_with("no JavaScript runtime: "));
  CHECK_FALSE(ran.report);
}

TEST_CASE("a module that takes more memory than its policy says is ended with that reason") {
  const auto runtime = each_module_runtime();
  ModuleBench bench(runtime);
  bench.policy.resources.memory_bytes = 192U << 20U;
  const auto ran = bench.run_module(
      "const kept = []; for (let i = 0; i < 6000; ++i) { kept.push(Buffer.alloc(4 << 20, 1)); "
      "await new Promise(r => setTimeout(r, 20)); } return kept.length;");
  CHECK(ran.result.outcome == Outcome::memory_limit);
  CHECK_FALSE(ran.result.answer);
  CHECK(holds(ran.result.error.value_or(""), "201326592"));
  // What stays below it is left alone, although a runtime's own files take more than that.
  CHECK(result_of(bench.run_module("return Buffer.alloc(16 << 20, 1).length;")) == 16U << 20U);
}

TEST_CASE("a runtime that cannot start in its limits ends with that reason") {
  const auto runtime = each_module_runtime();
  if (runtime.name != "node") return;  // bun starts with three tasks
  ModuleBench bench(runtime);
  bench.settings.default_identity = Identity{1'899'999'999, 1'899'999'999};  // counted alone
  bench.policy.resources.max_processes = 3;
  auto request = module("return 1;");
  request.timeout = 5s;
  const auto ran = bench.run(std::move(request), bench.policy);
  CHECK_FALSE(ran.result.answer);
  if (ran.result.outcome != Outcome::timed_out) return;  // it may also give up by itself
  CHECK(holds(ran.result.error.value_or(""), "did not start in time"));
}
