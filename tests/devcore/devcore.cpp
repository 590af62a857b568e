#include "tests/devcore/devcore.hpp"

#include "tests/devcore/codec/core_codec.hpp"
#include "tests/devcore/frame_text.hpp"
#include "tests/devcore/server.hpp"
#include "tests/devcore/stored_policy.hpp"

namespace satellite::devcore {
namespace {

Error late(const std::string& what, const Ledger& ledger) {
  const Counters seen = ledger.counters();
  std::string message = what +
                        " did not happen in time; seen: " + std::to_string(seen.connections) +
                        " connections, " + std::to_string(seen.authentications) +
                        " authentications, " + std::to_string(seen.frames) + " frames";
  for (const std::string& goodbye : ledger.goodbyes()) message += "; " + goodbye;
  for (const std::string& invalid : ledger.invalid_frames()) message += "; invalid: " + invalid;
  return {ErrorCode::timed_out, std::move(message)};
}

}  // namespace

DevCore::DevCore(std::unique_ptr<Server> server) : server_(std::move(server)) {}
DevCore::~DevCore() = default;

Result<std::unique_ptr<DevCore>> DevCore::start(Settings settings) {
  auto server = std::make_unique<Server>(settings);
  const Result<void> opened = server->open();
  if (!opened) return opened.error();
  server->begin();
  return std::unique_ptr<DevCore>(new DevCore(std::move(server)));
}

std::uint16_t DevCore::port() const {
  return server_->port();
}
const std::string& DevCore::ca_pem() const {
  return server_->ca_pem();
}
const Ledger& DevCore::ledger() const {
  return server_->state().ledger;
}

std::string DevCore::url() const {
  const Settings& settings = server_->state().settings;
  const bool is_v6 = settings.address.find(':') != std::string::npos;
  const std::string host = is_v6 ? '[' + settings.address + ']' : settings.address;
  return (settings.transport == Transport::tls ? "https://" : "http://") + host + ':' +
         std::to_string(port());
}

void DevCore::dispatch(protocol::RunScript run, const std::string& client_id) {
  std::vector<std::string> secrets;
  for (const auto& [name, secret] : run.secret_environment) secrets.emplace_back(secret.reveal());
  std::string text = encode_core_message(std::move(run));
  server_->post([text = std::move(text), secrets = std::move(secrets), client_id](Server& server) {
    for (const std::string& secret : secrets) server.state().transcript.hide(secret);
    server.send(text, client_id);
  });
}

void DevCore::push_text(const std::string& text, const std::string& client_id) {
  server_->post([text, client_id](Server& server) { server.send(text, client_id); });
}

void DevCore::cancel(const std::string& run_id, const std::string& reason) {
  push_text(encode_core_message(protocol::CancelScript{RunId(run_id), reason}));
}

void DevCore::query(const std::string& run_id) {
  push_text(encode_core_message(protocol::QueryScript{RunId(run_id)}));
}

void DevCore::shut_down_satellite(const std::string& reason) {
  push_text(encode_core_message(protocol::Shutdown{reason}));
}

Result<std::string> DevCore::change_policy(const std::string& partial_policy) {
  auto changed = change_stored_policy(server_->policy_store(), partial_policy);
  if (changed) push_policy(*changed);
  return changed;
}

void DevCore::push_policy(const std::string& policy) {
  server_->post([policy](Server& server) {
    server.state().policy = policy;
    server.send_to_all(policy_frame(policy));
  });
}

void DevCore::push_assignments(const std::string& assignments) {
  server_->post([assignments](Server& server) {
    server.state().assignments = assignments;
    server.send_to_all(config_updated_frame(server.state()));
  });
}

void DevCore::edit_assignments(const std::string& assignments) {
  server_->post([assignments](Server& server) { server.state().assignments = assignments; });
}

void DevCore::know_secrets(SecretReplies secrets) {
  server_->post([secrets = std::move(secrets)](Server& server) {
    for (const std::string& text : texts_to_hide(secrets)) server.state().transcript.hide(text);
    server.state().secrets = secrets;
  });
}

void DevCore::keep_packages(PackageShelf packages) {
  server_->post(
      [packages = std::move(packages)](Server& server) { server.state().packages = packages; });
}

void DevCore::push_packages(PackageShelf packages) {
  server_->post([packages = std::move(packages)](Server& server) {
    server.state().packages = packages;
    const auto& hash = packages.statement.lockfile_hash;
    server.send_to_all(hash ? encode_core_message(protocol::RefreshScriptPackages{*hash})
                            : config_updated_frame(server.state()));
  });
}

void DevCore::set_acknowledge(bool acknowledge) {
  server_->post([acknowledge](Server& server) {
    server.state().acknowledge = acknowledge;
    if (!acknowledge) return;
    for (const auto& connection : server.connections()) {
      if (connection->is_authenticated()) connection->acknowledge_all();
    }
  });
}

void DevCore::misbehave(Misbehaviour misbehaviour, const std::string& client_id) {
  server_->post([misbehaviour, client_id](Server& server) {
    Connection* connection = server.find(client_id);
    if (connection != nullptr) connection->misbehave(misbehaviour);
  });
}

void DevCore::plan(ConnectionPlan plan) {
  server_->post(
      [plan = std::move(plan)](Server& server) { server.state().settings.plans.push_back(plan); });
}

Result<void> DevCore::wait_until_authenticated(Timeout timeout, std::uint64_t count) const {
  const bool happened = ledger().wait(timeout, [count](const Ledger& seen) {
    return seen.counters_locked().authentications >= count;
  });
  if (!happened) return late("authentication " + std::to_string(count), ledger());
  return {};
}

Result<void> DevCore::wait_until_disconnected(Timeout timeout, std::uint64_t count) const {
  const bool happened = ledger().wait(timeout, [count](const Ledger& seen) {
    return seen.counters_locked().disconnections >= count;
  });
  if (!happened) return late("disconnection " + std::to_string(count), ledger());
  return {};
}

Result<void> DevCore::wait_until_stalled(Timeout timeout, std::uint64_t count) const {
  const bool happened = ledger().wait(
      timeout, [count](const Ledger& seen) { return seen.counters_locked().stalls >= count; });
  if (!happened) return late("stall " + std::to_string(count), ledger());
  return {};
}

Result<CollectedRun> DevCore::wait_for_run(
    const std::string& run_id, Timeout timeout, const char* what,
    const std::function<bool(const CollectedRun&)>& holds) const {
  const bool happened = ledger().wait(timeout, [&run_id, &holds](const Ledger& seen) {
    const CollectedRun* run = seen.run_locked(run_id);
    return run != nullptr && holds(*run);
  });
  if (!happened) return late(std::string(what) + " of run " + run_id, ledger());
  return ledger().run(run_id);
}

Result<CollectedRun> DevCore::wait_answered(const std::string& run_id, Timeout timeout) const {
  return wait_for_run(run_id, timeout, "the answer", [](const CollectedRun& run) {
    return run.accepted || run.rejected || !run.statuses.empty();
  });
}

Result<CollectedRun> DevCore::wait_started(const std::string& run_id, Timeout timeout) const {
  return wait_for_run(run_id, timeout, "the start",
                      [](const CollectedRun& run) { return run.started.has_value(); });
}

Result<CollectedRun> DevCore::wait_output(const std::string& run_id, std::uint64_t bytes,
                                          Timeout timeout) const {
  return wait_for_run(run_id, timeout, "the output",
                      [bytes](const CollectedRun& run) { return run.output_bytes >= bytes; });
}

Result<CollectedRun> DevCore::wait_finished(const std::string& run_id, Timeout timeout) const {
  return wait_for_run(run_id, timeout, "the end",
                      [](const CollectedRun& run) { return run.finished.has_value(); });
}

Result<std::string> DevCore::wait_for_frame(const std::string& type, Timeout timeout,
                                            std::size_t count) const {
  const bool happened = ledger().wait(timeout, [&type, count](const Ledger& seen) {
    return seen.frame_count_locked(type) >= count;
  });
  if (!happened) return late("frame " + std::to_string(count) + " of type " + type, ledger());
  return ledger().frames(type).at(count - 1);
}

}  // namespace satellite::devcore
