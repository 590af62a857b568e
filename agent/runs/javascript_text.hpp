#pragma once

#include <string>

namespace satellite::agent {

/// A number as JavaScript's String(n) writes it: scripts were written against those texts.
///
/// Shape:  shortest digits that read back the same; 1e21 and above and below 1e-6 in exponent form.
/// Source: ECMA-262 Number::toString.
std::string javascript_number_text(double number);

}  // namespace satellite::agent
