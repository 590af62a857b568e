#pragma once

#include <cstdint>

namespace satellite::sandbox::kernel {

/// Whether any process that this one sees has this real user id.
///
/// Shape:  one system call; of a user without processes the kernel knows at once.
/// Source: getpriority(2), PRIO_USER.
bool user_has_processes(std::uint32_t uid);

}  // namespace satellite::sandbox::kernel
