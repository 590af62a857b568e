#include "tests/escape/probe/confinement.hpp"

#include "tests/escape/probe/verb.hpp"

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace satellite::escape {
namespace {

/// The inode of one of our namespaces, 0 when it cannot be read.
unsigned long own_namespace(const char* name) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
  char target[64] = {};
  if (::readlink(path, target, sizeof(target) - 1) < 0) return 0;
  const char* const bracket = std::strchr(target, '[');
  return bracket == nullptr ? 0 : std::strtoul(bracket + 1, nullptr, 10);
}

bool has_capabilities() {
  char status[8192];
  if (read_text("/proc/self/status", status, sizeof(status)) < 0) return true;
  for (const char* const name : {"CapEff:\t", "CapPrm:\t"}) {
    const char* const at = std::strstr(status, name);
    if (at == nullptr || std::strtoul(at + std::strlen(name), nullptr, 16) != 0) return true;
  }
  return false;
}

}  // namespace

bool is_victim(const char* process, const char* nonce) {
  char path[64], command[512] = {};
  std::snprintf(path, sizeof(path), "/proc/%s/cmdline", process);
  const long size = read_text(path, command, sizeof(command));
  // Its words end with NUL.
  for (long at = 0; at < size; at += static_cast<long>(std::strlen(command + at)) + 1) {
    if (std::strcmp(command + at, nonce) == 0) return true;
  }
  return false;
}

Situation situation_beside(const char* host) {
  unsigned long pid = 0, mount = 0, user = 0;
  if (std::sscanf(host, "%lu,%lu,%lu", &pid, &mount, &user) != 3) return {};
  const unsigned long own_pid = own_namespace("pid"), own_mount = own_namespace("mnt"),
                      own_user = own_namespace("user");
  if (pid == 0 || mount == 0 || user == 0 || own_pid == 0 || own_mount == 0 || own_user == 0) {
    return {};
  }
  Situation here;
  here.known = true;
  here.confined = own_pid != pid && own_mount != mount;
  here.privileged = own_user == user && (::geteuid() == 0 || has_capabilities());
  return here;
}

}  // namespace satellite::escape
