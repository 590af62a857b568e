#include "tests/support/test_network.hpp"

#include "tests/support/in_child.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace satellite::tests {
namespace {

constexpr std::uint16_t port = 7000, name_port = 53;
constexpr uid_t unprivileged = 65'532;

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("test network: ") + what);
}

void command(const std::string& text) {
  if (std::system(text.c_str()) != 0) throw std::runtime_error("failed: " + text);
}

UniqueFd own_network() {
  return UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
}

/// Listens on every address of the namespace, IPv4 and IPv6 alike.
UniqueFd socket_on_port(int type, std::uint16_t number) {
  UniqueFd fd(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
  must(bool{fd}, "socket");
  const int off = 0, on = 1;
  ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(number);
  must(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
  if (type == SOCK_STREAM) must(::listen(fd.get(), 64) == 0, "listen");
  return fd;
}

/// From the very address it was sent to: the control part that names it goes back as it came.
void answer_datagram(int fd) {
  char text[64];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))];
  sockaddr_storage from{};
  iovec part{text, sizeof(text)};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof(from);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(fd, &message, 0) < 0) return;
  if (cmsghdr* const head = CMSG_FIRSTHDR(&message); head != nullptr) {
    in6_pktinfo packet{};
    std::memcpy(&packet, CMSG_DATA(head), sizeof(packet));
    packet.ipi6_ifindex = 0;
    std::memcpy(CMSG_DATA(head), &packet, sizeof(packet));
  }
  std::memcpy(text, "hi\n", 3);
  part.iov_len = 3;
  static_cast<void>(::sendmsg(fd, &message, 0));
}

[[noreturn]] void serve(const UniqueFd& stream, const UniqueFd& datagram) {
  for (;;) {
    pollfd watched[] = {{stream.get(), POLLIN, 0}, {datagram.get(), POLLIN, 0}};
    ::poll(watched, 2, -1);
    if (watched[0].revents != 0) {
      const UniqueFd client(::accept4(stream.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client) static_cast<void>(::send(client.get(), "hi\n", 3, MSG_NOSIGNAL));
    }
    if (watched[1].revents != 0) {
      answer_datagram(datagram.get());
    }
  }
}

/// The sockets are bound when this returns; the child serves them.
pid_t start_server(std::uint16_t number) {
  const UniqueFd stream = socket_on_port(SOCK_STREAM, number);
  const UniqueFd datagram = socket_on_port(SOCK_DGRAM, number);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  serve(stream, datagram);
}

void end(pid_t pid) {
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

/// The machine's own device stays as it is: this one is only in our mount namespace.
void make_tun_device() {
  take_own_mounts();
  must(::mount("tmpfs", "/dev/net", "tmpfs", 0, nullptr) == 0, "mount /dev/net");
  must(::mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) == 0, "mknod");
  must(::chmod("/dev/net/tun", 0666) == 0, "chmod");
}

}  // namespace

TestNetwork::TestNetwork() : before_(own_network()) {
  must(::unshare(CLONE_NEWNET) == 0, "needs root");
  world_ = own_network();
  command("ip link set lo up");
  const UniqueFd world = own_network();
  must(::unshare(CLONE_NEWNET) == 0, "unshare");
  host_ = own_network();
  command("ip link set lo up");
  command("ip link add up0 type veth peer name world0 netns /proc/" + std::to_string(::getpid()) +
          "/fd/" + std::to_string(world_.get()));
  command(
      "ip addr add 198.51.100.10/24 dev up0 && ip addr add 2001:db8:1::10/64 dev up0 nodad && "
      "ip link set up0 up && ip route add default via 198.51.100.1 && "
      "ip route add default via 2001:db8:1::1 dev up0");
  host_server_ = start_server(port);
  host_name_server_ = start_server(name_port);
  must(::setns(world_.get(), CLONE_NEWNET) == 0, "setns");
  command(
      "for a in 198.51.100.1/24 198.51.100.2/24; do ip addr add $a dev world0; done; "
      "for a in 2001:db8:1::1/64 2001:db8:1::2/64; do ip addr add $a dev world0 nodad; done; "
      "for a in 203.0.113.7/32 169.254.169.254/32; do ip addr add $a dev lo; done; "
      "for a in 2001:db8:9::7/128 fd00:ec2::254/128; do ip addr add $a dev lo nodad; done; "
      "ip link set world0 up");
  world_server_ = start_server(port);
  must(::setns(host_.get(), CLONE_NEWNET) == 0, "setns");
}

TestNetwork::~TestNetwork() {
  end(world_server_);
  end(host_server_);
  end(host_name_server_);
  ::setns(before_.get(), CLONE_NEWNET);
}

void TestNetwork::in_world(const std::function<void()>& body) const {
  must(::setns(world_.get(), CLONE_NEWNET) == 0, "setns");
  body();
  must(::setns(host_.get(), CLONE_NEWNET) == 0, "setns");
}

sandbox::MacvlanSettings TestNetwork::macvlan(int number) const {
  const std::string last = std::to_string(number);
  return *sandbox::parse_macvlan_settings("up0", {"198.51.100." + last, "255.255.255.0", router},
                                          "2001:db8:1::" + last + "/64", router6);
}

std::string as_uid_65532(const std::function<std::string()>& body) {
  return in_child([&body] {
    make_tun_device();
    must(::setgroups(0, nullptr) == 0 &&
             ::setresgid(unprivileged, unprivileged, unprivileged) == 0 &&
             ::setresuid(unprivileged, unprivileged, unprivileged) == 0,
         "become unprivileged");
    ::prctl(PR_SET_DUMPABLE, 1);
    return body();
  });
}

std::string connecting_functions() {
  return R"sh(
say() { if [ "$2" = hi ]; then echo "$1 yes"; else echo "$1 no"; fi; }
ask_tcp='exec 3<>/dev/tcp/$0/7000 && head -c 2 <&3'
ask_udp='exec 3<>/dev/udp/$0/7000 && echo x >&3 && head -c 2 <&3'
tcp() { say "$1" "$(timeout "$3" bash -c "$ask_tcp" "$2" 2>/dev/null)"; }
udp() { say "$1" "$(timeout "$3" bash -c "$ask_udp" "$2" 2>/dev/null)"; }
)sh";
}

}  // namespace satellite::tests
