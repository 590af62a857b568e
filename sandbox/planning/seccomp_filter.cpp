// The program is a binary search over ranges of system call numbers. Its depth counts twice: for
// calls with checked arguments, and at installation, where the kernel (5.11 and later) tries every
// number once to find those that it may always let through without running the filter at all.
#include "sandbox/planning/seccomp_filter.hpp"

#include "sandbox/planning/seccomp_calls.hpp"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>
#include <span>
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
constexpr std::uint32_t set_id_bits = S_ISUID | S_ISGID;
// What makes open(2) look at its mode. O_TMPFILE holds O_DIRECTORY, too, which many calls have.
constexpr std::uint32_t creating_flags = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
constexpr std::uint32_t memory_file_huge_pages = 4;  // MFD_HUGETLB
constexpr std::uint32_t io_priority_who_user = 3;    // IOPRIO_WHO_USER, linux/ioprio.h
constexpr std::uint32_t init_of_the_run = 1;

enum class Leaf {
  allow,
  refuse,
  unknown,
  clone,
  socket,
  socket_pair,
  socket_option,
  ioctl,
  file_control,
  limits,
  personality,
  seccomp,
  schedule,
  priority,
  io_priority,
  schedule_itself,
  priority_itself,
  io_priority_itself,
  mode_second,
  mode_third,
  open,
  open_at,
  map_memory,
  memory_file,
  shared_memory,
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

/// Refuses an argument that has one of the bits.
Program refuse_bits(std::size_t index, std::uint32_t bits, int error) {
  return {load_argument(index), jump(BPF_JSET, bits, 0, 1), refuse_with(error), allow()};
}

/// Refuses an argument that is one of the values.
Program refuse_values(std::size_t index, std::initializer_list<std::uint32_t> values) {
  Program program{load_argument(index)};
  std::size_t left = values.size();
  for (const auto value : values) program.push_back(jump(BPF_JEQ, value, left--, 0));
  program.push_back(allow());
  program.push_back(refuse_with(EPERM));
  return program;
}

/// A source address that is not the run's own, for which IPv6 asks for no privilege, and stations
/// on the way: a packet filter sees the first of them as the destination.
Program socket_option_check() {
  const Program ip = refuse_values(2, {IP_FREEBIND, IP_TRANSPARENT, IP_OPTIONS});
  const Program ipv6 =
      refuse_values(2, {IPV6_FREEBIND, IPV6_TRANSPARENT, IPV6_RTHDR, IPV6_2292PKTOPTIONS});
  Program program{load_argument(1), jump(BPF_JEQ, IPPROTO_IP, 0, ip.size())};
  program.insert(program.end(), ip.begin(), ip.end());
  program.push_back(jump(BPF_JEQ, IPPROTO_IPV6, 0, ipv6.size()));
  program.insert(program.end(), ipv6.begin(), ipv6.end());
  program.push_back(allow());
  return program;
}

/// Refuses to schedule init. The kernel asks only for the same user, and init has the script's.
/// `whose` says what `who` counts; all processes of a user include init.
Program priority_check(std::uint32_t whose_user) {
  return {load_argument(0),   jump(BPF_JEQ, whose_user, 2, 0),
          load_argument(1),   jump(BPF_JEQ, init_of_the_run, 0, 1),
          refuse_with(EPERM), allow()};
}

/// Refuses every number but 0, which is the caller's own or his group's, and what is counted by
/// user.
Program own_priority_check(std::uint32_t whose_user) {
  return {load_argument(0),   jump(BPF_JEQ, whose_user, 2, 0),
          load_argument(1),   jump(BPF_JEQ, 0, 1, 0),
          refuse_with(EPERM), allow()};
}

/// The mode of a file that open(2) may make; without the flags for that it is not read.
Program open_check(std::size_t flags) {
  return {load_argument(flags),     jump(BPF_JSET, creating_flags, 0, 3),
          load_argument(flags + 1), jump(BPF_JSET, set_id_bits, 0, 1),
          refuse_with(EPERM),       allow()};
}

Program check_of(Leaf leaf) {
  switch (leaf) {
    case Leaf::clone:
      return refuse_bits(0, new_namespaces, EPERM);
    case Leaf::ioctl:
      // A line discipline would let a script choose among the kernel's drivers for modems.
      return refuse_values(1, {TIOCSTI, TIOCLINUX, TIOCSETD});
    case Leaf::file_control:
      // Without root the files of a shared root are the script's own: a lease on one of them would
      // hold up every other run that opens it.
      return refuse_values(1, {F_SETLEASE});
    case Leaf::limits:
      // Init has the script's user, which is all that the kernel asks of who changes its limits.
      return {load_argument(0),   jump(BPF_JEQ, 0, 4, 0), load_argument(2), jump(BPF_JEQ, 0, 0, 3),
              load_upper_half(2), jump(BPF_JEQ, 0, 0, 1), allow(),          refuse_with(EPERM)};
    case Leaf::socket_pair:
      return {load_argument(0), jump(BPF_JEQ, AF_UNIX, 0, 1), allow(), refuse_with(EAFNOSUPPORT)};
    case Leaf::socket_option:
      return socket_option_check();
    case Leaf::personality:
      return {load_argument(0), jump(BPF_JEQ, 0, 1, 0), jump(BPF_JEQ, personality_query, 0, 1),
              allow(), refuse_with(EPERM)};
    case Leaf::seccomp:
      return refuse_bits(1, seccomp_new_listener, EPERM);
    case Leaf::schedule:
      // Not every other process: runtimes name their own threads, and scripts their children.
      return refuse_values(0, {init_of_the_run});
    case Leaf::schedule_itself:
      return {load_argument(0), jump(BPF_JEQ, 0, 0, 1), allow(), refuse_with(EPERM)};
    case Leaf::priority_itself:
      return own_priority_check(PRIO_USER);
    case Leaf::io_priority_itself:
      return own_priority_check(io_priority_who_user);
    case Leaf::priority:
      return priority_check(PRIO_USER);
    case Leaf::io_priority:
      return priority_check(io_priority_who_user);
    case Leaf::mode_second:
      return refuse_bits(1, set_id_bits, EPERM);
    case Leaf::mode_third:
      return refuse_bits(2, set_id_bits, EPERM);
    case Leaf::open:
      return open_check(1);
    case Leaf::open_at:
      return open_check(2);
    case Leaf::map_memory:
      // As on a host that has set no such pages aside, which programs know how to go on without.
      return refuse_bits(3, MAP_HUGETLB, ENOMEM);
    case Leaf::memory_file:
      return refuse_bits(1, memory_file_huge_pages, EPERM);
    case Leaf::shared_memory:
      return refuse_bits(2, SHM_HUGETLB, EPERM);
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

/// Whatever sets the mode of a file. mkdir(2) is not among it: the kernel takes no such bit there.
void put_modes(Ranges& ranges) {
#if defined(__x86_64__)
  put(ranges, __NR_chmod, Leaf::mode_second);
  put(ranges, __NR_creat, Leaf::mode_second);
  put(ranges, __NR_mknod, Leaf::mode_second);
  put(ranges, __NR_open, Leaf::open);
#endif
  put(ranges, __NR_fchmod, Leaf::mode_second);
  put(ranges, __NR_fchmodat, Leaf::mode_third);
  put(ranges, call_fchmodat2, Leaf::mode_third);
  put(ranges, __NR_mknodat, Leaf::mode_third);
  put(ranges, __NR_openat, Leaf::open_at);
}

Ranges script_ranges(OtherProcesses others) {
  const bool is_alone = others == OtherProcesses::unseen;
  Ranges ranges{{0, Leaf::allow}, {first_unknown_call, Leaf::unknown}};
  for (const auto number : refused_calls) put(ranges, number, Leaf::refuse);
  for (const auto number : unknown_calls) put(ranges, number, Leaf::unknown);
  put(ranges, __NR_clone, Leaf::clone);
  put(ranges, __NR_socket, Leaf::socket);
  put(ranges, __NR_socketpair, Leaf::socket_pair);
  put(ranges, __NR_setsockopt, Leaf::socket_option);
  put(ranges, __NR_ioctl, Leaf::ioctl);
  put(ranges, __NR_fcntl, Leaf::file_control);
  put(ranges, __NR_prlimit64, Leaf::limits);
  put(ranges, __NR_personality, Leaf::personality);
  put(ranges, __NR_seccomp, Leaf::seccomp);
  for (const auto number : scheduling_calls) {
    put(ranges, number, is_alone ? Leaf::schedule : Leaf::schedule_itself);
  }
  put(ranges, __NR_setpriority, is_alone ? Leaf::priority : Leaf::priority_itself);
  put(ranges, __NR_ioprio_set, is_alone ? Leaf::io_priority : Leaf::io_priority_itself);
  put_modes(ranges);
  put(ranges, __NR_mmap, Leaf::map_memory);
  put(ranges, __NR_memfd_create, Leaf::memory_file);
  put(ranges, __NR_shmget, Leaf::shared_memory);
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

/// The beginning of every filter: kills a call of another architecture.
Program for_own_architecture() {
  return {load(offsetof(seccomp_data, arch)), jump(BPF_JEQ, own_architecture, 1, 0),
          answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
}

/// What is not in the list is EPERM. Not killed: a runtime may try calls that it can do without.
Program only(std::span<const std::uint32_t> calls) {
  Program program = for_own_architecture();
  std::size_t left = calls.size();
  for (const auto number : calls) program.push_back(jump(BPF_JEQ, number, left--, 0));
  program.push_back(answer(SECCOMP_RET_ERRNO | EPERM));
  program.push_back(allow());
  return program;
}

}  // namespace

std::vector<sock_filter> script_seccomp_filter(OtherProcesses others) {
  const Search search = merged(script_ranges(others));
  Program program = for_own_architecture();
  const Program decision = search_among(search.begin(), search.end());
  program.insert(program.end(), decision.begin(), decision.end());
  return program;
}

std::vector<sock_filter> init_seccomp_filter(KillsBy how) {
  std::vector<std::uint32_t> calls(std::begin(init_calls), std::end(init_calls));
  if (how == KillsBy::looking) {
    calls.insert(calls.end(), std::begin(looking_init_calls), std::end(looking_init_calls));
  }
  Program program = for_own_architecture();
  std::size_t left = calls.size();
  for (const auto number : calls) program.push_back(jump(BPF_JEQ, number, left--, 0));
  program.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  program.push_back(allow());
  return program;
}

std::vector<sock_filter> forwarder_seccomp_filter() {
  return only(forwarder_calls);
}

std::vector<sock_filter> state_copy_seccomp_filter() {
  return only(state_copy_calls);
}

}  // namespace satellite::sandbox
