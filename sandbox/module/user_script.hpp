#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// The text of an inline script as a module.
///
/// Shape:  pure. A text in which a line begins with `import` or `export` and a white space is a
///         module already and comes back unchanged; any other is the body of an async function
///         whose value is the default export, so that `return` and `await` stand at its top.
/// Source: core-contract 3.6.
std::string module_from(std::string_view script);

/// The same text with static imports of the module `name` directed to `url`.
///
/// Shape:  pure, and by the text alone: `from "name"` and `import "name"` with white space between,
///         in either kind of quotes, wherever they stand. Dynamic imports stay as they are.
std::string with_import_from(std::string_view script, std::string_view name, std::string_view url);

}  // namespace satellite::sandbox
