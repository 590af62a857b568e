#include "sandbox/kernel/socket_messages.hpp"

#include <sys/socket.h>
#include <array>
#include <cerrno>
#include <cstring>

namespace satellite::sandbox::kernel {
namespace {

constexpr std::size_t control_size =
    CMSG_SPACE(descriptors_per_message_max * sizeof(int)) + CMSG_SPACE(sizeof(ucred));

void take_control(msghdr& header, ReceivedMessage& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
        message.descriptors.emplace_back(fd);
      }
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof(sender));
      message.sender = sender.pid;
    }
  }
}

}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> make_message_sockets() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return error_from_errno("socketpair", errno);
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> ask_for_sender(int socket) {
  const int on = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return error_from_errno("SO_PASSCRED", errno);
  }
  return {};
}

Result<void> send_message(int socket, std::span<const std::byte> bytes,
                          std::span<const int> descriptors) {
  if (descriptors.size() > descriptors_per_message_max) {
    return Error{ErrorCode::internal, "too many descriptors in one message"};
  }
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, control_size> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  for (;;) {
    if (::sendmsg(socket, &header, MSG_NOSIGNAL) >= 0) return {};
    if (errno != EINTR) return error_from_errno("send to the other process", errno);
  }
}

Result<std::optional<ReceivedMessage>> receive_message(int socket, std::span<std::byte> buffer) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, control_size> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  // A peer that died with unread messages of ours resets the connection. The kernel says so once,
  // before it hands out what the peer had still sent.
  do {
    size = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return std::optional<ReceivedMessage>();
  }
  if (size < 0) return error_from_errno("receive from the other process", errno);
  ReceivedMessage message;
  message.size = static_cast<std::size_t>(size);
  message.truncated = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  message.lost_descriptors = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == MSG_CTRUNC;
  take_control(header, message);
  return std::optional<ReceivedMessage>(std::move(message));
}

}  // namespace satellite::sandbox::kernel
