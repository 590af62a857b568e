#pragma once

#include "agent/config/config.hpp"
#include "agent/config/load_config.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <string>

namespace satellite::agent {

/// Whether a file that says what a core may do here can be changed by others than root and us.
bool others_may_change(const struct stat& facts, std::uint32_t own_uid);

/// The section `[operator]` as far as it is about policies: takes it into `config.operators_word`.
///
/// Shape:  the rest of `config` is filled in already. Reads the file of operator.ceiling.
/// Errors: invalid_input, not_found, limit_exceeded, not_permitted (a ceiling that others could
///         raise); each names the setting, its source and what is wrong.
Result<void> take_operators_word(const std::map<std::string, EffectiveSetting>& values,
                                 std::uint32_t own_uid, Config& config);

}  // namespace satellite::agent
