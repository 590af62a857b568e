#pragma once

#include <asm/socket.h>
#include <linux/uio.h>
#include <cstddef>

// Messages with descriptors, without libc: what stands in sys/socket.h alone, which belongs to it.

namespace satellite::sandbox::bare {

constexpr long msg_nosignal = 0x4000, msg_cmsg_cloexec = 0x40000000;
constexpr unsigned msg_trunc = 0x20, msg_ctrunc = 0x8;
constexpr int scm_rights = 1;

/// struct msghdr, recvmsg(2).
struct MessageHead {
  void* name;
  int name_size;
  iovec* vectors;
  unsigned long vector_count;
  void* control;
  unsigned long control_size;
  unsigned flags;

  bool is_cut() const { return (flags & (msg_trunc | msg_ctrunc)) != 0; }
};

/// One control message with at most so many descriptors, cmsg(3).
template <unsigned long count_max>
struct alignas(8) Rights {
  unsigned long size = 0;
  int level = 0, type = 0;
  int descriptors[count_max] = {};

  static constexpr unsigned long size_of(int count) {
    return offsetof(Rights, descriptors) + static_cast<unsigned long>(count) * sizeof(int);
  }
  /// How many came; 0 where this is none.
  int count() const {
    const bool is_one = level == SOL_SOCKET && type == scm_rights && size >= size_of(0);
    return is_one ? static_cast<int>((size - size_of(0)) / sizeof(int)) : 0;
  }
};

}  // namespace satellite::sandbox::bare
