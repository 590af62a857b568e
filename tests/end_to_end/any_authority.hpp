#pragma once

#include <string>

namespace satellite::tests {

/// The path of a certificate authority, for settings that are only looked at: what the host trusts
/// is not asked then. Gone when this program ends.
const std::string& any_authority();

}  // namespace satellite::tests
