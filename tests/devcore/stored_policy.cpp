#include "tests/devcore/stored_policy.hpp"

#include "sandbox/policy/policy_json.hpp"
#include "tests/devcore/policy_store.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

namespace satellite::devcore {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

sandbox::PolicyStore store_in(const std::filesystem::path& file) {
  return {file, sandbox::seeded_default_policy(variable("CHECKSTACK_SANDBOX_UID"),
                                               variable("CHECKSTACK_SANDBOX_GID"))};
}

Result<std::string> text_of(const Result<sandbox::Policy>& policy) {
  if (!policy) return policy.error();
  return sandbox::to_json(*policy).dump();
}

}  // namespace

Result<std::string> read_stored_policy(const std::filesystem::path& file) {
  return text_of(store_in(file).read());
}

Result<std::string> change_stored_policy(const std::filesystem::path& file,
                                         const std::string& partial_policy) {
  if (file.empty()) return Error{ErrorCode::unsupported, "this core keeps no policy"};
  return text_of(store_in(file).write(partial_policy));
}

}  // namespace satellite::devcore
