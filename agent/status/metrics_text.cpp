#include "agent/status/status.hpp"

#include <array>
#include <charconv>
#include <initializer_list>
#include <string_view>

namespace satellite::agent {
namespace {

enum class Type { counter, gauge };

struct Label {
  std::string_view name, value;
};
using Labels = std::initializer_list<Label>;

std::string number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

/// Families of series, each with its two lines of explanation in front.
class Exposition {
 public:
  void family(std::string_view name, Type type, std::string_view help) {
    begin(name, type == Type::counter ? "counter" : "gauge", help);
  }
  void sample(double value, Labels labels = {}) { write(name_, labels, number(value)); }
  void sample(std::uint64_t value, Labels labels = {}) {
    write(name_, labels, std::to_string(value));
  }
  void single(std::string_view name, Type type, std::string_view help, std::uint64_t value) {
    family(name, type, help);
    sample(value);
  }
  void histogram(std::string_view name, std::string_view help, const RunStatistics::Times& times) {
    begin(name, "histogram", help);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < times.bounds.size(); ++i) {
      below += times.counts[i];
      const std::string bound = number(times.bounds[i]);
      write(name_ + "_bucket", {{"le", bound}}, std::to_string(below));
    }
    write(name_ + "_bucket", {{"le", "+Inf"}}, std::to_string(times.count()));
    write(name_ + "_sum", {}, number(times.sum));
    write(name_ + "_count", {}, std::to_string(times.count()));
  }
  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = "checkstack_satellite_" + std::string(name);
    out_ += "# HELP " + name_ + " " + std::string(help) + "\n";
    out_ += "# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  void write(const std::string& name, Labels labels, const std::string& value) {
    out_ += name;
    char separator = '{';
    for (const Label& label : labels) {
      (out_ += separator) += label.name;
      out_ += "=\"";
      for (const char c : label.value) {
        if (c == '\\' || c == '"') out_ += '\\';
        out_ += c == '\n' ? std::string("\\n") : std::string(1, c);
      }
      out_ += '"';
      separator = ',';
    }
    if (labels.size() > 0) out_ += '}';
    out_ += " " + value + "\n";
  }

  std::string name_, out_;
};

void add_connection(Exposition& out, const Status& status) {
  const auto& connection = status.connection;
  out.single("connected", Type::gauge, "1 while the core has accepted this satellite.",
             connection.state == Status::Connection::connected ? 1 : 0);
  out.single("connection_attempts_total", Type::counter, "Attempts to connect.",
             connection.attempts);
  out.single("connection_failures_total", Type::counter,
             "Attempts that ended before the core accepted this satellite.", connection.failures);
  out.single("connections_total", Type::counter, "Connections that the core accepted.",
             connection.authentications);
  out.single("credential_refusals_total", Type::counter, "Refusals of id or token.",
             connection.refusals);
  out.single("sent_bytes_total", Type::counter, "Bytes of frames sent.", connection.bytes_sent);
  out.single("received_bytes_total", Type::counter, "Bytes of frames received.",
             connection.bytes_received);
}

void add_runs(Exposition& out, const Status& status) {
  const auto& runs = status.runs;
  const RunStatistics& statistics = runs.statistics;
  out.family("runs_total", Type::counter, "Scripts that ended, by who asked for them and how.");
  for (const auto& [which, count] : statistics.outcomes()) {
    out.sample(count,
               {{"kind", name_of(which.first)}, {"outcome", sandbox::name_of(which.second)}});
  }
  out.family("run_rejections_total", Type::counter, "Scripts that were turned away.");
  for (const auto& [code, count] : statistics.rejections()) out.sample(count, {{"code", code}});
  out.family("runs_running", Type::gauge, "Scripts and checks under way.");
  out.sample(runs.running, {{"kind", "dispatched"}});
  out.sample(runs.checks_running, {{"kind", "check"}});
  out.single("queue_runs", Type::gauge, "Accepted scripts that wait for a place.", runs.queued);
  out.single("queue_runs_max", Type::gauge, "Accepted scripts that may wait.", runs.queue_length);
  out.single("checks", Type::gauge, "Checks assigned, one for each environment.", runs.checks);
  out.single("checks_skipped_total", Type::counter,
             "Checks that were due and had no core to give their secrets.", runs.checks_skipped);
  out.histogram("run_setup_seconds", "From the request to the first instruction of a script.",
                statistics.setup_times());
  out.histogram("run_duration_seconds", "How long scripts ran.", statistics.run_times());
  out.single("prepared_sandboxes", Type::gauge, "Sandboxes that stand ready.",
             status.prepared.sandboxes);
  out.single("prepared_runtimes", Type::gauge, "JavaScript runtimes that stand ready.",
             status.prepared.runtimes);
  out.single("prepared_hits_total", Type::counter, "Scripts that found a sandbox ready.",
             statistics.prepared_hits());
  out.single("prepared_misses_total", Type::counter, "Scripts whose sandbox had to be made.",
             statistics.prepared_misses());
}

void add_outbox(Exposition& out, const decltype(Status::outbox)& outbox) {
  out.single("outbox_messages", Type::gauge, "Messages that wait for the core.", outbox.messages);
  out.single("outbox_bytes", Type::gauge, "Bytes of these.", outbox.bytes.value);
  out.family("outbox_oldest_age_seconds", Type::gauge, "Age of the oldest of these.");
  out.sample(
      static_cast<std::uint64_t>(outbox.oldest_age.value_or(std::chrono::seconds(0)).count()));
  out.single("outbox_in_flight_messages", Type::gauge, "Messages sent and not confirmed.",
             outbox.in_flight);
  out.single("outbox_dropped_total", Type::counter, "Messages given up.", outbox.dropped);
  out.single("run_streams", Type::gauge, "Runs whose messages the core has not all confirmed.",
             outbox.streams);
}

}  // namespace

std::string metrics_text(const Status& status) {
  Exposition out;
  out.family("info", Type::gauge, "The program, by its version.");
  out.sample(std::uint64_t{1}, {{"version", status.version}});
  out.family("start_time_seconds", Type::gauge, "When it started, in seconds since 1970.");
  const auto started = (status.now - status.uptime).time_since_epoch();
  out.sample(static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(started).count()));
  out.single("ready", Type::gauge, "1 while it is connected, has a valid policy and takes work.",
             status.ready ? 1 : 0);
  add_connection(out, status);
  if (status.policy.age) {
    out.single("policy_age_seconds", Type::gauge, "Since the core sent the policy in force.",
               static_cast<std::uint64_t>(status.policy.age->count()));
  }
  add_runs(out, status);
  add_outbox(out, status.outbox);
  out.family("degraded", Type::gauge, "1 for each state that something is wrong with.");
  for (const char* const name : degraded_names) {
    std::uint64_t is_there = 0;
    for (const auto& state : status.degraded) is_there |= state.name == name ? 1U : 0U;
    out.sample(is_there, {{"state", name}});
  }
  return out.take();
}

}  // namespace satellite::agent
