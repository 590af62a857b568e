#include "agent/operation/collect_status.hpp"

#include "agent/config/config.hpp"
#include "agent/config/host_view_settings.hpp"
#include "agent/runtime/version.hpp"
#include "sandbox/host/readiness.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace satellite::agent {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using Seconds = std::chrono::seconds;

Seconds seconds_since(Clock::time_point then) {
  return duration_cast<Seconds>(Clock::now() - then);
}

std::string yes_or_no(bool value) {
  return value ? "true" : "false";
}

Status::Connection state_of(const StatusSources& sources) {
  if (sources.stopping) return Status::Connection::stopping;
  if (sources.connection.authenticated_at) return Status::Connection::connected;
  return sources.connection.next_attempt_at ? Status::Connection::waiting
                                            : Status::Connection::connecting;
}

void add_connection(const StatusSources& sources, Status& status) {
  const ConnectionRecord& record = sources.connection;
  auto& connection = status.connection;
  connection.state = state_of(sources);
  connection.core = sources.core;
  connection.client_id = sources.services.config.client_id;
  if (record.authenticated_at) {
    connection.since = seconds_since(*record.authenticated_at);
  } else if (record.disconnected_at) {
    connection.since = seconds_since(*record.disconnected_at);
  }
  connection.peer = record.peer;
  connection.tls_version = record.tls_version;
  connection.proxy = record.proxy;
  connection.last_reason = record.last_reason;
  if (!record.last_reason.empty()) {
    connection.last_reason_age =
        std::max(Seconds(0), duration_cast<Seconds>(status.now - record.last_reason_at));
  }
  if (record.next_attempt_at) {
    connection.next_attempt_in =
        std::max(std::chrono::milliseconds(0),
                 duration_cast<std::chrono::milliseconds>(*record.next_attempt_at - Clock::now()));
  }
  connection.attempts = record.attempts;
  connection.failures = record.failures;
  connection.authentications = record.authentications;
  connection.refusals = record.refusals;
  connection.bytes_sent = record.bytes_sent;
  connection.bytes_received = record.bytes_received;
}

void add_policy(const StatusSources& sources, Status& status) {
  const RelayedPolicy::State state = sources.policy.state();
  status.policy.is_valid = state.has_valid;
  if (state.accepted_at) status.policy.age = seconds_since(*state.accepted_at);
  status.policy.in_words = state.in_words;
  status.policy.problem = state.problem;
  status.policy.restrictions = state.restrictions;
}

void add_settings(const Config& config, Status& status) {
  const auto& word = config.operators_word;
  status.operators_word = {
      {"operator.health_checks", yes_or_no(config.allow_health_checks)},
      {"operator.automation", yes_or_no(config.allow_automation)},
      {"operator.timeout_max",
       std::to_string(duration_cast<Seconds>(config.script_timeout_max).count()) + " s"},
      {"operator.allow_root_scripts", yes_or_no(word.allow_root_scripts)},
      {"operator.allow_unconfined", yes_or_no(word.may_be_unconfined())},
      {"operator.ceiling", word.ceiling ? "set" : "none"},
      {"operator.require_memory_limit", yes_or_no(word.require_memory_limit)}};
  for (auto& [name, value] : granted_settings(config.host_view)) {
    status.operators_word.push_back({std::move(name), std::move(value)});
  }
  status.limits = {
      {"dispatch.concurrency", std::to_string(config.concurrency)},
      {"dispatch.queue_length", std::to_string(config.queue_length)},
      {"checks.concurrency", std::to_string(config.check_concurrency)},
      {"checks.deadline", std::to_string(config.check_deadline.count()) + " s"},
      {"outbox.count_max", std::to_string(config.outbox_count_max)},
      {"outbox.size_max", std::to_string(config.outbox_size_max.value >> 20U) + " MiB"},
      {"stop.drain", std::to_string(config.drain_max.count()) + " s"}};
}

void add_outbox(const StatusSources& sources, Status& status) {
  const Outbox& outbox = sources.services.outbox;
  const DeliveryQueue& queue = outbox.queue();
  status.outbox.messages = queue.size();
  status.outbox.bytes = queue.bytes();
  status.outbox.in_flight = queue.in_flight();
  status.outbox.dropped = outbox.dropped_messages();
  status.outbox.streams = outbox.runs();
  if (const auto oldest = queue.oldest_at()) {
    const auto now = duration_cast<Seconds>(status.now.time_since_epoch()).count();
    status.outbox.oldest_age = Seconds(std::max<std::int64_t>(0, now - *oldest));
  }
  status.outbox.directory = sources.state_directory;
  status.outbox.fault = std::string(name_of(sources.services.store.fault()));
  status.outbox.why = sources.services.store.why();
}

void add_degraded(const StatusSources& sources, Status& status) {
  const auto add = [&status](const char* name, std::string why) {
    status.degraded.push_back({name, std::move(why)});
  };
  if (status.connection.state != Status::Connection::connected) {
    const std::string& reason = status.connection.last_reason;
    add("not_connected", reason.empty() ? name_of(status.connection.state) : reason);
  }
  if (!sources.policy.was_received()) add("policy_missing", status.policy.in_words);
  if (!status.policy.problem.empty()) {
    add("policy_invalid", "the core sent a policy that is not valid: " + status.policy.problem);
  }
  for (const DegradedState& state : sources.degraded.all()) {
    add(state.name.c_str(), state.detail);
  }
  const StoreFault fault = sources.services.store.fault();
  const bool is_meant = fault == StoreFault::ephemeral;
  if (fault != StoreFault::none && fault != StoreFault::opening && !is_meant) {
    add("outbox", status.outbox.fault + ": " + status.outbox.why);
  }
  if (status.outbox.dropped > 0) {
    add("messages_dropped", std::to_string(status.outbox.dropped) + " messages were given up");
  }
  if (sources.runs_unkillable > 0) {
    add("run_unkillable", std::to_string(sources.runs_unkillable) +
                              " runs whose processes hang in the kernel hold their places");
  }
  if (status.host && !status.host->is_enforceable) add("sandbox", status.host->guidance);
}

void add_host(const StatusSources& sources, Status& status) {
  if (!sources.host_is_known) return;
  const Config& config = sources.services.config;
  const sandbox::HostFacts& facts = sources.services.runner.facts();
  const auto readiness = sandbox::assess_readiness(facts, config.sandbox_engines,
                                                   config.operators_word.may_be_unconfined());
  Status::Host host{readiness.enforceable, readiness.guidance, {}};
  std::copy_if(facts.findings.begin(), facts.findings.end(), std::back_inserter(host.findings),
               [&facts](const auto& finding) {
                 return !facts.egress_untried || !finding.name.starts_with("egress_");
               });
  status.host = std::move(host);
}

}  // namespace

Status collect_status(const StatusSources& sources) {
  Status status;
  status.version = program_version;
  status.process_id = ::getpid();
  status.now = std::chrono::system_clock::now();
  status.uptime = seconds_since(sources.process_started);
  add_connection(sources, status);
  add_policy(sources, status);
  add_settings(sources.services.config, status);
  add_outbox(sources, status);
  auto& runs = status.runs;
  runs.running = sources.dispatcher.running();
  runs.queued = sources.dispatcher.queued();
  runs.queue_length = sources.services.config.queue_length;
  runs.checks_running = sources.scheduler.running();
  runs.checks = sources.scheduler.checks();
  runs.checks_skipped = sources.scheduler.skipped();
  runs.statistics = sources.services.statistics;
  status.prepared.sandboxes = sources.services.runner.count_prepared();
  status.prepared.runtimes = sources.services.runner.count_standing();
  add_host(sources, status);
  add_degraded(sources, status);
  status.ready = status.connection.state == Status::Connection::connected &&
                 status.policy.is_valid && sources.host_is_known;
  return status;
}

StatusSample collect_sample(const StatusSources& sources) {
  StatusSample sample;
  sample.running =
      static_cast<std::uint32_t>(sources.dispatcher.running() + sources.scheduler.running());
  sample.queued = static_cast<std::uint32_t>(sources.dispatcher.queued());
  sample.outbox = sources.services.outbox.queue().size();
  return sample;
}

}  // namespace satellite::agent
