#include "sandbox/running/run_hints.hpp"

#include "sandbox/hints/host_in_view.hpp"
#include "sandbox/planning/host_paths.hpp"

#include <algorithm>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

constexpr std::size_t beginning_size_max = 8U << 10U;

/// What `sh` is on this host, without its path.
std::string name_of_shell() {
  const auto path = this_host_paths().real_path("/bin/sh").value_or("");
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

void BeginningOfOutput::started(const EffectiveSandbox& report,
                                std::chrono::system_clock::time_point at) {
  next_.started(report, at);
}

asio::awaitable<void> BeginningOfOutput::output(OutputStream stream, std::string_view bytes) {
  std::string& kept = kept_[stream == OutputStream::standard_output ? 0 : 1];
  kept.append(bytes.substr(0, beginning_size_max - std::min(kept.size(), beginning_size_max)));
  auto handed_on = next_.output(stream, bytes);
  co_await std::move(handed_on);
}

std::vector<std::string> hints_of(const RunRequest& request, const Plan& plan,
                                  const EffectiveSandbox& measured, const std::string& output) {
  HintInputs inputs;
  inputs.script = request.script;
  inputs.is_module = request.language == Language::module;
  inputs.honours_first_line = !plan.command.empty() && plan.command.front() != "sh";
  const std::string shell = request.script.starts_with("#!") ? name_of_shell() : "";
  inputs.shell = shell;
  inputs.host = host_in_view(plan, measured.grants);
  inputs.output = output;
  return hints_for(inputs);
}

}  // namespace satellite::sandbox
