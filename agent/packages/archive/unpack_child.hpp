#pragma once

#include <string_view>

namespace satellite::agent {

/// The name under which the program is started to unpack, and what it finds there.
inline constexpr const char* unpack_program_name = "csat-unpack";
inline constexpr int unpack_socket = 3;     ///< SOCK_SEQPACKET: orders in, answers out
inline constexpr int unpack_directory = 4;  ///< where it may write

// One message each way. `ready WALLS` comes first. An order is the name of a directory to make,
// with the archive's descriptor; its answer `done`, or `error CODE TEXT` with the number of an
// ErrorCode. A first `error` instead of `ready` means that the process could not be confined.
inline constexpr std::string_view unpack_ready = "ready ";
inline constexpr std::string_view unpack_done = "done";
inline constexpr std::string_view unpack_error = "error ";

/// The whole life of that process; its exit code. It unpacks package after package until its socket
/// is closed, and is confined before the first.
int run_unpack_child();

}  // namespace satellite::agent
