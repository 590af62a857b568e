#pragma once

#include <string_view>

namespace satellite::agent {

/// How JavaScript's localeCompare orders the names and versions of packages: negative, zero or
/// positive. Pure.
///
/// Shape:  for texts of `_ - . @ / + ~`, digits and letters without accents, which is what
///         check_package_name and check_package_version let through. Other bytes come last, by
///         their value, so that the order stays total.
///         Characters decide first, then lengths, then lower case before upper.
/// Source: https://www.unicode.org/reports/tr10/ with CLDR's root table, as ICU has it.
int compare_in_locale_order(std::string_view a, std::string_view b);

}  // namespace satellite::agent
