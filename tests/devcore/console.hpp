#pragma once

#include "tests/devcore/devcore.hpp"

#include <string>

namespace satellite::devcore {

/// One line of standard input, done. False = quit. What is not understood is said on stderr.
bool obey(DevCore& core, const std::string& line);

/// What can be typed.
extern const char* const console_help;

}  // namespace satellite::devcore
