#pragma once

#include "agent/config/load_config.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <string>

namespace satellite::agent {

/// What is wrong with a setting, with its key and where it was set.
Error invalid(const EffectiveSetting& setting, const std::string& problem);

/// A whole number within the bounds of its row. Errors: invalid_input.
Result<std::uint32_t> number(const EffectiveSetting& value);

/// Errors: invalid_input for anything but true and false.
Result<bool> toggle(const EffectiveSetting& value);

}  // namespace satellite::agent
