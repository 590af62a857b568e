#include "agent/status/status.hpp"
#include "protocol/timestamp.hpp"

#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

using nlohmann::json;

template <typename Duration>
json seconds_or_null(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  return std::chrono::duration<double>(*duration).count();
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json to_json(const decltype(Status::connection)& connection) {
  return {{"state", name_of(connection.state)},
          {"core", connection.core},
          {"clientId", connection.client_id},
          {"sinceSeconds", connection.since.count()},
          {"peer", text_or_null(connection.peer)},
          {"proxy", text_or_null(connection.proxy)},
          {"tls", text_or_null(connection.tls_version)},
          {"lastReason", text_or_null(connection.last_reason)},
          {"lastReasonAgeSeconds", seconds_or_null(connection.last_reason_age)},
          {"nextAttemptInSeconds", seconds_or_null(connection.next_attempt_in)},
          {"attempts", connection.attempts},
          {"failures", connection.failures},
          {"authentications", connection.authentications},
          {"refusals", connection.refusals},
          {"bytesSent", connection.bytes_sent},
          {"bytesReceived", connection.bytes_received}};
}

json to_json(const RunRecord& run) {
  return {{"kind", name_of(run.origin)},
          {"id", run.id},
          {"endedAt", protocol::format_timestamp(run.ended_at)},
          {"outcome", run.outcome},
          {"exitCode", run.exit_code},
          {"durationSeconds", std::chrono::duration<double>(run.duration).count()},
          {"setupSeconds", seconds_or_null(run.setup)},
          {"prepared", run.was_prepared},
          {"sandbox", run.sandbox},
          {"error", text_or_null(run.error)}};
}

json to_json(const decltype(Status::runs)& runs) {
  json outcomes = json::object(), rejections = json::object(), recent = json::array();
  for (const auto& [which, count] : runs.statistics.outcomes()) {
    outcomes[name_of(which.first)][std::string(sandbox::name_of(which.second))] = count;
  }
  for (const auto& [code, count] : runs.statistics.rejections()) rejections[code] = count;
  for (const RunRecord& run : runs.statistics.recent()) recent.push_back(to_json(run));
  return {{"running", runs.running},
          {"queued", runs.queued},
          {"queueLength", runs.queue_length},
          {"checksRunning", runs.checks_running},
          {"checks", runs.checks},
          {"checksSkipped", runs.checks_skipped},
          {"ended", std::move(outcomes)},
          {"rejected", std::move(rejections)},
          {"recent", std::move(recent)}};
}

json to_json(const decltype(Status::outbox)& outbox) {
  return {{"messages", outbox.messages},
          {"bytes", outbox.bytes.value},
          {"inFlight", outbox.in_flight},
          {"dropped", outbox.dropped},
          {"runStreams", outbox.streams},
          {"oldestAgeSeconds", seconds_or_null(outbox.oldest_age)},
          {"directory", text_or_null(outbox.directory)},
          {"disk", outbox.fault},
          {"diskReason", text_or_null(outbox.why)}};
}

json to_json(const std::vector<Status::Limit>& limits) {
  json object = json::object();
  for (const Status::Limit& limit : limits) object[limit.name] = limit.value;
  return object;
}

json to_json(const std::optional<Status::Host>& host) {
  if (!host) return nullptr;
  json capabilities = json::array();
  for (const auto& finding : host->findings) {
    capabilities.push_back({{"name", finding.name},
                            {"present", finding.present},
                            {"detail", finding.detail},
                            {"remedy", finding.remedy}});
  }
  return {{"enforceable", host->is_enforceable},
          {"guidance", host->guidance},
          {"capabilities", std::move(capabilities)}};
}

json history_json(const Status& status) {
  json running = json::array(), queued = json::array(), outbox = json::array();
  for (const StatusSample& sample : status.history) {
    running.push_back(sample.running);
    queued.push_back(sample.queued);
    outbox.push_back(sample.outbox);
  }
  return {{"everySeconds", status.history_every.count()},
          {"running", std::move(running)},
          {"queued", std::move(queued)},
          {"outbox", std::move(outbox)}};
}

}  // namespace

std::string status_json(const Status& status) {
  json degraded = json::array();
  for (const auto& [name, why] : status.degraded)
    degraded.push_back({{"name", name}, {"why", why}});
  const json whole{{"version", status.version},
                   {"processId", status.process_id},
                   {"now", protocol::format_timestamp(status.now)},
                   {"uptimeSeconds", status.uptime.count()},
                   {"ready", status.ready},
                   {"connection", to_json(status.connection)},
                   {"policy",
                    {{"valid", status.policy.is_valid},
                     {"ageSeconds", seconds_or_null(status.policy.age)},
                     {"inForce", status.policy.in_words},
                     {"problem", text_or_null(status.policy.problem)},
                     {"restrictions", status.policy.restrictions}}},
                   {"operator", to_json(status.operators_word)},
                   {"limits", to_json(status.limits)},
                   {"runs", to_json(status.runs)},
                   {"outbox", to_json(status.outbox)},
                   {"prepared",
                    {{"sandboxes", status.prepared.sandboxes},
                     {"runtimes", status.prepared.runtimes},
                     {"hits", status.runs.statistics.prepared_hits()},
                     {"misses", status.runs.statistics.prepared_misses()}}},
                   {"host", to_json(status.host)},
                   {"degraded", std::move(degraded)},
                   {"history", history_json(status)}};
  // Words of peers and kernels may be no UTF-8.
  return whole.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace satellite::agent
