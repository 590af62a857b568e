#pragma once

#include <cstdint>

// What the launcher says to the process that carries loopback ports. Included by a freestanding
// program: plain structs only.

namespace satellite::sandbox {

constexpr std::uint32_t forwarder_task_magic = 0x43534650;  // "CSFP"
constexpr std::uint32_t forwarder_ports_max = 16;
constexpr std::uint32_t forwarder_filter_max = 64;  // instructions

/// The one message through its socket. The descriptor of the run's network comes along, and that of
/// the user namespace which owns it, where there is one.
struct ForwarderTask {
  std::uint32_t magic = forwarder_task_magic;
  std::int32_t launcher = 0;                    ///< its pid: the parent
  std::uint32_t changes_identity = 0;           ///< under root
  std::uint32_t uid = 0, gid = 0, own_uid = 0;  ///< own_uid: of real and saved user; 0 = uid
  std::uint32_t port_count = 0, filter_length = 0;
  std::uint16_t ports[forwarder_ports_max] = {};
  std::uint64_t filter[forwarder_filter_max] = {};  ///< its system calls, as seccomp(2) takes them
};

/// The descriptor that the program starts with.
constexpr int forwarder_fd_socket = 0;

}  // namespace satellite::sandbox
