#include "sandbox/probing/remedies.hpp"

#include "sandbox/kernel/proc_facts.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cstdlib>

namespace satellite::sandbox {
namespace {

std::string text_of(const char* path) {
  auto text = kernel::read_small_file(AT_FDCWD, path);
  return text ? *std::move(text) : std::string();
}

bool exists(const char* path) {
  return ::access(path, F_OK) == 0;
}

/// `ID="rhel"` or `ID=debian` in the manner of a shell.
std::string value_in(const std::string& text, const std::string& key) {
  const std::string lines = "\n" + text;
  auto at = lines.find("\n" + key + "=");
  if (at == std::string::npos) return {};
  at += key.size() + 2;
  std::string value = lines.substr(at, lines.find('\n', at) - at);
  if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
  return value;
}

}  // namespace

HostSigns read_host_signs() {
  HostSigns signs;
  const std::string release = text_of("/etc/os-release");
  signs.distribution = value_in(release, "ID");
  signs.version = value_in(release, "VERSION_ID");
  signs.container = exists("/.dockerenv") || exists("/run/.containerenv");
  signs.kubernetes =
      std::getenv("KUBERNETES_SERVICE_HOST") != nullptr || exists("/var/run/secrets/kubernetes.io");
  signs.systemd_runs = exists("/run/systemd/system");
  if (const auto status = kernel::parse_status(text_of("/proc/self/status"))) {
    signs.seccomp_filtered = status->seccomp_mode != 0;
  }
  signs.apparmor_restricts =
      text_of("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").starts_with('1');
  signs.user_namespaces_forbidden = text_of("/proc/sys/user/max_user_namespaces") == "0\n";
  signs.clone_forbidden = text_of("/proc/sys/kernel/unprivileged_userns_clone").starts_with('0');
  signs.cgroup_v1 = text_of("/proc/self/cgroup").find(":memory:") != std::string::npos;
  return signs;
}

}  // namespace satellite::sandbox
