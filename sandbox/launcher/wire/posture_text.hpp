#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

// How a posture's facts are written in a refusal and in a report. Pure.

/// `cpu`, `nofile`, `nproc`, `fsize`: by Resource.
std::string_view name_of_limit(std::size_t resource);
std::string hexadecimal(std::uint64_t number);
/// All ones is `unlimited`.
std::string limit_text(std::uint64_t value);
std::string joined(const std::vector<std::string>& words, std::string_view separator);

}  // namespace satellite::sandbox
