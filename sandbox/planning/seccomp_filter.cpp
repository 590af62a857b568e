// The program is a binary search over ranges of system call numbers. Its depth counts twice: for
// calls with checked arguments, and at installation, where the kernel (5.11 and later) tries every
// number once to find those that it may always let through without running the filter at all.
#include "sandbox/planning/seccomp_filter.hpp"

#include "sandbox/planning/seccomp_calls.hpp"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

namespace satellite::sandbox {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
#else
#error "the filter is written for x86_64 and aarch64"
#endif

// Numbers are the same on every architecture from 424 on; mseal(2), Linux 6.10, is the last known.
constexpr std::uint32_t first_unknown_call = 463;

constexpr std::uint32_t new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint32_t socket_type_mask = 0xf;  // the rest are SOCK_NONBLOCK and SOCK_CLOEXEC
constexpr std::uint32_t netlink_route = 0;
constexpr std::uint32_t protocol_icmp = 1, protocol_tcp = 6, protocol_udp = 17, protocol_icmp6 = 58;
constexpr std::uint32_t personality_query = 0xffff'ffff;
constexpr std::uint32_t seccomp_new_listener = 1U << 3U;

enum class Leaf {
  allow,
  refuse,
  unknown,
  clone,
  socket,
  socket_pair,
  socket_option,
  ioctl,
  limits,
  personality,
  seccomp
};

sock_filter statement(std::uint32_t code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}
sock_filter jump(std::uint32_t test, std::uint32_t k, std::size_t if_true, std::size_t if_false) {
  assert(if_true < 256 && if_false < 256);
  return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), static_cast<std::uint8_t>(if_true),
          static_cast<std::uint8_t>(if_false), k};
}
sock_filter answer(std::uint32_t action) {
  return statement(BPF_RET | BPF_K, action);
}
sock_filter refuse_with(int error) {
  return answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
}
sock_filter allow() {
  return answer(SECCOMP_RET_ALLOW);
}
sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
/// The lower half of an argument. The kernel itself looks at no more of those that we check: a
/// comparison of all 64 bits could be passed by setting a bit that nobody reads (CVE-2019-7303).
sock_filter load_argument(std::size_t index) {
  return load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

sock_filter load_upper_half(std::size_t index) {
  return load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t) + sizeof(std::uint32_t));
}

using Program = std::vector<sock_filter>;

/// Unix, internet and the routing table; no raw sockets, no family and no protocol whose only use
/// here would be to load a module.
Program socket_check() {
  constexpr std::size_t netlink = 5, no_family = 7, internet = 8, protocol = 13, let_through = 20;
  const auto test = [](std::size_t here, std::uint32_t k, std::size_t if_true,
                       std::size_t if_false) {
    return jump(BPF_JEQ, k, if_true - here - 1, if_false - here - 1);
  };
  return {
      load_argument(0),
      test(1, AF_UNIX, let_through, 2),
      test(2, AF_INET, internet, 3),
      test(3, AF_INET6, internet, 4),
      test(4, AF_NETLINK, netlink, no_family),
      load_argument(2),
      test(6, netlink_route, let_through, no_family),
      refuse_with(EAFNOSUPPORT),
      load_argument(1),
      statement(BPF_ALU | BPF_AND | BPF_K, socket_type_mask),
      test(10, SOCK_STREAM, protocol, 11),
      test(11, SOCK_DGRAM, protocol, 12),
      refuse_with(EPERM),
      load_argument(2),
      test(14, 0, let_through, 15),
      test(15, protocol_tcp, let_through, 16),
      test(16, protocol_udp, let_through, 17),
      test(17, protocol_icmp, let_through, 18),
      test(18, protocol_icmp6, let_through, 19),
      refuse_with(EPROTONOSUPPORT),
      allow(),
  };
}

Program check_of(Leaf leaf) {
  switch (leaf) {
    case Leaf::clone:
      return {load_argument(0), jump(BPF_JSET, new_namespaces, 0, 1), refuse_with(EPERM), allow()};
    case Leaf::ioctl:
      // A line discipline would let a script choose among the kernel's drivers for modems.
      return {load_argument(1),
              jump(BPF_JEQ, TIOCSTI, 2, 0),
              jump(BPF_JEQ, TIOCLINUX, 1, 0),
              jump(BPF_JEQ, TIOCSETD, 0, 1),
              refuse_with(EPERM),
              allow()};
    case Leaf::limits:
      // Init has the script's user, which is all that the kernel asks of who changes its limits.
      return {load_argument(0),   jump(BPF_JEQ, 0, 4, 0), load_argument(2), jump(BPF_JEQ, 0, 0, 3),
              load_upper_half(2), jump(BPF_JEQ, 0, 0, 1), allow(),          refuse_with(EPERM)};
    case Leaf::socket_pair:
      return {load_argument(0), jump(BPF_JEQ, AF_UNIX, 0, 1), allow(), refuse_with(EAFNOSUPPORT)};
    case Leaf::socket_option:
      // A source address that is not the run's own: for IPv6 the kernel asks for no privilege.
      return {load_argument(1),
              jump(BPF_JEQ, IPPROTO_IP, 2, 0),
              jump(BPF_JEQ, IPPROTO_IPV6, 4, 0),
              allow(),
              load_argument(2),
              jump(BPF_JEQ, IP_FREEBIND, 5, 0),
              jump(BPF_JEQ, IP_TRANSPARENT, 4, 3),
              load_argument(2),
              jump(BPF_JEQ, IPV6_FREEBIND, 2, 0),
              jump(BPF_JEQ, IPV6_TRANSPARENT, 1, 0),
              allow(),
              refuse_with(EPERM)};
    case Leaf::personality:
      return {load_argument(0), jump(BPF_JEQ, 0, 1, 0), jump(BPF_JEQ, personality_query, 0, 1),
              allow(), refuse_with(EPERM)};
    case Leaf::seccomp:
      return {load_argument(1), jump(BPF_JSET, seccomp_new_listener, 0, 1), refuse_with(EPERM),
              allow()};
    case Leaf::socket:
      return socket_check();
    case Leaf::allow:
    case Leaf::refuse:
    case Leaf::unknown:
      break;
  }
  return {};
}

/// Which leaf a number leads to, as ranges: each key begins one that ends before the next.
using Ranges = std::map<std::uint32_t, Leaf>;

void put(Ranges& ranges, std::uint32_t number, Leaf leaf) {
  const Leaf after = std::prev(ranges.upper_bound(number))->second;
  ranges.try_emplace(number + 1, after);
  ranges[number] = leaf;
}

Ranges script_ranges() {
  Ranges ranges{{0, Leaf::allow}, {first_unknown_call, Leaf::unknown}};
  for (const auto number : refused_calls) put(ranges, number, Leaf::refuse);
  for (const auto number : unknown_calls) put(ranges, number, Leaf::unknown);
  put(ranges, __NR_clone, Leaf::clone);
  put(ranges, __NR_socket, Leaf::socket);
  put(ranges, __NR_socketpair, Leaf::socket_pair);
  put(ranges, __NR_setsockopt, Leaf::socket_option);
  put(ranges, __NR_ioctl, Leaf::ioctl);
  put(ranges, __NR_prlimit64, Leaf::limits);
  put(ranges, __NR_personality, Leaf::personality);
  put(ranges, __NR_seccomp, Leaf::seccomp);
  return ranges;
}

Program leaf_program(Leaf leaf) {
  if (leaf == Leaf::allow) return {allow()};
  if (leaf == Leaf::refuse) return {refuse_with(EPERM)};
  if (leaf == Leaf::unknown) return {refuse_with(ENOSYS)};
  return check_of(leaf);
}

/// Neighbours that lead to the same leaf become one range.
std::vector<std::pair<std::uint32_t, Leaf>> merged(const Ranges& ranges) {
  std::vector<std::pair<std::uint32_t, Leaf>> all;
  for (const auto& range : ranges) {
    if (all.empty() || all.back().second != range.second) all.emplace_back(range);
  }
  return all;
}

using Search = std::vector<std::pair<std::uint32_t, Leaf>>;

Program search_among(Search::const_iterator first, Search::const_iterator last) {
  if (last - first == 1) return leaf_program(first->second);
  const auto middle = first + (last - first) / 2;
  const Program lower = search_among(first, middle);
  const Program upper = search_among(middle, last);
  Program program;
  // A test can jump over at most 255 instructions.
  if (lower.size() < 256) {
    program.push_back(jump(BPF_JGE, middle->first, lower.size(), 0));
  } else {
    program.push_back(jump(BPF_JGE, middle->first, 0, 1));
    program.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(lower.size())));
  }
  program.insert(program.end(), lower.begin(), lower.end());
  program.insert(program.end(), upper.begin(), upper.end());
  return program;
}

/// What every filter begins with: kills what was not made for this architecture.
Program for_own_architecture() {
  return {load(offsetof(seccomp_data, arch)), jump(BPF_JEQ, own_architecture, 1, 0),
          answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
}

}  // namespace

std::vector<sock_filter> script_seccomp_filter() {
  const Search search = merged(script_ranges());
  Program program = for_own_architecture();
  const Program decision = search_among(search.begin(), search.end());
  program.insert(program.end(), decision.begin(), decision.end());
  return program;
}

std::vector<sock_filter> init_seccomp_filter() {
  Program program = for_own_architecture();
  std::size_t left = std::size(init_calls);
  for (const auto number : init_calls) program.push_back(jump(BPF_JEQ, number, left--, 0));
  program.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  program.push_back(allow());
  return program;
}

}  // namespace satellite::sandbox
