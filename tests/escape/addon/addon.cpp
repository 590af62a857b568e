// A shared object that a JavaScript runtime loads as a native add-on. Loading it is enough: it
// tries some ways out, one line each. It tries nothing unless it was told the host's pid namespace
// and is in another one.
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void say(const char* what, long result) {
  char line[64];
  const int size =
      std::snprintf(line, sizeof(line), "%s %s\n", what, result < 0 ? "refused" : "ok");
  if (::write(1, line, static_cast<std::size_t>(size)) < 0) return;
}

/// The script writes the host's number down before it loads this: no variable that comes with a
/// task reaches getenv under bun.
bool is_in_a_sandbox() {
  char host[32] = {};
  const int file = ::open("pid-namespace-of-host", O_RDONLY | O_CLOEXEC);
  const bool is_told = file >= 0 && ::read(file, host, sizeof(host) - 1) > 0;
  if (file >= 0) ::close(file);
  struct stat own {};
  return is_told && ::stat("/proc/self/ns/pid", &own) == 0 && std::to_string(own.st_ino) != host;
}

[[gnu::constructor]] void attempt() {
  if (!is_in_a_sandbox()) return;
  say("control", ::open("addon-was-here", O_WRONLY | O_CREAT, 0600));
  say("shadow", ::open("/etc/shadow", O_RDONLY));
  say("usr", ::open("/usr/addon", O_WRONLY | O_CREAT, 0600));
  say("passwd", ::open("/etc/passwd", O_WRONLY));
  say("unshare", ::unshare(CLONE_NEWUSER));
  say("mount", ::mount("none", "/tmp", "tmpfs", 0, nullptr));
  say("ptrace", ::ptrace(PTRACE_ATTACH, 1, nullptr, nullptr));
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  say("bpf", ::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes)));
  say("userfaultfd", ::syscall(SYS_userfaultfd, 0));
  say("its-own-package", ::open("/node_modules/escape/package.json", O_WRONLY));
  say("init-memory", ::open("/proc/1/mem", O_RDWR));
}

}  // namespace
