#pragma once

#include "protocol/vocabulary/byte_count.hpp"

#include <cstddef>
#include <utility>

namespace satellite::sandbox {

/// How much memory prepared runs and standing runtimes may take together.
///
/// Shape:  each of them holds a share for as long as it stands. A share is what the launcher
///         measured, the pages of its processes that are their own, and `kernel_part` for what the
///         kernel keeps of a sandbox. Until one was measured its share is a guess: where that was
///         too low, the one that was measured last is given up.
/// Units:  bytes.
class PreparedMemory {
 public:
  /// Namespaces, mounts, page tables and the files of the root in memory.
  static constexpr ByteCount kernel_part{std::uint64_t{1} << 20U};

  /// Of one that stands; given back at its end. The memory must outlive it.
  class Share {
   public:
    Share(PreparedMemory& owner, ByteCount size) : owner_(&owner), size_(size) {
      owner_->taken_ += size_;
    }
    Share(Share&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), size_(other.size_) {}
    Share& operator=(Share&&) = delete;
    ~Share() {
      if (owner_ != nullptr) owner_->taken_ -= size_;
    }
    void resize(ByteCount size) {
      owner_->taken_ += size;
      owner_->taken_ -= std::exchange(size_, size);
    }

   private:
    PreparedMemory* owner_;
    ByteCount size_;
  };

  explicit PreparedMemory(ByteCount size_max) : size_max_(size_max) {}
  PreparedMemory(const PreparedMemory&) = delete;
  PreparedMemory& operator=(const PreparedMemory&) = delete;

  /// How many more of this size fit.
  std::size_t room_for(ByteCount size) const {
    return is_exceeded() ? 0 : (size_max_ - taken_).value / size.value;
  }
  bool is_exceeded() const { return taken_ > size_max_; }
  ByteCount taken() const { return taken_; }

 private:
  ByteCount size_max_, taken_;
};

}  // namespace satellite::sandbox
