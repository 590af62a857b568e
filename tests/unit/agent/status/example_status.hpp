#pragma once

#include "agent/status/status.hpp"

namespace satellite::tests {

/// A satellite to which a bit of everything has happened.
inline agent::Status example_status() {
  using namespace std::chrono_literals;
  agent::Status status;
  status.version = "1.2.3";
  status.process_id = 42;
  status.now = std::chrono::system_clock::time_point(1'800'000'000s);
  status.uptime = 3'725s;
  auto& connection = status.connection;
  connection.state = agent::Status::Connection::waiting;
  connection.core = "https://core.example.org";
  connection.client_id = "satellite-1";
  connection.since = 310s;
  connection.last_reason = "TCP: connection refused";
  connection.last_reason_age = 4s;
  connection.next_attempt_in = 7'500ms;
  connection.attempts = 9;
  connection.failures = 8;
  connection.authentications = 1;
  connection.bytes_sent = 123'456'789;
  status.policy.is_valid = true;
  status.policy.age = 400s;
  status.policy.in_words = "sandbox on, network allowlist, on unavailable fail";
  status.policy.restrictions = {"network: restricted by the operator: allow"};
  status.operators_word = {{"operator.automation", "false"}};
  status.limits = {{"dispatch.concurrency", "8"}};
  auto& runs = status.runs;
  runs.running = 2;
  runs.queued = 3;
  runs.queue_length = 64;
  runs.checks = 12;
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::exited;
  result.exit_code = 0;
  result.duration = 1'250ms;
  result.was_prepared = true;
  runs.statistics.ended(agent::RunOrigin::dispatched, "run-1", result, 12'500us);
  result.outcome = sandbox::Outcome::refused;
  result.exit_code = -1;
  result.error = "sandbox unavailable: network: no filter";
  runs.statistics.ended(agent::RunOrigin::check, "check-\"1\"\n\\", result, std::nullopt);
  runs.statistics.rejected("queue_full");
  status.outbox.messages = 17;
  status.outbox.bytes = ByteCount{20'480};
  status.outbox.oldest_age = 305s;
  status.outbox.directory = "/var/lib/checkstack-satellite";
  status.outbox.fault = "disk_full";
  status.outbox.why = "less than 256 MiB are free";
  status.prepared.sandboxes = 4;
  status.degraded = {{"not_connected", "TCP: connection refused"},
                     {"outbox", "disk_full: less than 256 MiB are free"}};
  status.history = {{1, 2, 3}, {4, 5, 6}};
  status.history_every = 30s;
  return status;
}

}  // namespace satellite::tests
