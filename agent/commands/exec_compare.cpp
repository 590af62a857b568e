#include "agent/commands/exec_compare.hpp"

#include "agent/commands/commands.hpp"
#include "agent/commands/comparison.hpp"
#include "agent/commands/exec_answer.hpp"
#include "agent/commands/exec_request.hpp"
#include "agent/commands/exec_run.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "sandbox/hints/proposed_grants.hpp"

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <string_view>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t line_shown_max = 200;

class CollectingObserver final : public sandbox::RunObserver {
 public:
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}
  asio::awaitable<void> output(sandbox::OutputStream stream, std::string_view bytes) override {
    const bool is_output = stream == sandbox::OutputStream::standard_output;
    (is_output ? collected_.standard_output : collected_.standard_error).append(bytes);
    co_return;
  }
  CollectedOutput take() { return std::move(collected_); }

 private:
  CollectedOutput collected_;
};

struct Answer {
  sandbox::RunResult result;
  CollectedOutput output;
};

/// Nothing between the script and the host but its user and its limits.
sandbox::ResolvedPolicy without_sandbox(sandbox::ResolvedPolicy resolved) {
  auto& policy = resolved.policy;
  policy.filesystem.mode = sandbox::FilesystemMode::off;
  policy.network.mode = sandbox::NetworkMode::unrestricted;
  policy.network.deny_link_local_and_metadata = false;
  policy.on_unavailable = sandbox::OnUnavailable::degrade;
  return resolved;
}

void print_lines(std::string_view title, const std::vector<LineDifference>& differences) {
  for (const auto& one : differences) {
    using Kind = LineDifference::Kind;
    std::cout << title << ' ';
    if (one.kind == Kind::only_first) std::cout << "- " << printable(one.first, line_shown_max);
    if (one.kind == Kind::only_second) std::cout << "+ " << printable(one.second, line_shown_max);
    if (one.kind == Kind::numbers) {
      std::cout << "~ " << printable(one.first, line_shown_max) << "  |  "
                << printable(one.second, line_shown_max);
    }
    std::cout << '\n';
  }
}

/// What the one run did and the other did not; true where nothing differs but numbers.
class Comparison {
 public:
  Comparison(const Answer& bare, const Answer& other)
      : code_(exec_exit_code(bare.result)),
        other_code_(exec_exit_code(other.result)),
        output_(compare_lines(bare.output.standard_output, other.output.standard_output)),
        error_(compare_lines(bare.output.standard_error, other.output.standard_error)) {}

  bool is_same() const {
    return code_ == other_code_ && !differs_in_words(output_) && !differs_in_words(error_);
  }
  void print(std::string_view name) const {
    std::cout << "exit code " << code_ << " without a sandbox, " << other_code_ << ' ' << name
              << '\n';
    print_lines("stdout", output_);
    print_lines("stderr", error_);
    std::cout << (!is_same()            ? "another answer "
                  : has_other_numbers() ? "the same answer but for numbers "
                                        : "the same answer ")
              << name << '\n';
  }
  /// Numbers move from run to run; where the sandbox is a reason for that, a hint says so.
  bool agrees_with_host(const Answer& other) const {
    return is_same() && !(has_other_numbers() && !other.result.sandbox.hints.empty());
  }

 private:
  bool has_other_numbers() const { return !output_.empty() || !error_.empty(); }

  int code_, other_code_;
  std::vector<LineDifference> output_, error_;
};

std::string toml_text(const std::string& path) {
  std::string text = "\"";
  for (const char c : path) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string toml_list(const std::vector<std::string>& paths) {
  std::string text = "[";
  for (const auto& path : paths) text += (text.size() > 1 ? ", " : "") + toml_text(path);
  return text + "]";
}

std::string toml_of(const sandbox::HostView& view) {
  std::string text = "[host_view]\n";
  if (!view.paths.empty()) text += "paths = " + toml_list(view.paths) + "\n";
  if (!view.programs.empty()) text += "programs = " + toml_list(view.programs) + "\n";
  if (!view.sockets.empty()) text += "sockets = " + toml_list(view.sockets) + "\n";
  if (!view.loopback.empty()) {
    std::string ports;
    for (const auto port : view.loopback) {
      ports += (ports.empty() ? "" : ", ") + std::to_string(port);
    }
    text += "loopback = [" + ports + "]\n";
  }
  if (view.disks) text += "disks = true\n";
  if (view.processes) text += "processes = true\n";
  if (view.system) text += "system = true\n";
  if (view.sessions) text += "sessions = true\n";
  if (view.state_bytes > 0) {
    text += "state = " + toml_text(sandbox::state_size_text(view.state_bytes)) + "\n";
  }
  return text;
}

/// Both: what the operator granted already, and what is proposed.
sandbox::HostView joined(const sandbox::HostView& granted, sandbox::HostView proposed) {
  sandbox::HostView view = granted;
  for (const auto& [to, from] : {std::pair{&view.paths, &proposed.paths},
                                 {&view.programs, &proposed.programs},
                                 {&view.sockets, &proposed.sockets}}) {
    for (auto& path : *from) {
      if (std::find(to->begin(), to->end(), path) == to->end()) to->push_back(std::move(path));
    }
  }
  for (const auto port : proposed.loopback) {
    const bool is_known =
        std::find(view.loopback.begin(), view.loopback.end(), port) != view.loopback.end();
    if (!is_known && view.loopback.size() < sandbox::loopback_ports_max) {
      view.loopback.push_back(port);
    }
  }
  view.disks = view.disks || proposed.disks;
  view.processes = view.processes || proposed.processes;
  view.system = view.system || proposed.system;
  view.sessions = view.sessions || proposed.sessions;
  return view;
}

sandbox::HostView proposal_for(const sandbox::RunRequest& request, const Answer& answer,
                               const sandbox::HostView& granted) {
  const std::string output = answer.output.standard_error + "\n" + answer.output.standard_output;
  sandbox::HintInputs inputs;
  inputs.script = request.script;
  inputs.is_module = request.language == sandbox::Language::module;
  inputs.output = output;
  auto proposed = sandbox::propose_grants(inputs, sandbox::this_host_paths());
  // Nothing that would show what is the satellite's own.
  for (auto* list : {&proposed.paths, &proposed.programs, &proposed.sockets}) {
    std::erase_if(*list, [&granted](const std::string& path) {
      sandbox::HostView one;
      one.paths = {path};
      return !sandbox::check_own_paths(one, granted.own);
    });
  }
  return joined(granted, std::move(proposed));
}

}  // namespace

int exec_compare(const Invocation& invocation, const Config& config, sandbox::ResolvedPolicy policy,
                 sandbox::RunRequest request) {
  if (invocation.script_file == "-" || invocation.json) {
    print_error("--compare runs a file more than once and prints text: neither - nor --json");
    return exit_wrong_usage;
  }
  auto bench = ExecRunner::make(config);
  if (!bench) return no_launcher(bench.error());
  auto settings = runner_settings(config);
  settings.host_view.for_health_checks = true;
  const auto answer_of = [&](sandbox::RunRequest one, sandbox::ResolvedPolicy under) {
    CollectingObserver observer;
    auto result = (*bench)->run(settings, std::move(one), std::move(under), observer);
    return Answer{std::move(result), observer.take()};
  };
  const auto anew = [&] { return *request_of(invocation, config); };
  const Answer bare = answer_of(anew(), without_sandbox(policy));
  const Answer sandboxed = answer_of(anew(), policy_for_run(policy, config));
  const Comparison first(bare, sandboxed);
  const auto view = proposal_for(request, sandboxed, settings.host_view);
  const bool has_proposal = !(view == settings.host_view);
  if (!invocation.proposes_grants) {
    first.print("in the sandbox");
    for (const auto& hint : sandboxed.result.sandbox.hints) std::cout << "hint " << hint << '\n';
  }
  if (!has_proposal) return first.agrees_with_host(sandboxed) ? exit_done : exit_failed;
  settings.host_view = view;
  const Answer granted = answer_of(std::move(request), policy_for_run(std::move(policy), config));
  const Comparison second(bare, granted);
  if (!invocation.proposes_grants) {
    second.print("with the grants below");
    for (const auto& hint : granted.result.sandbox.hints) std::cout << "hint " << hint << '\n';
  }
  std::cout << toml_of(view);
  return second.agrees_with_host(granted) ? exit_done : exit_failed;
}

}  // namespace satellite::agent
