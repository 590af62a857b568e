#pragma once

#include <string_view>

namespace satellite::sandbox {

/// The programs that a launcher executes, as they were linked into this binary.
std::string_view init_image();       ///< init_program.cpp
std::string_view forwarder_image();  ///< forwarder_program.cpp

}  // namespace satellite::sandbox
