#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// A whole text with the given values hidden, as upstream does it: values of at least four UTF-16
/// units, the longest first, each occurrence replaced.
/// Source: core-contract 4.3.
std::string mask_secrets(std::string text, const std::vector<std::string>& values);

/// The same in every string of a JSON value, keys included; of two keys that become one the later
/// is kept, which is why the value has to know the order of its keys.
nlohmann::ordered_json mask_secrets_deep(const nlohmann::ordered_json& value,
                                         const std::vector<std::string>& values);

}  // namespace satellite::sandbox
