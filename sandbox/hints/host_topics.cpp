#include "sandbox/hints/host_topics.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace satellite::sandbox {
namespace {

using enum HostTopic;

constexpr auto known_programs = std::to_array<std::pair<std::string_view, HostTopic>>({
    {"df", disks},
    {"findmnt", disks},
    {"lsblk", disks},
    {"duf", disks},
    {"check_disk", disks},
    {"check_ifmountfs", disks},
    {"df_abs", disks},
    {"df_inode", disks},
    {"check_readonlyfs", disks},
    {"ps", processes},
    {"pgrep", processes},
    {"pidof", processes},
    {"top", processes},
    {"htop", processes},
    {"pstree", processes},
    {"lsof", processes},
    {"fuser", processes},
    {"check_procs", processes},
    {"check_nagios", processes},
    {"check_nbprocs", processes},
    {"who", sessions},
    {"w", sessions},
    {"users", sessions},
    {"last", sessions},
    {"lastlog", sessions},
    {"loginctl", sessions},
    {"check_users", sessions},
    {"ss", connections},
    {"netstat", connections},
    {"conntrack", connections},
    {"ip", connections},
    {"ifconfig", connections},
    {"ethtool", connections},
    {"check_network", connections},
    {"check_network_collisions", connections},
    {"check_network_dropped", connections},
    {"check_network_errors", connections},
    {"check_network_multicast", connections},
    {"check_tcpcount", connections},
    {"systemctl", services},
    {"service", services},
    {"rc-service", services},
    {"rc-status", services},
    {"initctl", services},
    {"busctl", services},
    {"journalctl", logs},
    {"dmesg", logs},
    {"check_log", logs},
    {"logtail", logs},
    {"logtail2", logs},
    {"dpkg", packages},
    {"dpkg-query", packages},
    {"apt", packages},
    {"apt-get", packages},
    {"apt-cache", packages},
    {"aptitude", packages},
    {"rpm", packages},
    {"dnf", packages},
    {"yum", packages},
    {"zypper", packages},
    {"apk", packages},
    {"pacman", packages},
    {"needrestart", packages},
    {"debsecan", packages},
    {"check_apt", packages},
    {"check_packages", packages},
    {"check_running_kernel", packages},
    {"sensors", hardware},
    {"check_sensors", hardware},
    {"check_lm_sensors", hardware},
    {"check_temperature", hardware},
    {"check_cpufreq", hardware},
    {"check_fc", hardware},
    {"lspci", hardware},
    {"smartctl", devices},
    {"hdparm", devices},
    {"mdadm", devices},
    {"ipmitool", devices},
    {"dmidecode", devices},
    {"check_ide_smart", devices},
    {"lvs", devices},
    {"vgs", devices},
    {"pvs", devices},
    {"zpool", devices},
    {"zfs", devices},
    {"nvidia-smi", devices},
    {"check_icmp", echo},
    {"fping", echo},
    {"check_fping", echo},
});

// Plugins of munin, whose names alone would say too little; one that ends with `_` has an interface
// or a port behind it.
constexpr std::string_view directory_of_munin = "/munin/plugins/";
constexpr auto munin_plugins = std::to_array<std::pair<std::string_view, HostTopic>>({
    {"processes", processes},
    {"threads", processes},
    {"proc", processes},
    {"proc_pri", processes},
    {"tcp", connections},
    {"fw_packets", connections},
    {"fw_conntrack", connections},
    {"fw_forwarded_local", connections},
    {"if_", connections},
    {"if_err_", connections},
    {"port_", connections},
    {"ip_", connections},
    {"bonding_err_", connections},
});

// The longest that matches wins.
constexpr auto known_paths = std::to_array<std::pair<std::string_view, HostTopic>>({
    {"/proc/mounts", disks},
    {"/proc/self/mounts", disks},
    {"/proc/self/mountinfo", disks},
    {"/etc/mtab", disks},
    {"/proc/[0-9]", processes},
    {"/proc/*", processes},
    {"/run/utmp", sessions},
    {"/var/run/utmp", sessions},
    {"/var/log/wtmp", sessions},
    {"/var/log/lastlog", sessions},
    {"/run/systemd/sessions", sessions},
    {"/proc/net/", connections},
    {"/proc/self/net/", connections},
    {"/run/systemd", services},
    {"/run/dbus", services},
    {"/var/run/dbus", services},
    {"/var/lib/dpkg", packages},
    {"/var/lib/apt", packages},
    {"/var/lib/rpm", packages},
    {"/var/log/", logs},
    {"/sys/class/", hardware},
    {"/sys/block", hardware},
    {"/sys/bus/", hardware},
    {"/sys/devices/", hardware},
    {"/sys/firmware", devices},
    {"/dev/sd", devices},
    {"/dev/nvme", devices},
    {"/dev/md", devices},
    {"/dev/ipmi", devices},
});

bool has_argument(const std::vector<std::string>& words, std::string_view wanted) {
  return std::find(words.begin() + 1, words.end(), wanted) != words.end();
}

/// An address of loopback with a port, or in a place where a port is meant.
bool names_loopback(std::string_view word) {
  for (const std::string_view host : {"127.0.0.1", "localhost", "[::1]"}) {
    const auto at = word.find(host);
    if (at == word.npos) continue;
    const auto before = word.substr(0, at);
    const bool begins =
        before.empty() || before.ends_with("//") || before.ends_with('@') || before.ends_with('=');
    const auto behind = word.substr(at + host.size());
    if (begins && (behind.empty() || behind[0] == ':' || behind[0] == '/')) return true;
  }
  return word == "::1";
}

constexpr std::array<std::string_view, 20> known_clients{
    "curl",       "wget",        "nc",          "ncat",      "telnet",
    "redis-cli",  "mysql",       "mysqladmin",  "psql",      "pg_isready",
    "mongo",      "mongosh",     "check_http",  "check_tcp", "check_curl",
    "check_smtp", "check_mysql", "check_pgsql", "check_ssh", "check_ntp_time"};

std::optional<HostMention> mention_of_munin_plugin(std::string_view name) {
  for (const auto& [known, topic] : munin_plugins) {
    const bool is_it = known.ends_with('_') ? name.starts_with(known) : name == known;
    if (is_it) return HostMention{topic, std::string(known)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<HostMention> mention_of_command(const std::vector<std::string>& words) {
  const std::string_view path = words.front();
  const auto name = path.substr(path.rfind('/') + 1);
  if (name == "lsof" && has_argument(words, "-i")) return HostMention{connections, "lsof"};
  if (name == "stat" && has_argument(words, "-f")) return HostMention{disks, "stat -f"};
  if (name == "mount" && words.size() == 1) return HostMention{disks, "mount"};
  if (name == "kill" && has_argument(words, "-0")) return HostMention{processes, "kill -0"};
  if (path.find(directory_of_munin) != path.npos) {
    if (auto mention = mention_of_munin_plugin(name)) return mention;
  }
  const auto client = std::find(known_clients.begin(), known_clients.end(), name);
  const bool asks_loopback = std::any_of(words.begin() + 1, words.end(), names_loopback);
  if (client != known_clients.end() && asks_loopback)
    return HostMention{loopback, std::string(*client)};
  const auto found = std::find_if(known_programs.begin(), known_programs.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  if (found == known_programs.end()) return std::nullopt;
  return HostMention{found->second, std::string(found->first)};
}

bool asks_by_user(const std::vector<std::string>& words) {
  const auto mention = mention_of_command(words);
  if (!mention || mention->topic != processes) return false;
  return std::any_of(words.begin() + 1, words.end(), [](std::string_view word) {
    constexpr std::array<std::string_view, 4> options{"-u", "-U", "--user", "--euid"};
    constexpr std::array<std::string_view, 4> columns{"user", "uid", "euser", "ruser"};
    const bool is_option = std::any_of(options.begin(), options.end(),
                                       [word](auto option) { return word.starts_with(option); });
    const auto column = word.substr(0, word.find_first_of("=,:"));
    return is_option || std::find(columns.begin(), columns.end(), column) != columns.end();
  });
}

std::optional<HostMention> mention_of_path(std::string_view path) {
  std::optional<HostMention> mention;
  for (const auto& [beginning, topic] : known_paths) {
    if (!path.starts_with(beginning)) continue;
    if (mention && mention->word.size() >= beginning.size()) continue;
    mention = HostMention{topic, std::string(beginning)};
  }
  return mention;
}

}  // namespace satellite::sandbox
