#pragma once

#include <string_view>

namespace satellite::sandbox {

/// The init program (init_program.cpp), as it was linked into this binary.
std::string_view init_image();

}  // namespace satellite::sandbox
