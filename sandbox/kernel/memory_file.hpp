#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <string>
#include <string_view>

namespace satellite::sandbox::kernel {

enum class Executable { no, yes };

/// An anonymous file that holds exactly `bytes` and can never change again (memfd_create(2), sealed
/// against writing, growing and shrinking). Its offset is 0.
Result<UniqueFd> make_memory_file(const char* name, std::string_view bytes,
                                  Executable executable = Executable::no);

/// An anonymous file to write to; not sealed.
Result<UniqueFd> make_scratch_file(const char* name);

/// Everything in a file that was sealed by its sender.
///
/// Errors: invalid_input when it could still change while we read it; limit_exceeded.
Result<std::string> read_sealed_file(int fd, ByteCount size_max);

/// The first `size_max` bytes of a file, whatever they are; for messages to a person.
std::string read_beginning(int fd, std::size_t size_max);

}  // namespace satellite::sandbox::kernel
