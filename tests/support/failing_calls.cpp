#include "tests/support/failing_calls.hpp"

#include <asm/unistd.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace satellite::tests {
namespace {

using Program = std::vector<sock_filter>;

sock_filter statement(std::uint32_t code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}

/// Goes on when the last value loaded is `k`, else leaves out the next `skipped` instructions.
sock_filter only_if(std::uint32_t k, std::uint8_t skipped) {
  return {static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K), 0, skipped, k};
}

sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

sock_filter fail_with(int error_number) {
  return statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number));
}

void install(Program program) {
  program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog installed{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &installed) != 0) {
    throw std::runtime_error("the kernel takes no system call filter");
  }
}

}  // namespace

void fail_calls(std::initializer_list<long> numbers, int error_number) {
  Program program{load(offsetof(seccomp_data, nr))};
  for (const long number : numbers) {
    program.push_back(only_if(static_cast<std::uint32_t>(number), 1));
    program.push_back(fail_with(error_number));
  }
  install(std::move(program));
}

void fail_calls_from(long number, int error_number) {
  const auto first = static_cast<std::uint32_t>(number);
  install({load(offsetof(seccomp_data, nr)),
           {BPF_JMP | BPF_JGE | BPF_K, 0, 1, first},
           fail_with(error_number)});
}

void fail_packet_filter_sockets(int error_number) {
  constexpr std::size_t family = offsetof(seccomp_data, args);
  constexpr std::size_t protocol = family + 2 * sizeof(std::uint64_t);
  install({load(offsetof(seccomp_data, nr)), only_if(__NR_socket, 5), load(family),
           only_if(AF_NETLINK, 3), load(protocol), only_if(NETLINK_NETFILTER, 1),
           fail_with(error_number)});
}

}  // namespace satellite::tests
