#include "agent/commands/exec_request.hpp"

#include "agent/commands/input.hpp"
#include "agent/packages/packages_here.hpp"
#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/planning/shell_quote.hpp"
#include "sandbox/policy/policy_json.hpp"

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace satellite::agent {
namespace {

bool is_module(const Invocation& invocation) {
  if (!invocation.language.empty()) return invocation.language == "module";
  const std::string& file = invocation.script_file;
  return file.ends_with(".mjs") || file.ends_with(".mts") || file.ends_with(".js") ||
         file.ends_with(".ts");
}

Result<std::string> chosen_context(const Invocation& invocation) {
  if (!invocation.context_file) return std::string();
  auto text = read_json_input(*invocation.context_file, limits::context_size_max);
  if (!text) return text.error();
  const auto is_json = check_bounded_json(*text, limits::frame_after_authentication);
  if (!is_json) {
    return Error{is_json.error().code, *invocation.context_file + ": " + is_json.error().message};
  }
  return text;
}

/// A program of the host that scripts see at its place: compiled, or a script that is installed.
/// Anything else is a text, as a core would send it.
bool is_program(const std::string& file) {
  std::error_code error;
  const auto path = std::filesystem::canonical(file, error);
  if (error || !std::filesystem::is_regular_file(path, error)) return false;
  std::string beginning(4, '\0');
  std::ifstream(path, std::ios::binary).read(beginning.data(), std::ssize(beginning));
  if (beginning ==
      "\x7f"
      "ELF")
    return true;
  return path.string().starts_with("/usr/") && beginning.starts_with("#!") &&
         ::access(path.c_str(), X_OK) == 0;
}

/// The line that a core would have for a check of that program.
std::string line_of_program(const Invocation& invocation) {
  std::error_code error;
  const auto path = std::filesystem::absolute(invocation.script_file, error);
  std::string line = sandbox::shell_quote(path.string());
  for (const auto& argument : invocation.script_arguments) {
    line += " " + sandbox::shell_quote(argument);
  }
  return line;
}

Result<void> take_script(const Invocation& invocation, sandbox::RunRequest& request) {
  const auto& arguments = invocation.script_arguments;
  if (is_module(invocation)) {
    request.language = sandbox::Language::module;
    if (!arguments.empty()) {
      return Error{ErrorCode::invalid_input,
                   "a module takes no arguments; give it --context FILE instead"};
    }
  } else if (is_program(invocation.script_file)) {
    request.script = line_of_program(invocation);
    return {};
  } else if (!arguments.empty()) {
    request.arguments.push_back(invocation.script_file);
    request.arguments.insert(request.arguments.end(), arguments.begin(), arguments.end());
  }
  auto text = read_input(invocation.script_file, limits::script_size_max);
  if (!text) return text.error();
  request.script = *std::move(text);
  return {};
}

}  // namespace

Result<sandbox::ResolvedPolicy> chosen_policy(const Invocation& invocation) {
  if (!invocation.policy_file) {
    return sandbox::ResolvedPolicy{sandbox::shipped_default_policy(), false};
  }
  auto text = read_json_input(*invocation.policy_file, limits::policy_file_size_max);
  if (!text) return text.error();
  auto policy = sandbox::parse_policy(*text);
  if (!policy) {
    return Error{policy.error().code, *invocation.policy_file + ": " + policy.error().message};
  }
  return sandbox::ResolvedPolicy{*std::move(policy), false};
}

Result<sandbox::RunRequest> request_of(const Invocation& invocation, const Config& config) {
  auto context = chosen_context(invocation);
  if (!context) return context.error();
  sandbox::RunRequest request;
  request.id = RunId("exec");
  request.timeout = config.script_timeout_max;
  const auto taken = take_script(invocation, request);
  if (!taken) return taken.error();
  request.module.context_json = Secret(*std::move(context));
  const auto packages = is_module(invocation) ? packages_here(config) : std::nullopt;
  if (packages) request.module.packages = sandbox::PackageTree{packages->node_modules, nullptr};
  return request;
}

}  // namespace satellite::agent
