#pragma once

#include <string_view>

namespace satellite::agent {

/// Whether a script may import a package: something that is neither a file, nor built into a
/// runtime, nor one of the platform's own helpers. Pure.
///
/// Shape:  reads words and quotes, not the language: a comment or a text that looks like an import
///         counts as one, and so does an import whose name is computed. To be wrong that way costs
///         a script a wait; the other way it would fail.
bool imports_packages(std::string_view script);

}  // namespace satellite::agent
