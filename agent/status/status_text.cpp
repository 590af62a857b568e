#include "agent/runtime/duration_text.hpp"
#include "agent/runtime/log_line.hpp"
#include "agent/status/status.hpp"

namespace satellite::agent {
namespace {

// The longest name of a setting, and a gap.
constexpr std::size_t column_of_settings = 32;

/// StatusLines of `name  value`, the names in one column.
class StatusLines {
 public:
  void heading(const std::string& text) { out_ += "\n" + text + "\n"; }
  void line(const std::string& name, const std::string& value, std::size_t column = 18) {
    const std::size_t gap = name.size() < column ? column - name.size() : 1;
    out_ += "  " + name + std::string(gap, ' ') + escaped_for_terminal(value) + "\n";
  }
  void text(const std::string& value) { out_ += escaped_for_terminal(value) + "\n"; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string counted(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what;
}

std::string counted(std::uint64_t count, const char* one, const char* several) {
  return counted(count, count == 1 ? one : several);
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10'240) return counted(bytes, "byte", "bytes");
  if (bytes < (10U << 20U)) return counted(bytes >> 10U, "KiB");
  return counted(bytes >> 20U, "MiB");
}

void add_connection(StatusLines& lines, const decltype(Status::connection)& connection) {
  lines.heading("connection");
  std::string state = name_of(connection.state);
  if (connection.since.count() > 0) state += " for " + duration_text(connection.since);
  lines.line("state", state);
  lines.line("core", connection.core + " as " + connection.client_id);
  if (!connection.peer.empty()) {
    lines.line("peer", connection.peer +
                           (connection.tls_version.empty() ? "" : ", " + connection.tls_version));
  }
  if (!connection.proxy.empty()) lines.line("proxy", connection.proxy);
  if (!connection.last_reason.empty()) {
    lines.line(
        "last trouble",
        connection.last_reason + (connection.last_reason_age
                                      ? " (" + duration_text(*connection.last_reason_age) + " ago)"
                                      : ""));
  }
  if (connection.next_attempt_in) {
    lines.line("next attempt", "in " + duration_text(*connection.next_attempt_in));
  }
  lines.line("so far", counted(connection.attempts, "attempt, ", "attempts, ") +
                           counted(connection.authentications, "connection, ", "connections, ") +
                           counted(connection.refusals, "refusal", "refusals"));
}

void add_policy(StatusLines& lines, const Status& status) {
  lines.heading("policy");
  const auto& policy = status.policy;
  lines.line("in force", policy.in_words);
  if (policy.age) lines.line("age", duration_text(*policy.age));
  if (!policy.problem.empty()) lines.line("problem", policy.problem);
  for (const std::string& restriction : policy.restrictions) {
    lines.line("restricted", restriction);
  }
  lines.heading("operator");
  for (const Status::Limit& word : status.operators_word) {
    lines.line(word.name, word.value, column_of_settings);
  }
}

void add_runs(StatusLines& lines, const Status& status) {
  const auto& runs = status.runs;
  lines.heading("scripts");
  lines.line("dispatched", counted(runs.running, "running, ") + counted(runs.queued, "of ") +
                               counted(runs.queue_length, "queued"));
  lines.line("checks", counted(runs.checks, "assigned, ") +
                           counted(runs.checks_running, "running, ") +
                           counted(runs.checks_skipped, "skipped"));
  for (const auto& [which, count] : runs.statistics.outcomes()) {
    lines.line(
        std::string(name_of(which.first)) + " " + std::string(sandbox::name_of(which.second)),
        std::to_string(count));
  }
  for (const auto& [code, count] : runs.statistics.rejections()) {
    lines.line("rejected " + code, std::to_string(count));
  }
  lines.line("stand ready",
             counted(status.prepared.sandboxes, "sandbox, ", "sandboxes, ") +
                 counted(status.prepared.runtimes, "JavaScript runtime; used ",
                         "JavaScript runtimes; used ") +
                 counted(runs.statistics.prepared_hits(), "time, lacked ", "times, lacked ") +
                 counted(runs.statistics.prepared_misses(), "time", "times"));
  if (runs.statistics.recent().empty()) return;
  lines.heading("latest scripts");
  for (const RunRecord& run : runs.statistics.recent()) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(status.now - run.ended_at);
    std::string what = run.outcome;
    if (run.exit_code >= 0) what += " " + std::to_string(run.exit_code);
    what += " after " + duration_text(run.duration) + ", " + duration_text(age) +
            " ago: " + name_of(run.origin) + " " + run.id;
    lines.text("  " + what);
    if (!run.error.empty()) lines.text("    " + run.error);
    lines.text("    " + run.sandbox);
  }
}

void add_outbox(StatusLines& lines, const decltype(Status::outbox)& outbox) {
  lines.heading("what waits for the core");
  lines.line(
      "messages",
      std::to_string(outbox.messages) + ", " + bytes_text(outbox.bytes.value) +
          (outbox.oldest_age ? ", the oldest for " + duration_text(*outbox.oldest_age) : ""));
  lines.line("run streams", std::to_string(outbox.streams));
  lines.line("given up", std::to_string(outbox.dropped));
  lines.line("kept in", outbox.directory.empty() ? "memory" : outbox.directory);
  if (outbox.fault != "none") lines.line("disk", outbox.fault + ": " + outbox.why);
}

}  // namespace

const char* name_of(Status::Connection state) {
  switch (state) {
    case Status::Connection::connecting:
      return "connecting";
    case Status::Connection::connected:
      return "connected";
    case Status::Connection::waiting:
      return "waiting";
    case Status::Connection::stopping:
      return "stopping";
  }
  return "";
}

std::string status_text(const Status& status) {
  StatusLines lines;
  lines.text("checkstack-satellite " + status.version + ", process " +
             std::to_string(status.process_id) + ", up for " + duration_text(status.uptime) +
             (status.ready ? ": ready" : ": not ready"));
  if (!status.degraded.empty()) lines.heading("degraded");
  for (const auto& [name, why] : status.degraded) lines.line(name, why);
  add_connection(lines, status.connection);
  add_policy(lines, status);
  add_runs(lines, status);
  add_outbox(lines, status.outbox);
  lines.heading("limits");
  for (const Status::Limit& limit : status.limits) {
    lines.line(limit.name, limit.value, column_of_settings);
  }
  return lines.take();
}

}  // namespace satellite::agent
