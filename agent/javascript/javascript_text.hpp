#pragma once

#include <string>
#include <string_view>

namespace satellite::agent {

/// A number as JavaScript's String(n) writes it: scripts were written against those texts.
///
/// Shape:  shortest digits that read back the same; 1e21 and above and below 1e-6 in exponent form.
/// Source: ECMA-262 Number::toString.
std::string javascript_number_text(double number);

/// Without what JavaScript's trim() takes off at both ends: ASCII white space, no-break and
/// typographic spaces, line separators and the byte order mark.
std::string javascript_trimmed(std::string_view text);

}  // namespace satellite::agent
