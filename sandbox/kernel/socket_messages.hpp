#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace satellite::sandbox::kernel {

/// Both ends of a message socket; each message arrives whole or not at all. Blocking, O_CLOEXEC.
Result<std::pair<UniqueFd, UniqueFd>> make_message_sockets();

/// From now on every message received here names its sender's pid, in our pid namespace.
Result<void> ask_for_sender(int socket);

constexpr std::size_t descriptors_per_message_max = 6;

/// Errors: unavailable (peer gone, or queue full on a socket that does not block), io_failed.
Result<void> send_message(int socket, std::span<const std::byte> bytes,
                          std::span<const int> descriptors = {});

struct ReceivedMessage {
  std::size_t size = 0;  ///< 0 = the peer closed
  bool truncated = false;
  bool lost_descriptors = false;  ///< only they were: there was no room for them here
  std::vector<UniqueFd> descriptors;
  std::optional<pid_t> sender;
};

/// One message into `buffer`, without waiting; nothing = none there yet.
Result<std::optional<ReceivedMessage>> receive_message(int socket, std::span<std::byte> buffer);

}  // namespace satellite::sandbox::kernel
