// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the init program.
#include "sandbox/launcher/bare/init_block_map.hpp"

#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/script_child.hpp"

namespace satellite::sandbox::bare {
namespace {

constexpr long map_private = 2, protection_read_write = 3;

/// Turns the offsets of one array into pointers, in our private copy of the block.
bool relocate(InitBlock& block, std::uint32_t array) {
  auto* const base = reinterpret_cast<char*>(&block);
  if (array == 0 || array % sizeof(std::uint64_t) != 0) return false;
  for (std::uint64_t at = array; at + sizeof(std::uint64_t) <= block.size;
       at += sizeof(std::uint64_t)) {
    auto* const slot = reinterpret_cast<std::uint64_t*>(base + at);
    if (*slot == 0) return true;
    if (*slot >= block.size) return false;
    *slot = reinterpret_cast<std::uint64_t>(base + *slot);
  }
  return false;
}

}  // namespace

InitBlock& map_block(int fd, int report_fd) {
  InitBlock head;
  const long got = call(__NR_pread64, fd, address(&head), sizeof(head), 0);
  if (got != static_cast<long>(sizeof(head)) || head.magic != init_block_magic ||
      head.version != init_block_version || head.size < sizeof(head)) {
    fail(report_fd, SetupStep::map_block, got < 0 ? got : 0);
  }
  const long mapped =
      call(__NR_mmap, 0, static_cast<long>(head.size), protection_read_write, map_private, fd, 0);
  if (mapped < 0 && mapped > -4096) fail(report_fd, SetupStep::map_block, mapped);
  return *reinterpret_cast<InitBlock*>(static_cast<unsigned long>(mapped));
}

void relocate_all(InitBlock& block, int report_fd) {
  if (!relocate(block, block.arguments) || !relocate(block, block.environment)) {
    fail(report_fd, SetupStep::map_block, 0, 1);
  }
}

}  // namespace satellite::sandbox::bare
