#include "agent/dispatch/run_log.hpp"

#include "sandbox/planning/observability.hpp"
#include "sandbox/report/outcome.hpp"

#include <string>

namespace satellite::agent {
namespace {

/// `script sandbox degraded: …; network: why; privilege: why`
std::string in_one_line(const sandbox::LogText& log) {
  std::string line = log.text;
  for (const auto& [layer, text] : log.fields) line += "; " + layer + ": " + text;
  return line;
}

}  // namespace

void log_run_end(Log& log, std::string_view run_id, const sandbox::RunResult& result) {
  // A refused run is a warning with its reason: nothing of it ran.
  const bool was_refused = result.outcome == sandbox::Outcome::refused;
  const std::string why = result.error.value_or("");
  const std::string report = sandbox::summary_line(result.sandbox);
  const auto log_at = sandbox::never_ran(result.outcome) ? &Log::warn : &Log::info;
  (log.*log_at)("script_finished", why,
                {{"run", run_id},
                 {"outcome", sandbox::name_of(result.outcome)},
                 {"exit", result.exit_code},
                 {"took", result.duration},
                 {"sandbox", report}});
  const auto degraded = sandbox::downgrade_warning(result.sandbox);
  if (degraded && !was_refused) {
    log.warn("sandbox_degraded", in_one_line(*degraded), {{"run", run_id}});
  }
  if (!log.writes(LogLevel::debug)) return;
  const auto notes = sandbox::run_notes(result.sandbox);
  if (notes) log.debug("sandbox_notes", in_one_line(*notes), {{"run", run_id}});
}

}  // namespace satellite::agent
