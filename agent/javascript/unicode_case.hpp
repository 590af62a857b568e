#pragma once

#include <string>
#include <string_view>

namespace satellite::agent {

/// Upper and lower case as JavaScript's toUpperCase and toLowerCase give it.
///
/// Shape:  UTF-8 in and out; letters that become several (ß -> SS) do so. Where the host has no
///         C.UTF-8 locale, only ASCII and the letters whose upper case holds ASCII change.
std::string upper_case(std::string_view text);
std::string lower_case(std::string_view text);

/// The first character in upper case, the rest as it is.
std::string capitalised(std::string_view text);

}  // namespace satellite::agent
