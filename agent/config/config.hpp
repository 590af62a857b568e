#pragma once

#include "agent/config/resolver.hpp"
#include "agent/runtime/log_level.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/secret.hpp"
#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/planning/operators_word.hpp"
#include "tls/settings.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Whether a message whose delivery is uncertain is sent once more or given up.
enum class Delivery { at_least_once, at_most_once };

/// Which of several cores is tried first.
enum class CoreOrder { ordered, shuffled };

/// Where the client certificate and its key are; read by ClientIdentity.
struct ClientFiles {
  std::string certificate, key;                  ///< both empty = none
  std::string certificate_setting, key_setting;  ///< the words for what names them
};

/// How the core is reached where a proxy stands before it; read by connection/proxy_choice.
struct ProxySettings {
  std::string url;                 ///< empty = none is set, `none` = never one
  std::string url_source;          ///< `environment HTTPS_PROXY`, `satellite.toml:7`
  std::string bypass;              ///< who is reached directly, between commas or blanks
  std::string bypass_source;       ///< `environment NO_PROXY`
  std::string credentials_file;    ///< empty = the proxy wants to know nobody
  std::string credentials_source;  ///< the words for what names that file
  std::string ca_file;             ///< whom to trust where TLS is spoken to the proxy itself
};

/// All settings as one value, checked. Made by load_config; every setting of the table comes from
/// here. What else of the environment is read: agent/README.md "Environment".
///
/// Units:  as the types say; counts are plain numbers.
/// Source: config/setting_table.cpp is the one definition: key, environment variable, option, help.
struct Config {
  std::string core_url;  ///< one, or several between commas: core_url.hpp
  CoreOrder core_order = CoreOrder::ordered;
  std::string client_id;
  Secret token;
  std::string token_file;    ///< as it was named; empty = not by a setting
  std::string ca_file;       ///< empty = the system's store
  std::string ca_directory;  ///< hashed; empty = none
  tls::SystemStore system_store = tls::SystemStore::replaced;
  std::vector<tls::Pin> pins;  ///< empty = any key that verification lets pass
  ClientFiles client_files;

  ProxySettings proxy;
  Resolver resolver = Resolver::builtin;
  std::chrono::seconds refresh_every{0};  ///< zero = never
  std::chrono::seconds registration_probe_every{0};
  std::chrono::seconds connect_deadline{0};  ///< DNS to the core's answer, absolute
  std::chrono::seconds silence_max{0};       ///< then the peer is dead
  std::chrono::seconds backoff_max{0};       ///< between attempts
  std::chrono::seconds reconnect_spread{0};  ///< over which a lost core is tried again first

  // What holds while no core is there.
  std::chrono::seconds policy_age_max{0};  ///< zero = for as long as the process lives
  bool offline_cache = false;              ///< policy and checks outlive the process

  std::uint32_t sandbox_uid = 0;  ///< what a run drops to when the policy names nobody
  std::uint32_t sandbox_gid = 0;
  std::optional<sandbox::IdentityRange> sandbox_uid_range;  ///< a user for each run instead
  std::vector<sandbox::Engine> sandbox_engines;             ///< that runs may use
  std::string scratch_directory;
  sandbox::ConfiguredMacvlan macvlan;  ///< the uplink of runs, or why there is none
  std::uint32_t prepared_runs = 0;     ///< sandboxes that may stand ready
  std::uint32_t prepared_modules = 0;  ///< runtimes that may stand started
  ByteCount prepared_memory;           ///< that both may take together
  std::string module_runtime;          ///< auto, none, or an absolute path

  std::uint32_t concurrency = 0;   ///< runs at a time
  std::uint32_t queue_length = 0;  ///< accepted runs that wait

  // What the operator lets the core ask for, whichever way the order comes.
  bool allow_health_checks = true;
  bool allow_automation = true;
  std::chrono::milliseconds script_timeout_max{0};
  sandbox::OperatorsWord operators_word;  ///< on policies
  sandbox::HostView host_view;            ///< what scripts see of this host

  std::uint32_t check_concurrency = 0;     ///< scripts of checks at a time
  std::chrono::seconds check_deadline{0};  ///< for a whole check, secrets and waiting included
  std::chrono::seconds check_first_run_within{0};  ///< what a set's first runs are spread over
  bool honour_shebang = false;                     ///< of every shell script, also dispatched ones

  // What is kept for the core, and where.
  std::string state_directory;
  bool ephemeral = false;  ///< nothing on disk
  Delivery delivery = Delivery::at_least_once;
  ByteCount outbox_size_max;
  std::size_t outbox_count_max = 0;
  std::chrono::seconds outbox_age_max{0};
  ByteCount outbox_free_space_min;
  std::uint32_t replay_rate = 0;  ///< messages in a second; zero = no limit

  std::string status_socket;  ///< path, `none`, or empty = below the state directory
  std::string status_http;    ///< path or loopback address; empty = off

  std::chrono::seconds drain_max{0};  ///< for runs that are under way when the agent stops

  LogLevel log_level = LogLevel::info;
  LogFormat log_format = LogFormat::text;
  bool loop_watch = false;
};

/// What this satellite announces to a core; `result-ack` only where results are kept.
std::span<const std::string_view> announced_by(const Config& config);

}  // namespace satellite::agent
