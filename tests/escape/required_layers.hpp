#pragma once

#include <string_view>

/// Which layers this host must have, from the environment variable MUST_WORK (`seccomp,landlock`).
///
/// Shape:  the one place of this suite that reads it.
namespace satellite::tests {

bool must_work(std::string_view layer);

}  // namespace satellite::tests
