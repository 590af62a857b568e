#pragma once

#include "protocol/vocabulary/directory.hpp"

#include <fcntl.h>
#include <string>

namespace satellite::sandbox::kernel {

inline constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// A listing of its own, from the beginning; null when it cannot be read.
Directory listing_of(int directory);

bool is_dots(const char* name);

/// Removes `name` in `parent` and all below it, without following any link, whatever its depth;
/// what cannot be removed is left. Nothing may be alive that changes it meanwhile. Can be stopped
/// and begun again at any point.
void remove_tree(int parent, const std::string& name);

}  // namespace satellite::sandbox::kernel
