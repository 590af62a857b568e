#pragma once

#include "protocol/vocabulary/result.hpp"

#include <filesystem>
#include <string>

namespace satellite::devcore {

/// The cluster's default policy as this core keeps it: policy_store.hpp over the shipped
/// default with the identity of CHECKSTACK_SANDBOX_UID and _GID.
///
/// Shape:  both give the whole policy in JSON, as it is relayed.
/// Errors: invalid_input for a file that is no policy, and for a change that is none: the file then
///         stays as it was. unsupported without a file.
Result<std::string> read_stored_policy(const std::filesystem::path& file);
Result<std::string> change_stored_policy(const std::filesystem::path& file,
                                         const std::string& partial_policy);

}  // namespace satellite::devcore
