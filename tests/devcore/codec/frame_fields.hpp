#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace satellite::devcore {

/// What is wrong with a frame of an agent by the contract's field tables; nothing if it keeps them.
///
/// Shape:  one table, one row per field: its type, whether it must be there, whether it may be
///         null, and whether it is of the contract or of an extension. Stricter than any core: a
///         field no table names is a violation, too.
/// Source: core-contract 1.3, 2.3; dispatch-extension.
std::optional<std::string> field_violation(std::string_view frame);

/// The types that have a table.
std::set<std::string_view> tabled_messages();

}  // namespace satellite::devcore
