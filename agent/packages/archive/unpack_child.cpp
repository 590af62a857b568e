#include "agent/packages/archive/unpack_child.hpp"

#include "agent/packages/archive/confinement.hpp"
#include "agent/packages/archive/unpack_archive.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "tls/digest.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

namespace satellite::agent {
namespace {

constexpr std::size_t message_max = 256;

struct UnpackOrder {
  std::string name;
  UniqueFd archive;
};

/// Nothing at the end of all orders.
bool receive_order(UnpackOrder& order) {
  std::array<char, message_max> text{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(unpack_socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  order.name.assign(text.data(), static_cast<std::size_t>(got));
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
  int archive = -1;
  std::memcpy(&archive, CMSG_DATA(header), sizeof(archive));
  order.archive.reset(archive);
  return true;
}

bool answer(const std::string& text) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return ::sendmsg(unpack_socket, &message, MSG_NOSIGNAL) >= 0;
}

std::string answer_of(const Error& error) {
  const std::string text = std::string(unpack_error) +
                           std::to_string(static_cast<int>(error.code)) + ' ' + error.message;
  return text.substr(0, message_max);
}

Result<void> write_contents(int directory, const std::string& text) {
  const UniqueFd file(::openat(directory, "contents",
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               S_IRUSR | S_IRGRP | S_IROTH));
  std::string_view rest = text;
  while (file && !rest.empty()) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno != EINTR) break;
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (file && rest.empty()) return {};
  return unpack_file_error("write the list of files");
}

Result<void> unpack(const UnpackOrder& order) {
  constexpr mode_t mode = 0755;
  const auto make = [](int parent, const char* name) {
    return ::mkdirat(parent, name, mode) == 0
               ? UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
               : UniqueFd();
  };
  const UniqueFd directory = make(unpack_directory, order.name.c_str());
  const UniqueFd package = directory ? make(directory.get(), "package") : UniqueFd();
  if (!package) return unpack_file_error("make a directory");
  const auto contents = unpack_archive(order.archive.get(), package.get(), {});
  if (!contents) return contents.error();
  return write_contents(directory.get(), contents_text(*contents));
}

}  // namespace

int run_unpack_child() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, unpack_program_name);
  ::syscall(SYS_close_range, static_cast<unsigned>(unpack_directory + 1), ~0U, 0);
  // What the library loads at its first digest it could not load later.
  static_cast<void>(tls::sha256_of(""));
  const auto confined = confine_to(unpack_directory);
  if (!confined) {
    answer(answer_of(confined.error()));
    return 1;
  }
  if (!answer(std::string(unpack_ready) + confined->words())) return 1;
  UnpackOrder order;
  while (receive_order(order)) {
    const auto unpacked = unpack(order);
    order.archive.reset();
    if (!answer(unpacked ? std::string(unpack_done) : answer_of(unpacked.error()))) return 1;
  }
  return 0;
}

}  // namespace satellite::agent
