#include "agent/status/run_statistics.hpp"

namespace satellite::agent {
namespace {

std::string cut(std::string text) {
  if (text.size() <= RunStatistics::text_size_max) return text;
  text.resize(RunStatistics::text_size_max);
  // Not in the middle of a character of UTF-8.
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80U) {
    text.pop_back();
  }
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0U) text.pop_back();
  return text + "…";
}

}  // namespace

const char* name_of(RunOrigin origin) {
  return origin == RunOrigin::check ? "check" : "dispatched";
}

void RunStatistics::ended(RunOrigin origin, const std::string& id, const sandbox::RunResult& result,
                          std::optional<std::chrono::microseconds> setup) {
  ++outcomes_[{origin, result.outcome}];
  if (setup) {
    setup_times_.add(*setup);
    run_times_.add(result.duration);
    ++(result.was_prepared ? prepared_hits_ : prepared_misses_);
  }
  RunRecord record;
  record.origin = origin;
  record.id = cut(id);
  record.ended_at = std::chrono::system_clock::now();
  record.outcome = std::string(sandbox::name_of(result.outcome));
  record.exit_code = result.exit_code;
  record.duration = result.duration;
  record.setup = setup;
  record.was_prepared = result.was_prepared;
  record.sandbox = cut(sandbox::summary_line(result.sandbox));
  record.error = cut(result.error.value_or(""));
  recent_.push_front(std::move(record));
  if (recent_.size() > recent_max) recent_.pop_back();
}

}  // namespace satellite::agent
