#pragma once

#include <string>

namespace satellite::agent {

/// A fresh UUID of version 4, from the kernel's random numbers (RFC 9562).
std::string random_id();

}  // namespace satellite::agent
