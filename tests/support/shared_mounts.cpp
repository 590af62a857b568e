#include "tests/support/shared_mounts.hpp"

#include "tests/support/in_child.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace satellite::tests {
namespace {

void must_share(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("shared mounts: ") + what);
}

void mount_memory(const char* where, const char* options) {
  must_share(::mount("tmpfs", where, "tmpfs", 0, options) == 0, where);
}

std::set<std::string> lines_of(const std::string& text) {
  std::set<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

}  // namespace

void share_own_mounts(TmpIs tmp, const std::string& program, MountsAre mounts) {
  take_own_mounts();
  mount_memory(shared_mounts_place, "mode=0755");
  const std::string inner = std::string(shared_mounts_place) + "/inner";
  must_share(::mkdir(inner.c_str(), 0755) == 0, "mkdir");
  mount_memory(inner.c_str(), nullptr);
  must_share(::close(::open(shown_program, O_CREAT | O_WRONLY | O_CLOEXEC, 0755)) == 0 &&
                 ::mount(program.c_str(), shown_program, nullptr, MS_BIND, nullptr) == 0,
             "show the program");
  mount_memory("/dev/net", nullptr);
  must_share(::mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) == 0, "mknod");
  must_share(::chmod("/dev/net/tun", 0666) == 0, "chmod");
  if (tmp == TmpIs::a_mount) mount_memory("/tmp", "mode=1777");
  if (mounts == MountsAre::not_shared) return;
  must_share(::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0, "share");
}

std::string mount_table() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string difference(const std::string& before, const std::string& after) {
  const auto old_lines = lines_of(before), new_lines = lines_of(after);
  std::string text;
  for (const auto& line : old_lines) {
    if (!new_lines.contains(line)) text += "gone: " + line + "\n";
  }
  for (const auto& line : new_lines) {
    if (!old_lines.contains(line)) text += "new: " + line + "\n";
  }
  return text.empty() ? "unchanged" : text;
}

}  // namespace satellite::tests
