#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"
#include "tests/devcore/ledger.hpp"
#include "tests/devcore/settings.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace satellite::devcore {

/// A small real core: TLS WebSocket server for any number of satellites, on a thread of its own.
///
/// Shape:  every function may be called from any thread; those that wait are bounded by a timeout.
///         Where a client id may be given and is empty, the satellite that authenticated last is
///         meant. Destroying it cuts all connections, as a crashed core would.
/// Errors: timed_out names what did not happen and what did; not_found = no such satellite.
class DevCore {
 public:
  using Timeout = std::chrono::milliseconds;
  /// Nothing takes this long, but everything takes longer on a machine that others keep busy.
  static constexpr Timeout patience{120'000};

  static Result<std::unique_ptr<DevCore>> start(Settings settings);
  ~DevCore();
  DevCore(const DevCore&) = delete;
  DevCore& operator=(const DevCore&) = delete;

  std::uint16_t port() const;
  /// What a satellite's core URL setting takes: `https://127.0.0.1:40123`.
  std::string url() const;
  /// The authority to trust; empty when the certificate was given.
  const std::string& ca_pem() const;

  // What the core says.
  void dispatch(protocol::RunScript run, const std::string& client_id = {});
  void cancel(const std::string& run_id, const std::string& reason = {});
  void query(const std::string& run_id);
  void shut_down_satellite(const std::string& reason);
  /// Raw JSON or anything else: relayed now and to everybody who authenticates later.
  void push_policy(const std::string& policy);
  void push_assignments(const std::string& assignments);
  /// Told only to those who authenticate later: most edits are not pushed by the existing core.
  void edit_assignments(const std::string& assignments);
  void know_secrets(SecretReplies secrets);
  /// Its packages from now on; told to those who authenticate later.
  void keep_packages(PackageShelf packages);
  /// The same, and pushed to everybody: as a refresh if a hash is wanted, else with the set.
  void push_packages(PackageShelf packages);
  /// Lays a partial policy over the safe default, stores it, relays what was stored; returns that.
  /// Errors: invalid_input stores and relays nothing; unsupported without a policy store.
  Result<std::string> change_policy(const std::string& partial_policy);
  /// One raw frame, JSON or not.
  void push_text(const std::string& text, const std::string& client_id = {});

  // How it behaves.
  void set_acknowledge(bool acknowledge);  ///< turning it on acknowledges what came before
  void misbehave(Misbehaviour misbehaviour, const std::string& client_id = {});
  /// For the next connections, in order.
  void plan(ConnectionPlan plan);

  // What came of it.
  const Ledger& ledger() const;
  Result<void> wait_until_authenticated(Timeout timeout = patience, std::uint64_t count = 1) const;
  Result<void> wait_until_disconnected(Timeout timeout = patience, std::uint64_t count = 1) const;
  Result<void> wait_until_stalled(Timeout timeout = patience, std::uint64_t count = 1) const;
  Result<CollectedRun> wait_answered(const std::string& run_id, Timeout timeout = patience) const;
  Result<CollectedRun> wait_started(const std::string& run_id, Timeout timeout = patience) const;
  Result<CollectedRun> wait_output(const std::string& run_id, std::uint64_t bytes,
                                   Timeout timeout = patience) const;
  Result<CollectedRun> wait_finished(const std::string& run_id, Timeout timeout = patience) const;
  /// The text of the `count`-th frame of this type.
  Result<std::string> wait_for_frame(const std::string& type, Timeout timeout = patience,
                                     std::size_t count = 1) const;

 private:
  class Server;
  explicit DevCore(std::unique_ptr<Server> server);
  Result<CollectedRun> wait_for_run(const std::string& run_id, Timeout timeout, const char* what,
                                    const std::function<bool(const CollectedRun&)>& holds) const;

  std::unique_ptr<Server> server_;
};

}  // namespace satellite::devcore
