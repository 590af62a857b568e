#include "tests/devcore/console.hpp"
#include "tests/devcore/devcore.hpp"
#include "tests/devcore/printer.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace satellite;
using namespace satellite::devcore;

namespace {

/// The command line as given, before it becomes settings and runs.
struct Options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  bool plain = false, no_acknowledge = false, no_extensions = false, collects_nothing = false;
  std::string certificate_file, key_file, client_authority_file, ca_out, policy_file, policy_store,
      assignments_file, secrets_file, transcript;
  std::vector<std::string> names, clients, misbehaviours, script_files, script_texts;
  std::vector<std::string> environment, secret_environment;
  std::string kind = "health-check", language = "shell";
  std::int64_t timeout_ms = 10'000;
};

void define(CLI::App& app, Options& options) {
  app.add_option("--listen", options.address, "address to listen on");
  app.add_option("--port", options.port, "port; 0 = any, printed as `listening …`");
  app.add_flag("--plain", options.plain, "no TLS");
  app.add_option("--cert", options.certificate_file, "PEM chain; default: a temporary one");
  app.add_option("--key", options.key_file, "PEM key of --cert");
  app.add_option("--name", options.names, "name or address in the temporary certificate");
  app.add_option("--client-ca", options.client_authority_file,
                 "PEM; who shows no certificate of this authority is turned away");
  app.add_option("--ca-out", options.ca_out, "write the temporary authority here");
  app.add_option("--client", options.clients, "ID:TOKEN that may authenticate");
  app.add_option("--policy", options.policy_file, "policy to relay; followed when it changes");
  app.add_option("--policy-store", options.policy_store,
                 "file that keeps the default policy; `policy {json}` changes it")
      ->excludes("--policy");
  app.add_option("--assignments", options.assignments_file, "assignments, a JSON array");
  app.add_option(
      "--secrets", options.secrets_file,
      "replies to requests for secrets: {\"run\":{\"CONFIG/ENTRY\":{…}},\"config\":{…}}");
  app.add_flag("--no-extensions", options.no_extensions, "be the existing core: no dispatch");
  app.add_flag("--no-ack", options.no_acknowledge, "never acknowledge");
  app.add_flag("--count-only", options.collects_nothing, "count output instead of keeping it");
  app.add_option("--transcript", options.transcript, "write every frame here, redacted");
  app.add_option("--misbehave", options.misbehaviours,
                 "NAME or http-status:503:RETRY_AFTER, one per connection in order");
  app.add_option("--run", options.script_files, "dispatch this script file");
  app.add_option("--run-text", options.script_texts, "dispatch this script");
  app.add_option("--kind", options.kind, "health-check or automation");
  app.add_option("--language", options.language, "shell or module");
  app.add_option("--timeout", options.timeout_ms, "of dispatched scripts, in ms");
  app.add_option("--env", options.environment, "K=V of dispatched scripts");
  app.add_option("--secret-env", options.secret_environment, "K=V, masked");
  app.footer(std::string("Standard input, one command a line:\n") + console_help);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw CLI::ValidationError("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::pair<std::string, std::string> split_at(const std::string& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos) throw CLI::ValidationError(text + ": misses " + separator);
  return {text.substr(0, at), text.substr(at + 1)};
}

ConnectionPlan plan_from(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  const auto misbehaviour = misbehaviour_named(name);
  if (!misbehaviour) throw CLI::ValidationError("unknown misbehaviour " + name);
  ConnectionPlan plan{*misbehaviour, 503, {}};
  if (name.size() == text.size()) return plan;
  const std::string rest = text.substr(name.size() + 1);
  const std::size_t colon = rest.find(':');
  plan.http_status = static_cast<unsigned>(std::stoul(rest.substr(0, colon)));
  if (colon != std::string::npos) plan.http_headers["Retry-After"] = rest.substr(colon + 1);
  return plan;
}

Settings settings_from(const Options& options) {
  Settings settings;
  settings.address = options.address;
  settings.port = options.port;
  settings.transport = options.plain ? Transport::plain : Transport::tls;
  if (!options.certificate_file.empty()) {
    settings.certificate =
        tls::CertifiedKey{content_of(options.certificate_file), content_of(options.key_file)};
  }
  if (!options.client_authority_file.empty()) {
    settings.client_authority = content_of(options.client_authority_file);
  }
  if (!options.names.empty()) settings.certificate_request.names = options.names;
  for (const std::string& client : options.clients) settings.tokens.insert(split_at(client, ':'));
  settings.policy_file = options.policy_file;
  settings.policy_store = options.policy_store;
  if (!options.assignments_file.empty()) {
    settings.assignments = content_of(options.assignments_file);
  }
  if (!options.secrets_file.empty()) {
    settings.secrets = secret_replies_from(content_of(options.secrets_file));
  }
  if (options.no_extensions) settings.extensions.clear();
  settings.acknowledge = !options.no_acknowledge;
  settings.collect_output = !options.collects_nothing;
  settings.transcript = options.transcript;
  for (const std::string& text : options.misbehaviours) settings.plans.push_back(plan_from(text));
  return settings;
}

protocol::RunScript run_from(const Options& options, const std::string& script,
                             std::size_t number) {
  protocol::RunScript run;
  // Unique over restarts too: a run id is never executed twice.
  run.run_id = RunId("run-" + std::to_string(::getpid()) + '-' + std::to_string(number));
  run.script = script;
  run.kind = options.kind == "automation" ? protocol::ScriptKind::automation
                                          : protocol::ScriptKind::health_check;
  run.language = options.language == "module" ? protocol::ScriptLanguage::module
                                              : protocol::ScriptLanguage::shell;
  run.timeout = std::chrono::milliseconds(options.timeout_ms);
  for (const std::string& entry : options.environment) {
    run.environment.insert(split_at(entry, '='));
  }
  for (const std::string& entry : options.secret_environment) {
    auto [name, value] = split_at(entry, '=');
    run.secret_environment.emplace(std::move(name), Secret(std::move(value)));
  }
  return run;
}

/// Dispatches what the command line asks for and waits for all of it.
int run_scripts(DevCore& core, const Options& options, const Printer& printer) {
  std::vector<std::string> scripts = options.script_texts;
  for (const std::string& path : options.script_files) scripts.push_back(content_of(path));
  if (!core.wait_until_authenticated(std::chrono::hours(24))) return 1;
  for (std::size_t i = 0; i < scripts.size(); ++i) core.dispatch(run_from(options, scripts[i], i));
  const bool ended = core.ledger().wait(std::chrono::hours(24), [&](const Ledger&) {
    return printer.finished_runs() >= scripts.size();
  });
  return ended && printer.all_succeeded() ? 0 : 1;
}

int serve(const Options& options) {
  Printer printer;
  Settings settings = settings_from(options);
  settings.on_message = [&printer](const std::string& client_id,
                                   const protocol::AgentMessage& message) {
    printer.show(client_id, message);
  };
  settings.on_event = [&printer](const std::string& what) { printer.show_event(what); };
  auto started = DevCore::start(std::move(settings));
  if (!started) {
    std::cerr << "devcore: " << started.error().message << '\n';
    return 1;
  }
  DevCore& core = **started;
  if (!options.ca_out.empty()) std::ofstream(options.ca_out) << core.ca_pem();
  std::string url = core.url();
  url.replace(0, 4, "ws");
  std::cout << "listening " << url << std::endl;
  const bool has_scripts = !options.script_files.empty() || !options.script_texts.empty();
  if (has_scripts) return run_scripts(core, options, printer);
  for (std::string line; std::getline(std::cin, line);) {
    if (!obey(core, line)) return 0;
  }
  // Started without a terminal: serve until a signal ends the process.
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A small real Checkstack core for tests and for trying a satellite.", "devcore");
  Options options;
  define(app, options);
  try {
    app.parse(argc, argv);
    return serve(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
}
