#pragma once

#include <string_view>
#include <vector>

namespace satellite::agent {

/// The word that somebody may have meant, for the question "did you mean"; empty if none is near:
/// half of its letters, and at most three, may be wrong, missing or too many. Pure.
std::string_view nearest_word(std::string_view mistyped,
                              const std::vector<std::string_view>& words);

}  // namespace satellite::agent
