#include "tests/escape/open_room.hpp"

#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <functional>
#include <sstream>

namespace satellite::tests {
namespace {

// Nobody else's: what is in a room may signal whatever has its user.
constexpr uid_t room_user = 65'528;

[[noreturn]] void give_up(const char* what) {
  std::string text = std::string("room: ") + what + ": " + std::strerror(errno) + "\n";
  static_cast<void>(::write(2, text.data(), text.size()));
  ::_exit(97);
}

void become_unprivileged() {
  if (::geteuid() != 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(room_user, room_user, room_user) != 0 ||
      ::setresuid(room_user, room_user, room_user) != 0) {
    give_up("drop");
  }
  // Changing users made us closed to ourselves, and with us the maps of our user namespace.
  ::prctl(PR_SET_DUMPABLE, 1);
}

void write_line(const char* path, const std::string& line) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, line.data(), line.size()) < 0) give_up(path);
  ::close(fd);
}

void add_address(const char* label, const char* text) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, label);
  auto* const address = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
  address->sin_family = AF_INET;
  ::inet_pton(AF_INET, text, &address->sin_addr);
  if (::ioctl(fd, SIOCSIFADDR, &request) != 0) give_up(text);
  request.ifr_flags = IFF_UP;
  if (::ioctl(fd, SIOCSIFFLAGS, &request) != 0) give_up("up");
  ::close(fd);
}

void add_address6(const char* text) {
  const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  in6_ifreq request{};
  ::inet_pton(AF_INET6, text, &request.ifr6_addr);
  request.ifr6_prefixlen = 128;
  request.ifr6_ifindex = static_cast<int>(::if_nametoindex("lo"));
  if (::ioctl(fd, SIOCSIFADDR, &request) != 0) give_up(text);
  ::close(fd);
}

void furnish(const std::string& room) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) give_up("private");
  if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) give_up("proc");
  if (::mount("room", room.c_str(), "tmpfs", 0, "size=8m") != 0) give_up("tmpfs");
  if (::chdir(room.c_str()) != 0) give_up("chdir");
  add_address("lo", "127.0.0.1");
  add_address("lo:1", "192.0.2.1");
  add_address("lo:2", "169.254.169.254");
  add_address6("fd00:ec2::254");
}

[[noreturn]] void exec_probe(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::string nonce = "SATELLITE_ESCAPE_NONCE=" + probe_nonce();
  char* const environment[] = {nonce.data(), nullptr};
  ::execve(words[0].c_str(), arguments.data(), environment);
  give_up("exec");
}

/// In the parent of what has to end with it; then in the child.
void enter_child() {
  const pid_t child = ::fork();
  if (child < 0) give_up("fork");
  if (child > 0) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 96);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void enter_room(const std::string& room) {
  const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER) != 0) give_up("user namespace");
  write_line("/proc/self/setgroups", "deny");
  write_line("/proc/self/gid_map", "0 " + gid + " 1");
  write_line("/proc/self/uid_map", "0 " + uid + " 1");
  if (::unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                CLONE_NEWCGROUP) != 0) {
    give_up("namespaces");
  }
  enter_child();  // pid 1 of the room
  furnish(room);
  enter_child();  // what is not pid 1 can be killed and traced
}

Answer attempt_after(const std::function<void()>& prepare, const std::string& words) {
  std::vector<std::string> arguments{probe_path()};
  std::istringstream all(probe_introduction() + " " + words);
  for (std::string word; all >> word;) arguments.push_back(word);
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    become_unprivileged();
    prepare();
    exec_probe(arguments);
  }
  ::close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], part, sizeof(part))) > 0;) {
    text.append(part, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  Answer answer = answer_in(text);
  if (answer.said == "nothing") answer.detail = text;
  return answer;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what)) {
    text.replace(at, what.size(), by);
  }
  return text;
}

}  // namespace

Answer attempt_in_room(const std::string& words) {
  const TempDir directory;
  ::chmod(directory.path().c_str(), 0711);
  const std::string room = directory.path().string();
  return attempt_after([&] { enter_room(room); }, replaced(words, "{room}", room));
}

Answer attempt_plainly(const std::string& words) {
  const TempDir directory;
  ::chmod(directory.path().c_str(), 01777);
  return attempt_after(
      [&] {
        if (::chdir(directory.path().c_str()) != 0) give_up("chdir");
      },
      words);
}

}  // namespace satellite::tests
