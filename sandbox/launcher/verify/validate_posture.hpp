#pragma once

#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/launcher/wire/posture.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// What of the expectation the posture does not show; empty = the script may start. Pure.
std::vector<std::string> missing_of(const Expectation& expectation, const Posture& posture);

/// The part of it that belongs to one layer. Pure.
std::vector<std::string> missing_in_layer(Layer layer, const Expectation& expectation,
                                          const Posture& posture);

}  // namespace satellite::sandbox
