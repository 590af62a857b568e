#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace satellite::sandbox {

/// The code point that `&NAME;` stands for: the names of ASCII signs (HTML 5) and of Latin-1 (HTML
/// 4), which is what writers of HTML use by name.
std::optional<std::uint32_t> html_entity(std::string_view name);

}  // namespace satellite::sandbox
