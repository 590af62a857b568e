#pragma once

#include "sandbox/launcher/bare/init_block.hpp"

#include <string_view>

namespace satellite::sandbox {

/// The step in words, for the text of a failure.
std::string_view name_of(SetupStep step);

/// What an operator can change on the host so that this step works, by what the kernel answered;
/// empty when there is nothing better to say than the failure itself. Pure.
std::string_view operator_hint(SetupStep step, int error_number);

}  // namespace satellite::sandbox
