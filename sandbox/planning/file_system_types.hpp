#pragma once

#include <string_view>

namespace satellite::sandbox {

// What a type of file system, as mountinfo names it, means for who looks at it. Pure.

/// The kernel's own, such as proc and sysfs: no store of anything.
bool is_of_kernel(std::string_view type);

/// Who looks at a file on it may wait for another machine or program, or for ever.
bool waits_for_others(std::string_view type);

/// On disks or in memory of this host, so that looking at it waits for nobody else. What is in
/// none of these lists counts as neither.
bool is_local_store(std::string_view type);

/// An image that is full and read-only by its nature.
bool is_image(std::string_view type);

/// Subvolumes of one file system have device numbers of their own, which no mount tells.
bool has_subvolumes(std::string_view type);

}  // namespace satellite::sandbox
