#include "tests/escape/host_targets.hpp"

#include "tests/support/script_bench.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstddef>
#include <cstring>

namespace satellite::tests {
namespace {

/// Keys beyond what ftok or people would choose, of this process alone.
int ipc_key() {
  return 0x5e000000 + static_cast<int>(::getpid() & 0xffffff);
}

UniqueFd listening(int family, const sockaddr* address, socklen_t size) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), 64) != 0) return {};
  return fd;
}

}  // namespace

HostTargets::HostTargets() {
  ::chmod(directory_.path().c_str(), 0755);
  const std::string outside = directory_.write("outside", "not for scripts\n");
  ::chmod(outside.c_str(), 0666);
  names_["outside"] = outside;
  names_["outside-directory"] = directory_.path().string();
  names_["harness"] = std::to_string(::getpid());
  listen_on_loopback();
  listen_on_unix_sockets();
  make_queues();
}

void HostTargets::listen_on_loopback() {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  four_ = listening(AF_INET, reinterpret_cast<const sockaddr*>(&four), sizeof(four));
  socklen_t size = sizeof(four);
  ::getsockname(four_.get(), reinterpret_cast<sockaddr*>(&four), &size);
  names_["port"] = std::to_string(ntohs(four.sin_port));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_loopback;
  six_ = listening(AF_INET6, reinterpret_cast<const sockaddr*>(&six), sizeof(six));
  size = sizeof(six);
  ::getsockname(six_.get(), reinterpret_cast<sockaddr*>(&six), &size);
  names_["port6"] = std::to_string(ntohs(six.sin6_port));
}

void HostTargets::listen_on_unix_sockets() {
  const std::string name = "satellite-escape-" + unique_marker();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path + 1, name.c_str());
  const auto head = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1);
  const auto length = static_cast<socklen_t>(name.size());
  abstract_ = listening(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), head + length);
  names_["abstract"] = name;
  const std::string path = (directory_.path() / "socket").string();
  address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  path_ = listening(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::chmod(path.c_str(), 0777);
  names_["socket"] = path;
}

void HostTargets::make_queues() {
  const int key = ipc_key();
  shared_memory_ = ::shmget(key, 4096, IPC_CREAT | 0666);
  semaphores_ = ::semget(key, 1, IPC_CREAT | 0666);
  messages_ = ::msgget(key, IPC_CREAT | 0666);
  names_["key"] = std::to_string(key);
  queue_ = "/satellite-escape-" + unique_marker();
  mq_attr small{};
  small.mq_maxmsg = 1;
  small.mq_msgsize = 8;
  const mqd_t queue = ::mq_open(queue_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666, &small);
  if (queue >= 0) {
    ::fchmod(queue, 0666);
    ::mq_close(queue);
  }
  names_["queue"] = queue_;
  shared_file_ = "/dev/shm/satellite-escape-" + unique_marker();
  const UniqueFd file(::open(shared_file_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
  ::fchmod(file.get(), 0666);
  names_["shared-file"] = shared_file_;
}

HostTargets::~HostTargets() {
  if (shared_memory_ >= 0) ::shmctl(shared_memory_, IPC_RMID, nullptr);
  if (semaphores_ >= 0) ::semctl(semaphores_, 0, IPC_RMID);
  if (messages_ >= 0) ::msgctl(messages_, IPC_RMID, nullptr);
  ::mq_unlink(queue_.c_str());
  ::unlink(shared_file_.c_str());
}

std::string HostTargets::filled_in(std::string words) const {
  for (const auto& [name, value] : names_) {
    const std::string mark = "{" + name + "}";
    for (auto at = words.find(mark); at != std::string::npos; at = words.find(mark)) {
      words.replace(at, mark.size(), value);
    }
  }
  return words;
}

}  // namespace satellite::tests
