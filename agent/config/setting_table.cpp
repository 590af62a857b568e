#include "agent/config/setting_table.hpp"

#include "agent/config/nearest_word.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace satellite::agent {
namespace {

// Metadata services outside the ranges that a policy blocks (169.254.0.0/16, fe80::/10, fc00::/7):
// Alibaba Cloud, Azure's platform address (the wire server, and its name server), Oracle Cloud's
// first generation. AWS over IPv6 lies within fc00::/7 and stands here for policies that switch
// that block off.
constexpr std::string_view other_metadata_addresses =
    "100.100.100.200,168.63.129.16,192.0.0.192,fd00:ec2::254";

// The token itself has no option and no key: a command line and a configuration file are read by
// more people than a secret may be.
constexpr std::array settings{
    Setting{
        "core", "CHECKSTACK_CORE_URL", "--core", SettingKind::url, "",
        "URL of the core: https://…, or http:// to loopback; up to 8 of one cluster, with commas"},
    Setting{"id", "CHECKSTACK_SATELLITE_CLIENT_ID", "--id", SettingKind::text, "",
            "client id of this satellite, from the core"},
    Setting{"token_file", "CHECKSTACK_SATELLITE_TOKEN_FILE", "--token-file", SettingKind::path, "",
            "file with the token; else CHECKSTACK_SATELLITE_TOKEN or $CREDENTIALS_DIRECTORY/token"},
    Setting{"tls.ca_file", "CHECKSTACK_SATELLITE_CA_FILE", "--ca-file", SettingKind::path, "",
            "PEM file with the authorities to trust instead of the system's"},
    Setting{"tls.ca_directory", "CHECKSTACK_SATELLITE_CA_DIRECTORY", "--ca-directory",
            SettingKind::path, "",
            "directory with authorities to trust, hashed by openssl rehash; beside tls.ca_file"},
    Setting{"tls.system_store", "CHECKSTACK_SATELLITE_SYSTEM_STORE", "--system-store",
            SettingKind::choice, "replaced",
            "the system's authorities once own ones are named: replaced, or added to them", 0, 0,
            "replaced|added"},
    Setting{"tls.pins", "CHECKSTACK_SATELLITE_PINS", "--pins", SettingKind::list, "",
            "the only keys that the core may have, sha256/BASE64 of each public key; name the next "
            "one before it is used"},
    Setting{"tls.certificate_file", "CHECKSTACK_SATELLITE_CERTIFICATE_FILE", "--certificate-file",
            SettingKind::path, "",
            "PEM file with the client certificate to show; default: "
            "$CREDENTIALS_DIRECTORY/client-certificate"},
    Setting{"tls.key_file", "CHECKSTACK_SATELLITE_KEY_FILE", "--key-file", SettingKind::path, "",
            "PEM file with its key, for nobody else to read; default: "
            "$CREDENTIALS_DIRECTORY/client-key"},
    Setting{"proxy.url", "CHECKSTACK_SATELLITE_PROXY", "--proxy", SettingKind::url, "",
            "HTTP proxy (CONNECT) on the way to the core, http://… or https://…; none = never one; "
            "default: $HTTPS_PROXY"},
    Setting{"proxy.bypass", "CHECKSTACK_SATELLITE_PROXY_BYPASS", "--proxy-bypass",
            SettingKind::list, "",
            "cores reached without it: names with all below them, addresses, blocks (10.0.0.0/8), "
            "each with a port if need be, or *; default: $NO_PROXY"},
    Setting{"proxy.credentials_file", "CHECKSTACK_SATELLITE_PROXY_CREDENTIALS_FILE",
            "--proxy-credentials-file", SettingKind::path, "",
            "file with USER:PASSWORD for it; default: $CREDENTIALS_DIRECTORY/proxy-credentials"},
    Setting{"proxy.ca_file", "CHECKSTACK_SATELLITE_PROXY_CA_FILE", "--proxy-ca-file",
            SettingKind::path, "",
            "PEM file with the authorities for an https:// proxy; default: as for the core"},
    Setting{"connection.resolver", "CHECKSTACK_SATELLITE_RESOLVER", "--resolver",
            SettingKind::choice, "builtin",
            "who looks up the core's name: builtin = hosts file and name servers, or getent = the "
            "host's program, which asks all that nsswitch.conf names",
            0, 0, "builtin|getent"},
    Setting{"connection.refresh", "CHECKSTACK_SATELLITE_REFRESH", "--refresh", SettingKind::seconds,
            "0", "seconds after which to connect anew for edits the core does not push; 0 = never",
            0, 86'400},
    Setting{"connection.route_probe", "CHECKSTACK_SATELLITE_ROUTE_PROBE", "--route-probe",
            SettingKind::seconds, "60", "seconds between questions whether the core knows the way",
            1, 3600},
    Setting{"connection.core_order", "CHECKSTACK_SATELLITE_CORE_ORDER", "--core-order",
            SettingKind::choice, "ordered",
            "which of several cores is tried first: ordered = the first named, or shuffled", 0, 0,
            "ordered|shuffled"},
    Setting{"connection.reconnect_spread", "CHECKSTACK_SATELLITE_RECONNECT_SPREAD",
            "--reconnect-spread", SettingKind::seconds, "5",
            "a core that was lost is tried again at a random moment within so many seconds", 0,
            3600},
    Setting{"connection.backoff_max", "CHECKSTACK_SATELLITE_BACKOFF_MAX", "--backoff-max",
            SettingKind::seconds, "30",
            "longest window of attempts; reconnect_spread if that is more", 1, 3600},
    Setting{"connection.silence_max", "CHECKSTACK_SATELLITE_SILENCE_MAX", "--silence-max",
            SettingKind::seconds, "45",
            "seconds without a byte of the core after which it is lost; it is asked three times", 3,
            600},
    Setting{"connection.deadline", "CHECKSTACK_SATELLITE_CONNECT_DEADLINE", "--connect-deadline",
            SettingKind::seconds, "30",
            "seconds from the look-up of its name to the core's answer to id and token", 1, 300},
    Setting{"offline.max_policy_age", "CHECKSTACK_SATELLITE_MAX_POLICY_AGE", "--max-policy-age",
            SettingKind::seconds, "0",
            "seconds without the core after which its policy does not hold any more; 0 = no limit",
            0, 31'536'000},
    Setting{"offline.cache", "CHECKSTACK_SATELLITE_OFFLINE_CACHE", "--offline-cache",
            SettingKind::toggle, "false",
            "keep policy and checks on disk, to go on after a restart without the core"},
    Setting{"sandbox.uid", "CHECKSTACK_SANDBOX_UID", "--sandbox-uid", SettingKind::identity,
            "65532", "user id scripts run as when the agent runs as root", 1, 4'294'967'294},
    Setting{"sandbox.gid", "CHECKSTACK_SANDBOX_GID", "--sandbox-gid", SettingKind::identity, "",
            "group id scripts run as; default: the same number as sandbox.uid", 1, 4'294'967'294},
    Setting{"sandbox.uid_range", "CHECKSTACK_SANDBOX_UID_RANGE", "--sandbox-uid-range",
            SettingKind::range, "",
            "BASE:COUNT: user ids of which each run gets one for itself under a root agent"},
    Setting{"sandbox.engines", "CHECKSTACK_SANDBOX_ENGINES", "--sandbox-engines", SettingKind::text,
            "native,bwrap,nsjail", "engines that may be used; of those that work, the first here"},
    Setting{
        "sandbox.prepared_runs", "CHECKSTACK_SATELLITE_PREPARED_RUNS", "--prepared-runs",
        SettingKind::count, "4",
        "sandboxes that may stand ready for the next scripts; 0 = each is made when it is needed",
        0, limits::prepared_runs_max},
    Setting{"sandbox.prepared_modules", "CHECKSTACK_SATELLITE_PREPARED_MODULES",
            "--prepared-modules", SettingKind::count, "2",
            "JavaScript runtimes that may stand started for the next scripts; 0 = none", 0,
            limits::prepared_runs_max},
    Setting{"sandbox.prepared_memory", "CHECKSTACK_SATELLITE_PREPARED_MEMORY", "--prepared-memory",
            SettingKind::count, "256",
            "MiB that sandboxes and runtimes that stand ready may take together; 0 = none stands",
            0, 1'048'576},
    Setting{"sandbox.module_runtime", "CHECKSTACK_SATELLITE_MODULE_RUNTIME", "--module-runtime",
            SettingKind::text, "auto",
            "what runs scripts in JavaScript: auto = bun, else node (18 or newer) from PATH; none; "
            "or the path of one"},
    Setting{"sandbox.scratch_directory", "CHECKSTACK_SATELLITE_SCRATCH_DIRECTORY",
            "--scratch-directory", SettingKind::path, "/tmp",
            "where each run's scratch directory is made"},
    Setting{"sandbox.macvlan_ip", "CHECKSTACK_SANDBOX_MACVLAN_IP", "", SettingKind::text, "",
            "IPv4 address reserved for scripts; with netmask and gateway: the macvlan uplink"},
    Setting{"sandbox.macvlan_netmask", "CHECKSTACK_SANDBOX_MACVLAN_NM", "", SettingKind::text, "",
            "netmask of sandbox.macvlan_ip, as 255.255.255.0"},
    Setting{"sandbox.macvlan_gateway", "CHECKSTACK_SANDBOX_MACVLAN_GW", "", SettingKind::text, "",
            "the router behind which everything else lies"},
    Setting{"sandbox.macvlan_interface", "CHECKSTACK_SANDBOX_MACVLAN_IFACE", "", SettingKind::text,
            "", "the host's interface; default: that of the IPv4 default route"},
    Setting{"sandbox.macvlan_ip6", "CHECKSTACK_SANDBOX_MACVLAN_IP6", "", SettingKind::text, "",
            "IPv6 address with its prefix length, as 2001:db8::5/64; without it runs have no IPv6"},
    Setting{"sandbox.macvlan_gateway6", "CHECKSTACK_SANDBOX_MACVLAN_GW6", "", SettingKind::text, "",
            "the router for IPv6; goes with sandbox.macvlan_ip6"},
    Setting{"dispatch.concurrency", "CHECKSTACK_SATELLITE_CONCURRENCY", "--concurrency",
            SettingKind::count, "8", "scripts that may run at the same time", 1,
            limits::concurrency_max},
    Setting{"dispatch.queue_length", "CHECKSTACK_SATELLITE_QUEUE_LENGTH", "--queue-length",
            SettingKind::count, "64", "accepted scripts that may wait for a free place", 0,
            limits::queue_length_max},
    Setting{"checks.concurrency", "CHECKSTACK_SATELLITE_CHECK_CONCURRENCY", "--check-concurrency",
            SettingKind::count, "8", "scripts of checks that may run at the same time", 1,
            limits::concurrency_max},
    Setting{"checks.deadline", "CHECKSTACK_SATELLITE_CHECK_DEADLINE", "--check-deadline",
            SettingKind::seconds, "900", "seconds after which a whole check is stopped", 1, 3600},
    Setting{"checks.first_run_within", "CHECKSTACK_SATELLITE_FIRST_RUN_WITHIN",
            "--first-run-within", SettingKind::seconds, "30",
            "seconds over which the first runs of new and changed checks are spread", 1, 3600},
    Setting{"checks.honour_shebang", "CHECKSTACK_SATELLITE_HONOUR_SHEBANG", "--honour-shebang",
            SettingKind::toggle, "false",
            "run a shell script by the interpreter that its first line (#!) asks for, not by sh"},
    Setting{"operator.health_checks", "CHECKSTACK_SATELLITE_HEALTH_CHECKS", "--health-checks",
            SettingKind::toggle, "true", "run health checks, assigned or dispatched"},
    Setting{"operator.automation", "CHECKSTACK_SATELLITE_AUTOMATION", "--automation",
            SettingKind::toggle, "true", "run automation scripts"},
    Setting{"operator.timeout_max", "CHECKSTACK_SATELLITE_TIMEOUT_MAX", "--timeout-max",
            SettingKind::seconds, "3600", "seconds no script may run longer than", 1, 3600},
    Setting{"operator.allow_root_scripts", "CHECKSTACK_SATELLITE_ALLOW_ROOT_SCRIPTS",
            "--allow-root-scripts", SettingKind::toggle, "false",
            "let a script be root on this host where its policy does not drop"},
    Setting{"operator.allow_unconfined", "CHECKSTACK_SATELLITE_ALLOW_UNCONFINED",
            "--allow-unconfined", SettingKind::choice, "auto",
            "follow a policy that switches the sandbox or its file system layer off: true, false, "
            "or auto = only where the satellite is not root",
            0, 0, "auto|true|false"},
    Setting{"operator.policy_ids", "CHECKSTACK_SATELLITE_POLICY_IDS", "--policy-ids",
            SettingKind::text, "",
            "user and group ids (1001,2000:16) that a policy may name beside sandbox.uid and "
            "sandbox.gid"},
    Setting{
        "operator.ceiling", "CHECKSTACK_SATELLITE_CEILING", "--ceiling", SettingKind::path, "",
        "policy file (JSON) that no policy from outside exceeds; what it leaves out it permits"},
    Setting{"operator.require_memory_limit", "CHECKSTACK_SATELLITE_REQUIRE_MEMORY_LIMIT",
            "--require-memory-limit", SettingKind::toggle, "false",
            "refuse a run whose memory nothing limits"},
    Setting{"operator.blocked_addresses", "CHECKSTACK_SATELLITE_BLOCKED_ADDRESSES",
            "--blocked-addresses", SettingKind::text, other_metadata_addresses,
            "addresses and blocks that no filtered run reaches, whatever its policy allows"},
    Setting{"host_view.paths", "CHECKSTACK_SATELLITE_HOST_VIEW_PATHS", "", SettingKind::list, "",
            "files and directories of this host that scripts see at their place, read-only"},
    Setting{"host_view.programs", "CHECKSTACK_SATELLITE_HOST_VIEW_PROGRAMS", "", SettingKind::list,
            "", "the same, with execution: directories of plugins outside of /usr"},
    Setting{"host_view.sockets", "CHECKSTACK_SATELLITE_HOST_VIEW_SOCKETS", "", SettingKind::list,
            "", "single unix sockets of services that scripts may talk to"},
    Setting{"host_view.loopback", "CHECKSTACK_SATELLITE_HOST_VIEW_LOOPBACK", "", SettingKind::list,
            "",
            "TCP ports (8080,postgresql) on this host's loopback that answer scripts there, too"},
    Setting{"host_view.disks", "CHECKSTACK_SATELLITE_HOST_VIEW_DISKS", "", SettingKind::toggle,
            "false", "show scripts sizes, type and device of local file systems, never content"},
    Setting{"host_view.processes", "CHECKSTACK_SATELLITE_HOST_VIEW_PROCESSES", "",
            SettingKind::toggle, "false",
            "show scripts the processes of this host, as any user sees them"},
    Setting{"host_view.system", "CHECKSTACK_SATELLITE_HOST_VIEW_SYSTEM", "", SettingKind::toggle,
            "false", "show scripts the host's /sys, read-only, without its dangerous parts"},
    Setting{"host_view.sessions", "CHECKSTACK_SATELLITE_HOST_VIEW_SESSIONS", "",
            SettingKind::toggle, "false", "show scripts who is logged in"},
    Setting{"host_view.state", "CHECKSTACK_SATELLITE_HOST_VIEW_STATE", "", SettingKind::text,
            "none", "what a check may keep between its runs (1MiB), or none"},
    Setting{"host_view.kinds", "CHECKSTACK_SATELLITE_HOST_VIEW_KINDS", "", SettingKind::list,
            "health-check", "which scripts see all this: health-check, automation, or both"},
    Setting{"state.directory", "CHECKSTACK_SATELLITE_STATE_DIRECTORY", "--state-dir",
            SettingKind::path, "/var/lib/checkstack-satellite",
            "what outlives the program; default: $STATE_DIRECTORY, else the one shown"},
    Setting{"state.ephemeral", "CHECKSTACK_SATELLITE_EPHEMERAL", "--ephemeral", SettingKind::toggle,
            "false", "keep nothing on disk: what waits for the core is lost at the end"},
    Setting{"delivery", "CHECKSTACK_SATELLITE_DELIVERY", "--delivery", SettingKind::choice,
            "at-least-once",
            "at-least-once: kept until the core has it; at-most-once: never sent a second time", 0,
            0, "at-least-once|at-most-once"},
    Setting{"outbox.size_max", "CHECKSTACK_SATELLITE_OUTBOX_SIZE", "--outbox-size",
            SettingKind::count, "256",
            "MiB of messages kept for a core that is away; the oldest go first", 1, 1'048'576},
    Setting{"outbox.count_max", "CHECKSTACK_SATELLITE_OUTBOX_COUNT", "--outbox-count",
            SettingKind::count, "200000", "messages kept for a core that is away", 16, 10'000'000},
    Setting{"outbox.age_max", "CHECKSTACK_SATELLITE_OUTBOX_AGE", "--outbox-age",
            SettingKind::seconds, "604800", "seconds that a message is kept", 60, 31'536'000},
    Setting{"outbox.free_space_min", "CHECKSTACK_SATELLITE_OUTBOX_FREE_SPACE",
            "--outbox-free-space", SettingKind::count, "256",
            "MiB that stay free on the disk of the state directory", 0, 1'048'576},
    Setting{"outbox.replay_rate", "CHECKSTACK_SATELLITE_REPLAY_RATE", "--replay-rate",
            SettingKind::count, "5000",
            "kept messages sent in a second after the core was away; 0 = as fast as it takes them",
            0, 1'000'000},
    Setting{
        "status.socket", "CHECKSTACK_SATELLITE_STATUS_SOCKET", "--status-socket", SettingKind::text,
        "",
        "path of the socket that `status` asks, or none; default: $RUNTIME_DIRECTORY/status.sock, "
        "else status.sock in the state directory"},
    Setting{"status.http", "CHECKSTACK_SATELLITE_STATUS_HTTP", "--status-http", SettingKind::text,
            "",
            "serve /metrics, /readyz, /livez and a page at a loopback address "
            "(127.0.0.1:9464) or a second path"},
    Setting{"stop.drain", "CHECKSTACK_SATELLITE_DRAIN", "--drain", SettingKind::seconds, "5",
            "seconds that scripts may still run after SIGTERM before they are ended", 0, 3600},
    Setting{"log.level", "CHECKSTACK_SATELLITE_LOG_LEVEL", "--log-level", SettingKind::level,
            "info", "debug, info, warn or error", 0, 0, "debug|info|warn|error"},
    Setting{"log.format", "CHECKSTACK_SATELLITE_LOG_FORMAT", "--log-format", SettingKind::choice,
            "text", "text, json or logfmt", 0, 0, "text|json|logfmt"},
    Setting{"log.loop_watch", "CHECKSTACK_SATELLITE_LOOP_WATCH", "", SettingKind::toggle, "false",
            "tell how long one piece of work keeps the event loop from all others"},
};
static_assert(limits::queue_length_default == 64);
static_assert(limits::backoff_max == std::chrono::seconds(30));
static_assert(limits::silence_max == std::chrono::seconds(45));
static_assert(limits::connect_deadline == std::chrono::seconds(30));

}  // namespace

std::span<const Setting> setting_table() {
  return settings;
}

const Setting* find_setting(std::string_view key) {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [key](const Setting& setting) { return setting.key == key; });
  return found == settings.end() ? nullptr : &*found;
}

std::string_view renamed_setting(std::string_view key) {
  for (const auto& [old, now] : {std::pair<std::string_view, std::string_view>{
                                     "dispatch.health_checks", "operator.health_checks"},
                                 {"dispatch.automation", "operator.automation"},
                                 {"dispatch.timeout_max", "operator.timeout_max"}}) {
    if (key == old) return now;
  }
  return {};
}

std::string_view nearest_setting(std::string_view mistyped) {
  std::vector<std::string_view> keys;
  keys.reserve(settings.size());
  for (const Setting& setting : settings) keys.push_back(setting.key);
  return nearest_word(mistyped, keys);
}

std::vector<std::string> choices_of(const Setting& setting) {
  if (setting.kind == SettingKind::toggle) return {"true", "false"};
  std::vector<std::string> choices;
  for (std::string_view rest = setting.choices; !rest.empty();) {
    const std::string_view one = rest.substr(0, rest.find('|'));
    choices.emplace_back(one);
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  return choices;
}

std::string value_word(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::list:
      return "LIST";
    case SettingKind::path:
      return "PATH";
    case SettingKind::url:
      return "URL";
    case SettingKind::count:
      return "NUMBER";
    case SettingKind::identity:
      return "ID";
    case SettingKind::range:
      return "BASE:COUNT";
    case SettingKind::seconds:
      return "SECONDS";
    case SettingKind::toggle:
      return "true|false";
    case SettingKind::choice:
    case SettingKind::level:
      return std::string(setting.choices);
    case SettingKind::text:
      break;
  }
  return "TEXT";
}

}  // namespace satellite::agent
